"""What the documents show is true: links lead somewhere, commands and options exist, Python compiles, every page is in the site."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command, get_group

import t2s_agent
from t2s_agent import errors
from t2s_agent.cli.app import app
from t2s_agent.scene.sensors import load_sensors
from t2s_agent.settings import Settings
from t2s_agent.tiling.sizes import load_sizes

ROOT = Path(__file__).parents[1]
GENERATED = (
    "command-line.md",
    "settings.md",
    "errors.md",
    "sensors.md",
    "sizes.md",
)  # by docs/generate.py, into docs/reference
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "findings").glob("*.md")]
    if path.parent.name != "reference" or path.name not in GENERATED
)
PROMPTS = ("$ ", "> ")
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def _generator():
    """The module docs/generate.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(text):
    """(language, code) of each fenced block, also of indented ones."""
    for indent, language, code in re.findall(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
        yield language, "\n".join(line.removeprefix(indent) for line in code.splitlines())


def prose(text):
    """The text without fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(text):
    """The names by which headings of a page can be linked to, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def commands(text):
    """The words of each command line `t2s-agent ...` or `make ...` that the blocks without a language, or of a shell, show."""
    for language, code in blocks(text):
        if language not in ("", "console", "shell", "sh", "bash"):
            continue
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix(PROMPTS[0]), comments=True)
            for program in ("t2s-agent", "make"):
                if program in words and "docker" not in words[:1]:
                    yield words[words.index(program) :]


def faults(words):
    """What is wrong with a command line `t2s-agent ...`: an unknown command or option; empty if nothing is."""
    command, rest = get_command(app), [word for word in words[1:] if word != "..."]
    known = {flag for parameter in command.params for flag in parameter.opts}
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
        known |= {flag for parameter in command.params for flag in [*parameter.opts, *parameter.secondary_opts]}
    if rest and hasattr(command, "commands") and not rest[0].startswith("-") and not command.params:
        return [f"no command {rest[0]}"]
    known |= {"--help"}
    flags = [word.split("=")[0] for word in rest if re.match(r"-{1,2}[a-z]", word)]
    return [f"no option {flag}" for flag in flags if flag not in known]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        made = file.parent == ROOT / "docs" / "reference" and file.name in GENERATED
        assert made or file.exists(), target
        if anchor and file.suffix == ".md" and not made:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_that_is_shown_exists_with_its_options(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
        else:
            assert faults(words) == [], words


def test_a_command_or_option_that_does_not_exist_is_found():
    assert faults(["t2s-agent", "segment", "a.tif", "ships", "--min-area-m2", "50"]) == []
    assert faults(["t2s-agent", "segment", "a.tif", "ships", "--min-area", "50"]) == ["no option --min-area"]
    assert faults(["t2s-agent", "results", "delete", "last", "--yes"]) == []
    assert list(commands("```\n$ t2s-agent doctor  # versions\n```")) == [["t2s-agent", "doctor"]]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_python_and_json_block_parses(page):
    for language, code in blocks(page.read_text(encoding="utf-8")):
        if language == "python":
            compile(code, str(page), "exec")
        elif language == "json":
            json.loads(code)


def _named(entry):
    """The paths of pages in a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    values = entry.values() if isinstance(entry, dict) else entry
    return [path for value in values for path in _named(value)]


def test_every_page_of_the_site_exists_and_is_in_the_navigation():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = _named(site["nav"])
    written = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert len(listed) == len(set(listed))
    wanted = written | {f"reference/{name}" for name in GENERATED}
    assert set(listed) == wanted, "change `nav` in mkdocs.yml"


def test_the_generated_pages_have_every_command_setting_and_error_code():
    pages = _generator().PAGES
    assert tuple(pages) == GENERATED
    for name in get_group(app).commands:
        assert f"`t2s-agent {name}`" in pages["command-line.md"]()
    for name in Settings.model_fields:
        assert f"\n| `{name}` | " in pages["settings.md"]()
    text = pages["errors.md"]()
    for code in errors.CODES:
        assert re.search(rf"^\| `{code}` \| \S.* \|$", text, re.MULTILINE), f"{code} has no remark in errors.py"
    for sensor in load_sensors().entries:
        assert f"- id: `{sensor.id}`\n" in pages["sensors.md"]()
    for entry in load_sizes().entries:
        assert f"| {', '.join(entry.words)} | {entry.side_m:g} |" in pages["sizes.md"]()


def test_the_generated_pages_name_no_folder_of_this_machine():
    for page in _generator().PAGES.values():
        assert str(Path.home()) not in page()


def test_the_python_page_has_every_public_name():
    shown = re.findall(r"^::: t2s_agent\.(\w+)$", (ROOT / "docs/reference/python.md").read_text("utf-8"), re.MULTILINE)
    assert set(shown) == set(t2s_agent.__all__) - {"__version__"}
