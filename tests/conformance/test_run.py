"""The runner notices what would make a conformance run worthless."""

from tests.conformance.run import faults

GOOD = {"id": "a", "status": "SUCCESS"}
BAD = {"id": "b", "status": "FAILURE", "errorMessage": "no such tool"}


def test_a_run_that_passes_every_scored_check_has_no_fault():
    assert faults({"ping": [GOOD, GOOD]}, {"ping": 2}) == []


def test_a_scenario_that_did_not_run_is_a_fault():
    assert faults({}, {"ping": 1}) == ["ping: did not run"]


def test_a_scenario_that_the_list_does_not_know_is_a_fault():
    assert faults({"new": [GOOD]}, {}) == ["new: not in scored.json"]


def test_a_failed_check_is_a_fault_and_says_why():
    assert faults({"ping": [GOOD, BAD]}, {"ping": 1}) == ["ping: b: no such tool"]


def test_a_check_that_was_skipped_is_a_fault():
    assert faults({"ping": [GOOD, {"id": "c", "status": "SKIPPED"}]}, {"ping": 2}) == ["ping: 1 checks passed of 2"]
