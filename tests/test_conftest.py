"""`--under` leaves out what was measured to take long, and nothing else; `--measure` keeps what it did not measure."""

import json
from types import SimpleNamespace

import pytest

from tests import conftest


@pytest.fixture
def durations(tmp_path, monkeypatch):
    """A file of two measured tests in place of the project's."""
    file = tmp_path / "durations.json"
    file.write_text(
        json.dumps({"tests/test_a.py::test_long": 2.0, "tests/test_a.py::test_short": 0.2}), encoding="utf-8"
    )
    monkeypatch.setattr(conftest, "DURATIONS", file)
    return file


def _config(left_out, **options):
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
    return SimpleNamespace(getoption=lambda name: options[name.removeprefix("--")], hook=hook)


def _items(*names):
    return [SimpleNamespace(nodeid=f"tests/test_a.py::{name}") for name in names]


def test_only_tests_that_took_long_are_left_out(durations):
    items, left_out = _items("test_long", "test_short", "test_new"), []
    conftest.pytest_collection_modifyitems(_config(left_out, under=0.3), items)
    assert [each.nodeid[-9:] for each in left_out] == ["test_long"]
    assert items == _items("test_short", "test_new")


def test_without_a_limit_everything_runs(durations):
    items = _items("test_long", "test_short")
    conftest.pytest_collection_modifyitems(_config([], under=None), items)
    assert len(items) == 2


def test_a_measured_run_replaces_its_own_tests_only_and_drops_short_ones(durations, monkeypatch):
    monkeypatch.setattr(conftest, "_seconds", {})
    for seconds in (0.06, 0.01, 0.05):  # setting up, running, tearing down
        conftest.pytest_runtest_logreport(SimpleNamespace(nodeid="tests/test_a.py::test_short", cpu_seconds=seconds))
    conftest.pytest_runtest_logreport(SimpleNamespace(nodeid="tests/test_b.py::test_b", cpu_seconds=0.44))
    conftest.pytest_sessionfinish(SimpleNamespace(config=_config([], measure=True)))
    assert json.loads(durations.read_text("utf-8")) == {
        "tests/test_a.py::test_long": 2.0,
        "tests/test_b.py::test_b": 0.4,
    }


def test_the_projects_durations_name_tests_of_files_that_exist():
    root = conftest.DURATIONS.parents[1]
    names = json.loads(conftest.DURATIONS.read_text(encoding="utf-8"))
    assert {name.split("::")[0] for name in names if not (root / name.split("::")[0]).is_file()} == set()
