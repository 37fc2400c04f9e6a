"""A large scene that a limit ended is finished: the windows that were not looked at, and no region twice in the parts."""

import json
from dataclasses import replace

import geopandas
import pytest
from archive.data import TANKS, write_scene

from t2s_agent.batch import renewing
from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.questions import Question
from t2s_agent.batch.scenes import find_scenes
from t2s_agent.batch.schedule import Schedule
from t2s_agent.errors import T2SError
from t2s_agent.pipeline.windows import Looking


@pytest.fixture
def two(tmp_path):
    """A scene of nine windows and a small one, whose regions are in one part."""
    write_scene(tmp_path / "two" / "large.tif", side=100)
    write_scene(tmp_path / "two" / "small.tif", west=600_000)
    return find_scenes([str(tmp_path / "two")])


@pytest.fixture
def limited(job):
    """A job that looks at two windows of each scene."""
    return replace(job, settings=job.settings.model_copy(update={"max_size": 40}), max_windows=2)


@pytest.fixture
def together(monkeypatch):
    """All rows are answered in one group, so that they share a part."""

    def all_waiting(self):
        group = list(self._waiting)
        self._waiting.clear()
        return group

    monkeypatch.setattr(Schedule, "_next", all_waiting)


def table(out):
    """The regions of all parts, without what differs between two runs."""
    whole = geopandas.read_parquet(out / "parts").drop(columns=["result", "uid"], errors="ignore")
    return whole.sort_values(["scene", "id"]).reset_index(drop=True)


def line_of(out, scene):
    return next(line for line in Ledger(out).lines.values() if line.scene == scene)


@pytest.mark.usefixtures("together")
def test_a_higher_limit_goes_on_and_gives_what_one_run_gives(run, limited, two, tmp_path):
    high = replace(limited, max_windows=None)
    once = replace(high, out=tmp_path / "once")
    assert run(job=once, scenes=two).summary.by_status == {"found": 2}

    first = run(job=limited, scenes=two)
    assert first.summary.by_status == {"found": 1, "partly": 1}
    assert line_of(limited.out, "large.tif").part == line_of(limited.out, "small.tif").part
    done = run(job=high, scenes=two, finish_partly=True)
    assert (done.done, done.before, done.repaired) == (1, 1, 0)
    assert done.summary.by_status == {"found": 2}
    assert table(limited.out).equals(table(once.out))
    assert line_of(limited.out, "large.tif").attempt == 2
    masks = [
        json.loads((each.out / "results" / line_of(each.out, "large.tif").result / "record.json").read_text())
        for each in (once, high)
    ]
    assert masks[0]["mask_sha256"] == masks[1]["mask_sha256"]
    assert masks[0]["prompted"]["tokens"] == masks[1]["prompted"]["tokens"]


def test_windows_that_were_looked_at_are_not_looked_at_again(run, limited, two, monkeypatch):
    looked = []
    real = Looking.view
    monkeypatch.setattr(Looking, "view", lambda self, tile: looked.append(tile.index) or real(self, tile))
    run(job=replace(limited, max_windows=4), scenes=two)
    assert len(looked) == 4
    high = replace(limited, max_windows=100)
    assert run(job=high, scenes=two, finish_partly=True).summary.by_status == {"found": 2}
    assert sorted(looked) == list(range(9))
    assert run(job=high, scenes=two, finish_partly=True).done == 0
    assert len(looked) == 9


def test_another_limit_needs_the_option_and_may_not_be_lower(run, limited, two):
    run(job=limited, scenes=two)
    with pytest.raises(T2SError, match="max_windows 2, now 5") as error:
        run(job=replace(limited, max_windows=5), scenes=two)
    assert "--finish-partly" in error.value.fix
    with pytest.raises(T2SError, match="max_windows 2, now 1"):
        run(job=replace(limited, max_windows=1), scenes=two, finish_partly=True)
    with pytest.raises(T2SError, match="gsd_m"):
        run(job=replace(limited, max_windows=5, gsd_m=2.0), scenes=two, finish_partly=True)
    assert run(job=limited, scenes=two).done == 0


def test_limits_of_seconds_and_tokens_may_be_raised_too(run, limited, two):
    short = replace(limited, max_windows=None, max_seconds=1e-9, max_tokens=1)
    assert run(job=short, scenes=two).summary.by_status == {"found": 1, "partly": 1}
    longer = replace(short, max_seconds=60.0, max_tokens=None)
    assert run(job=longer, scenes=two, finish_partly=True).summary.by_status == {"found": 2}


def test_what_cannot_be_finished_keeps_its_answer_and_says_why(run, limited, two, tmp_path):
    before = run(job=limited, scenes=two).summary
    large = tmp_path / "two" / "large.tif"
    good = large.read_bytes()
    large.write_bytes(b"x" * len(good))
    high = replace(limited, max_windows=100)
    after = run(job=high, scenes=two, finish_partly=True)
    line = line_of(limited.out, "large.tif")
    assert (line.status, line.code, line.attempt) == ("partly", "image_unreadable", 2)
    assert after.summary.totals[0].regions == before.totals[0].regions == len(table(limited.out))
    large.write_bytes(good)
    assert run(job=high, scenes=two, finish_partly=True).summary.by_status == {"found": 2}


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("moment", [(renewing, "remove_unknown"), (Ledger, "move_parts"), (Ledger, "_rewrite")])
def test_killed_while_parts_are_renewed_nothing_is_lost_and_nothing_is_there_twice(
    run, limited, two, tmp_path, monkeypatch, moment
):
    high = replace(limited, max_windows=100)
    once = replace(high, out=tmp_path / "once")
    run(job=once, scenes=two)
    run(job=limited, scenes=two)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*moment, killed)
        with pytest.raises(KeyboardInterrupt):
            run(job=high, scenes=two, finish_partly=True)
    done = run(job=high, scenes=two)
    assert done.done == 0
    assert table(limited.out).equals(table(once.out))
    files = {path.name for path in (limited.out / "parts").glob("part-*")}
    assert files == {line.part.removeprefix("parts/") for line in Ledger(limited.out).lines.values()}


def test_an_empty_answer_takes_the_earlier_regions_out(run, job, tmp_path):
    write_scene(tmp_path / "one" / "a.tif")
    run(scenes=find_scenes([str(tmp_path / "one")]))
    ledger = Ledger(job.out)
    (line,) = ledger.lines.values()
    ledger.add([line.model_copy(update={"status": "empty", "regions": 0, "part": "", "part_rows": 0, "attempt": 2})])
    assert renewing.remove_replaced(job.out, ledger) == 1
    assert len(table(job.out)) == 0
    assert Ledger(job.out).dropped == 0
    assert run(Question("tanks", TANKS), scenes=find_scenes([str(tmp_path / "one")])).done == 0
