"""Every suppression of a linter or type checker says why."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("t2s_agent", "tools", "evals", "training", "tests")
SUPPRESSION = re.compile(r"#\s*(?:ruff:\s*)?(?:noqa:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|type:\s*ignore\[[^\]]*\])(.*)")


def without_reason(line):
    """Whether a line holds a suppression with nothing but it in its comment."""
    found = SUPPRESSION.search(line)
    return found is not None and len(re.sub(r"\W", "", found[1])) < 5


def test_every_suppression_has_its_reason():
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file != Path(__file__)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if without_reason(line)
    ]
    assert found == []


def test_a_suppression_without_a_reason_is_seen():
    assert without_reason("import a  # noqa: F401")
    assert without_reason("f(x)  # type: ignore[arg-type]")
    assert without_reason("# ruff: noqa: B006, RUF012")
    assert not without_reason("import a  # noqa: F401 (is it there?)")
    assert not without_reason("f(x)  # type: ignore[arg-type]  # checked above")
    assert not without_reason("def f(x): ...")
