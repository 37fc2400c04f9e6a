"""Checks that a tag may be released, and prints its notes: `python -m tests.release_check v0.2.0`.

The version of pyproject.toml, that of server.json, the tag and the newest dated section of CHANGELOG.md have to be the same.
"""

import json
import re
import sys
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^## (\S+) \((\d{4}-\d{2}-\d{2})\)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def release_notes(tag: str, root: Path = ROOT) -> str:
    """The section of CHANGELOG.md for `tag`, without its heading. ValueError says what does not agree with the tag."""
    version = tag.removeprefix("v")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    server = json.loads((root / "server.json").read_text(encoding="utf-8"))["version"]
    if tag != f"v{project}" or server != project:
        raise ValueError(f"the tag is {tag}, pyproject.toml has {project}, server.json has {server}")
    newest = SECTION.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if newest is None or newest[1] != version:
        raise ValueError(f"the newest dated section of CHANGELOG.md is not ## {version} (YYYY-MM-DD)")
    date.fromisoformat(newest[2])
    if not newest[3].strip():
        raise ValueError(f"the section {version} of CHANGELOG.md is empty")
    return newest[3].strip() + "\n"


def main() -> None:
    """Prints the notes, or ends with exit code 1 and the reason."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.release_check vX.Y.Z")
    try:
        print(release_notes(sys.argv[1]), end="")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
