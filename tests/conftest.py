"""What all tests share: Hypothesis' tables, and the choice of tests by how long they took."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import settings, strategies

DURATIONS = Path(__file__).with_name("durations.json")  # of each test that takes at least _SHORTEST
_SHORTEST = 0.2  # seconds

settings.register_profile("any-machine", deadline=None)  # how long one example takes says how busy the machine is
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def characters():
    """Hypothesis makes its tables of characters on a machine's first text: a second that no test's clock should count."""
    strategies.text().validate()


def pytest_addoption(parser):
    """`--under SECONDS` and `--measure`."""
    parser.addoption(
        "--under",
        type=float,
        metavar="SECONDS",
        help="leave out what took longer (processor time in tests/durations.json)",
    )
    parser.addoption("--measure", action="store_true", help="put the times of this run into tests/durations.json")


def pytest_collection_modifyitems(config, items):
    """Leaves out what took at least `--under` seconds when it was measured; a test that was never measured is run."""
    limit = config.getoption("--under")
    if limit is None:
        return
    measured = json.loads(DURATIONS.read_text(encoding="utf-8"))
    left_out = [item for item in items if measured.get(item.nodeid, 0.0) >= limit]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if measured.get(item.nodeid, 0.0) < limit]


_seconds: dict[str, float] = {}
_mark = 0.0


def _cpu():
    """Seconds of processor time of this process and of those that it waited for: other work on the machine does not count."""
    return sum(os.times()[:4])


def pytest_runtest_logstart():
    """The processor time before a test."""
    global _mark
    _mark = _cpu()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Each report (setting up, running, tearing down) carries the processor time of its part, also from a worker of xdist."""
    global _mark
    report = yield
    now = _cpu()
    report.cpu_seconds, _mark = now - _mark, now
    return report


def pytest_runtest_logreport(report):
    """Adds up setting up, running and tearing down."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.cpu_seconds


def pytest_sessionfinish(session):
    """With `--measure`: puts the times of this run into tests/durations.json; those of tests that did not run stay."""
    if not session.config.getoption("--measure") or hasattr(session.config, "workerinput"):
        return
    before = json.loads(DURATIONS.read_text(encoding="utf-8")) if DURATIONS.exists() else {}
    merged = before | {name: round(seconds, 1) for name, seconds in _seconds.items()}
    slow = {name: seconds for name, seconds in sorted(merged.items()) if seconds >= _SHORTEST}
    DURATIONS.write_text(json.dumps(slow, indent=0) + "\n", encoding="utf-8")
