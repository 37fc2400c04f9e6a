"""Writes the reference pages that are made from the code: command line, settings, error codes, sensors and sizes.

    python docs/generate.py

They are not kept in the repository, so that they cannot be out of date. `make docs` runs this before it builds the site.
"""

import html
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined
from typer.cli import get_docs_for_click
from typer.main import get_command

from t2s_agent import errors
from t2s_agent.cli.app import app
from t2s_agent.scene.scaling import Scaling
from t2s_agent.scene.sensors import Sensor, SensorBand, load_sensors
from t2s_agent.settings import Settings
from t2s_agent.tiling.sizes import load_sizes

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


def sensors() -> str:
    """Markdown with every sensor of the package's table: bands, scaling, how it is recognised, source."""
    lines = [
        "# Sensors",
        "",
        "The bands of each sensor (with the common name of STAC's eo extension, and the centre wavelength in nanometres), how stored",
        "values become physical values, and what a file is recognised by. [How to use them](../how-to/sensors.md); the table is",
        "`t2s_agent/scene/sensors.toml`.",
        "",
    ]
    for sensor in load_sensors().entries:
        lines += [f"## {_cell(sensor.title)}", "", *_about_sensor(sensor), ""]
    return "\n".join(lines)


def _about_sensor(sensor: Sensor) -> Iterator[str]:
    yield f"- id: `{sensor.id}`"
    bands = (
        f"{band.name} ({', '.join(_band_facts(band))})" if _band_facts(band) else band.name for band in sensor.bands
    )
    yield f"- bands: {_cell('; '.join(bands))}"
    for order in sensor.orders:
        yield f"- order without names: {', '.join(order)}"
    if sensor.scale is None:
        yield f"- values: as stored; {_cell(sensor.unscaled)}"
    else:
        yield f"- values: {_cell(sensor.unit)} = {Scaling(sensor.scale, sensor.offset).formula}"
    if sensor.offset_by.since:
        rule = sensor.offset_by
        yield f"- offset: {rule.add:+g} to stored values from processing baseline {rule.since:05.2f} on; tags {', '.join(rule.tags)}"
    known = [f"file name `{sensor.file}`"] if sensor.file else []
    known += [f"tag `{sensor.tags}`"] if sensor.tags else []
    known += ["the names of its bands"] if sensor.names else []
    yield f"- recognised by: {', '.join(known) or 'nothing: the caller names it'}"
    if sensor.order_note:
        yield f"- not certain: {_cell(sensor.order_note)}"
    if sensor.unconfirmed:
        yield f"- not confirmed: {_cell(sensor.unconfirmed)}"
    yield f"- source: {_cell(sensor.source)}"


def _band_facts(band: SensorBand) -> list[str]:
    return [*([band.common] if band.common not in ("", band.name) else []), *([f"{band.nm:g} nm"] if band.nm else [])]


def sizes() -> str:
    """Markdown with the table of sizes by which windows get their resolution."""
    table = load_sizes()
    rows = [
        f"| {_cell(', '.join(entry.words))} | {entry.side_m:g} | {_cell(entry.source)} |"
        for entry in sorted(table.entries, key=lambda entry: entry.side_m)
    ]
    return "\n".join(
        [
            "# Sizes of objects",
            "",
            "The shorter side of the smallest usual object, by which the windows of a large scene get their resolution",
            "([how](../how-to/large-scenes.md)). The table is `t2s_agent/tiling/sizes.toml`; the setting `sizes_file` names one of your own.",
            "",
            "| words | metres | source |",
            "|---|---|---|",
            *rows,
            "",
            f"Words that name nothing: {', '.join(sorted(table.plain))}.",
            "",
        ]
    )


PAGES = {
    "command-line.md": command_line,
    "settings.md": settings,
    "errors.md": error_codes,
    "sensors.md": sensors,
    "sizes.md": sizes,
}


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
