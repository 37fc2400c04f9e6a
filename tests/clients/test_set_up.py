"""What we tell people and registries to run exists: its names, flags and versions are the package's own."""

import json
import re
import tomllib
from pathlib import Path

from typer.main import get_group

from t2s_agent.cli.app import app
from t2s_agent.settings import Settings

ROOT = Path(__file__).parents[2]
ENTRY = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
PACKAGE = ENTRY["packages"][0]
CLIENTS = (ROOT / "docs" / "how-to" / "clients.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_registrys_entry_is_of_the_version_that_is_built():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ENTRY["version"] == PACKAGE["version"] == project["version"]
    assert PACKAGE["identifier"] == project["name"]


def test_the_registrys_entry_and_the_readme_name_the_same_server():
    assert f"<!-- mcp-name: {ENTRY['name']} -->" in README


def test_the_registrys_entry_calls_a_command_and_flags_that_exist():
    command, *flags = PACKAGE["packageArguments"]
    assert {flag["name"] for flag in flags} <= _flags_of(command["value"])


def test_the_registrys_entry_names_variables_that_are_read():
    known = {f"T2S_{name.upper()}" for name in Settings.model_fields} | {"T2S_API_KEY"}
    assert {variable["name"] for variable in PACKAGE["environmentVariables"]} <= known


def test_every_snippet_for_a_client_parses_and_starts_our_server():
    servers = [server for text in (CLIENTS, README) for server in _servers(text)]
    assert len(servers) == 4
    for server in servers:
        program, command, flag, _ = server["args"]
        assert (server["command"], program) == ("uvx", "t2s-agent")
        assert flag in _flags_of(command)


def test_commands_that_people_are_shown_use_flags_that_exist():
    shown = re.findall(r"t2s-agent serve([^\n#`]*)", (CLIENTS + README).replace("\\\n", " "))
    assert len(shown) >= 6
    for arguments in shown:
        assert set(re.findall(r"--[a-z-]+", arguments)) <= _flags_of("serve"), arguments


def test_the_image_is_built_from_files_that_exist_and_that_reach_the_engine():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()
    ]
    assert sorted(copied) == sorted(let_through)
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_runs_our_server_as_nobody():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert json.loads(re.findall(r"^ENTRYPOINT (.+)$", dockerfile, re.MULTILINE)[-1]) == ["t2s-agent"]
    command, flag, _ = json.loads(re.findall(r"^CMD (.+)$", dockerfile, re.MULTILINE)[-1])
    assert flag in _flags_of(command)
    user = re.findall(r"^USER (\d+):(\d+)$", dockerfile.rpartition("FROM")[2], re.MULTILINE)
    assert user == [("10001", "10001")]


def _flags_of(command: str) -> set[str]:
    return {flag for option in get_group(app).commands[command].params for flag in option.opts}


def _servers(text: str) -> list[dict]:
    """Each server in the JSON and TOML blocks of a page."""
    tables = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    tables += [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    return [server for table in tables for group in table.values() for server in group.values()]
