"""Writes the reference pages that are made from the code: command line, settings and error codes.

    python docs/generate.py

They are not kept in the repository, so that they cannot be out of date. `make docs` runs this before it builds the site.
"""

import html
import inspect
import re
from pathlib import Path

from pydantic_core import PydanticUndefined
from typer.cli import get_docs_for_click
from typer.main import get_command

from t2s_agent import errors
from t2s_agent.cli.app import app
from t2s_agent.settings import Settings

FOLDER = Path(__file__).parent / "reference"
_CODE = re.compile(r'^    "(\w+)",(?:  # (.*))?$', re.MULTILINE)


def command_line() -> str:
    """Markdown with every command, its arguments and options."""
    import typer

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="t2s-agent"), name="t2s-agent")
    text = re.sub(r"^# `t2s-agent`", "# Command line", html.unescape(text))
    return text.replace("```console\n$ ", "```console\n")


def settings() -> str:
    """Markdown with every setting: name, default, meaning."""
    rows = [
        f"| `{name}` | {_default(field.default)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "A setting is given as an option of a command, as an environment variable (`T2S_` and its name in capitals, such as",
            "`T2S_PROMPTER`), or as a line in `t2s.toml` in the current folder (or in the file that `T2S_CONFIG` names). The first of",
            "these that has a value is used. `t2s-agent doctor` shows all settings with their values and where each comes from.",
            "`T2S_API_KEY` holds the key of a served model.",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def error_codes() -> str:
    """Markdown with every code of a T2SError and the remark that stands beside it in `errors.py`."""
    source = inspect.getsource(errors)
    remarks = dict(_CODE.findall(source[source.index("Code = Literal[") : source.index("CODES")]))
    rows = [f"| `{code}` | {_cell(remarks[code])} |" for code in errors.CODES]
    return "\n".join(
        [
            "# Errors",
            "",
            "Every error that a caller can correct is a `T2SError`. It is printed as `code: what. fix.`: what is wrong, and what to do",
            "about it. The codes are stable; the sentences may change. The command line ends with exit code 2 where the input is at",
            "fault, 3 where a model failed, 130 after an interruption, and 1 for a bug. That nothing was found is not an error.",
            "",
            "| code | remark |",
            "|---|---|",
            *rows,
            "",
        ]
    )


PAGES = {"command-line.md": command_line, "settings.md": settings, "errors.md": error_codes}


def _default(value: object) -> str:
    if value is PydanticUndefined or value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    home = str(Path.home())
    return f"`{_cell(text.replace(home, '~', 1) if text.startswith(home) else text)}`"


def _cell(text: str) -> str:
    """Text that a table's cell shows as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main() -> None:
    """Writes the pages into docs/reference."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
