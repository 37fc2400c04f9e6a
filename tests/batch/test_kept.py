"""Results whose line was lost are taken, not asked again."""

import os
import time
from dataclasses import replace

import pytest

from t2s_agent import pipeline
from t2s_agent.batch.ledger import Ledger


@pytest.fixture
def asked(monkeypatch):
    """Counts the rows for which models are asked."""
    calls, segment = [], pipeline.segment

    def counting(engine, image, question, **options):
        calls.append(image)
        return segment(engine, image, question, **options)

    monkeypatch.setattr("t2s_agent.batch.worker.segment", counting)
    return calls


def killed(job):
    """What a kill between results and lines leaves."""
    before = {line.scene: line.result for line in Ledger(job.out).lines.values()}
    (job.out / "ledger.jsonl").unlink()
    return before


def test_results_without_a_line_are_taken(run, job, asked):
    run()
    before = killed(job)
    done = run()
    assert (done.done, done.summary.by_status) == (3, {"found": 3})
    assert {line.scene: line.result for line in Ledger(job.out).lines.values()} == before
    assert len(asked) == 3


def test_not_where_the_image_changed_since(run, job, scenes, asked):
    run()
    killed(job)
    later = time.time() + 10
    os.utime(scenes / "b.tif", (later, later))
    run()
    assert len(asked) == 4


def test_not_those_of_other_options_or_of_a_store_that_others_use(run, job, asked):
    from t2s_agent.batch.kept import with_kept
    from t2s_agent.batch.rows import Row

    run()
    line = next(iter(Ledger(job.out).lines.values()))
    row = Row(line.id, line.scene, line.image, "q", line.question)
    assert [each.result for each in with_kept([row], job, set())] == [line.result]
    assert [each.result for each in with_kept([row], job, {line.result})] == [""]
    assert [each.result for each in with_kept([row], replace(job, min_area_m2=5.0), set())] == [""]
    assert [each.result for each in with_kept([row], replace(job, stretch="0:100"), set())] == [""]
    assert [each.result for each in with_kept([row], replace(job, store=job.results), set())] == [""]


def test_a_taken_result_has_its_regions_in_a_part(run, job):
    run()
    killed(job)
    run()
    assert {line.regions for line in Ledger(job.out).lines.values()} == {2}
