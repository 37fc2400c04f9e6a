"""Small parts are joined: the same regions in fewer files, also after a kill."""

import geopandas
import pytest

from t2s_agent.batch import compact
from t2s_agent.batch.ledger import Ledger


@pytest.fixture
def three(run, job, monkeypatch):
    """A folder with a part for each of three rows."""
    run()
    monkeypatch.setattr(compact, "LEAST", 2)
    assert len(parts(job)) > 1
    return job


def parts(job):
    return sorted((job.out / "parts").glob("part-*.parquet"))


def table(job):
    return geopandas.read_parquet(job.out / "parts").sort_values("uid").reset_index(drop=True)


def test_the_same_regions_are_in_one_part_and_the_ledger_names_it(three, run):
    before = table(three)
    assert run().done == 0
    assert len(parts(three)) == 1
    assert table(three).equals(before)
    lines = Ledger(three.out).lines.values()
    assert {(line.part, line.part_rows) for line in lines} == {(f"parts/{parts(three)[0].name}", 3)}
    assert parts(three)[0].stat().st_size > 0
    assert geopandas.read_parquet(three.out / "parts", bbox=tuple(before.total_bounds)).shape == before.shape
    assert run().repaired == 0


@pytest.mark.parametrize("moment", ["move_parts", "_rewrite"])
def test_killed_before_the_ledger_names_it_the_small_parts_stay(three, run, monkeypatch, moment):
    before = table(three)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    monkeypatch.setattr(compact, "LEAST", 99)
    done = run()
    assert (done.done, done.repaired) == (0, 1)
    assert table(three).equals(before)


def test_killed_after_the_ledger_names_it_the_small_parts_go(three, run, monkeypatch):
    before = table(three)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(compact, "remove_unknown", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    done = run()
    assert (done.done, len(parts(three))) == (0, 1)
    assert table(three).equals(before)


def test_few_parts_are_left_alone(run, job):
    run()
    count = len(parts(job))
    run()
    assert len(parts(job)) == count
