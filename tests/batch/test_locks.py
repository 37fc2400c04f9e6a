"""One run at a time, and none while a worker of an earlier one lives."""

import os

import pytest

from t2s_agent.batch import locks
from t2s_agent.errors import T2SError


def test_a_second_run_is_refused_until_the_first_ends(tmp_path):
    with locks.only_run(tmp_path), pytest.raises(T2SError, match="another run writes"), locks.only_run(tmp_path):
        pass
    with locks.only_run(tmp_path):
        pass


def test_a_run_waits_for_workers_and_says_so_where_they_stay(tmp_path, monkeypatch):
    worker, other = locks.hold_as_worker(tmp_path), locks.hold_as_worker(tmp_path)
    os.close(other)
    monkeypatch.setattr(locks, "WAIT_S", 0.0)
    with pytest.raises(T2SError, match="workers of an earlier run"), locks.only_run(tmp_path):
        pass
    os.close(worker)
    with locks.only_run(tmp_path):
        locks_of_run = locks.hold_as_worker(tmp_path)  # the run's own workers
        os.close(locks_of_run)


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    with pytest.raises(T2SError) as error, locks.only_run(tmp_path / "none"):
        pass
    assert error.value.code == "output_unwritable"
