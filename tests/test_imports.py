"""Imports that import-linter does not see: of tests, and of tools, which lie at t2s_agent.tools only where they are installed."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imported_by(file):
    """The modules that a file imports anywhere in it, by their whole names; relative imports are left out."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def offending(folder, forbidden, *, outside=()):
    """Files below a folder, apart from the folders `outside`, that import a forbidden package or a part of one."""
    files = [
        file for file in sorted((ROOT / folder).rglob("*.py")) if not any((ROOT / o) in file.parents for o in outside)
    ]
    assert len(files) >= 10
    return [
        str(file.relative_to(ROOT))
        for file in files
        if any(name == package or name.startswith(f"{package}.") for name in imported_by(file) for package in forbidden)
    ]


def test_tests_of_the_product_and_of_evals_never_import_training():
    assert offending("tests", ["training"], outside=["tests/training"]) == []


def test_only_the_server_imports_the_tools():
    assert offending("t2s_agent", ["t2s_agent.tools", "tools"], outside=["t2s_agent/server", "t2s_agent/cli"]) == []


@pytest.mark.parametrize("folder", ["t2s_agent", "tools", "evals", "training", "tests"])
def test_tools_are_imported_by_the_name_that_they_have_where_they_are_installed(folder):
    assert offending(folder, ["tools"] if folder != "tools" else ["tools", "t2s_agent.tools"]) == []


def test_an_import_inside_a_function_is_seen(tmp_path):
    file = tmp_path / "a.py"
    file.write_text(
        "def f():\n    from training.nano import model\n    import t2s_agent.tools.words\n", encoding="utf-8"
    )
    assert imported_by(file) == {"training.nano", "training.nano.model", "t2s_agent.tools.words"}
