"""Both stages together: what is asked and drawn once, what is done again, and what comes out."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from samples.data import ASKING, DATASET, SAMPLES, Counting, make_sample, script

from evals.protocols import PROTOCOLS, Grid, score
from evals.run.answers import write_answers
from evals.run.cache import AnswerCache
from evals.run.records import rows_of
from evals.run.scores import add_grid, read_scores, write_scores
from evals.run.shards import Shard
from evals.run.summary import summary_of, write_summary
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.segmenting.box import BoxSegmenter


def answered(samples, prompter, out, **more):
    return write_answers(samples, prompter, out, asking=ASKING, dataset=DATASET, total=len(samples), **more)


def scored(samples, answers, out, segmenter=None, **more):
    return write_scores(samples, answers, segmenter or BoxSegmenter(), out, looking=ASKING.looking, **more)


def without_times(path):
    rows, broken = read_scores(path)
    return [replace(row, seconds=0.0, segment_seconds=0.0) for row in rows], broken


def test_answers_then_scores_give_the_numbers_worked_by_hand(tmp_path, samples, prompter):
    rows, _ = read_scores(scored(samples, answered(samples, prompter, tmp_path), tmp_path))
    metrics = score(rows, PROTOCOLS["t2s"]).metrics
    # ship 1, tank 200/400, no plane 1, road unparsable 0, a pool where none is 0, court 1
    assert metrics["gIoU"].value == pytest.approx((1 + 0.5 + 1 + 0 + 0 + 1) / 6)
    assert metrics["cIoU"].value == pytest.approx((200 + 200 + 100) / (200 + 400 + 600 + 16 + 100))
    assert metrics["format rate"].value == pytest.approx(5 / 6)
    assert metrics["N-acc"].value == 0.5
    stretched = score(rows, PROTOCOLS["think2seg"]).metrics
    assert stretched["cIoU"].value == pytest.approx(
        500 / (200 + 400 + 600 + 100), rel=1e-3
    )  # without the pool's pixels
    assert rows[0].grids["square-840"].pixels == 840**2


def test_a_second_run_asks_and_draws_nothing(tmp_path, samples, prompter):
    segmenter = Counting(BoxSegmenter())
    for _ in range(2):
        scored(samples, answered(samples, prompter, tmp_path), tmp_path, segmenter)
    assert prompter.questions == 6
    assert segmenter.embedded == 3  # one an image


@pytest.mark.parametrize("calls", range(3))
def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, samples, calls):
    texts = script({question: answer for question, (_, _, answer) in SAMPLES.items()})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = without_times(scored(samples, answered(samples, texts, whole), whole))
    first = Counting(texts, stop_after=min(calls, 1))
    with pytest.raises(KeyboardInterrupt):
        answered(samples, first, parts)
    answers = answered(samples, texts, parts)
    with pytest.raises(KeyboardInterrupt):
        scored(samples, answers, parts, Counting(BoxSegmenter(), stop_after=calls))
    assert without_times(scored(samples, answers, parts)) == expected


def test_another_protocol_or_metric_needs_no_segmenter_and_no_image(tmp_path, samples, prompter):
    path = scored(samples, answered(samples, prompter, tmp_path), tmp_path)
    for name, protocol in PROTOCOLS.items():  # from the file alone
        summary = json.loads(write_summary(path, protocol, resamples=20).read_text(encoding="utf-8"))
        assert summary["protocol"] == name
        assert summary["all"]["metrics"]["gIoU"]["value"] is not None
        assert set(summary["baselines"]) == {"whole image", "boxes filled", "empty answer", "true boxes filled"}


def test_a_grid_that_was_not_thought_of_is_added_from_the_stored_masks(tmp_path, samples, prompter):
    read = []
    seen = [make_sample(image, question, box, read=read) for question, (image, box, _) in SAMPLES.items()]
    answers = answered(samples, prompter, tmp_path)
    path = scored(samples, answers, tmp_path)
    grid = Grid("square", 64)
    with pytest.raises(T2SError, match="no areas on the grid square-64"):
        read_scores(path, grid)
    assert add_grid(path, seen, answers, grid, tmp_path / "more.jsonl") == 6
    rows, _ = read_scores(tmp_path / "more.jsonl", grid)
    assert not read
    protocol = replace(PROTOCOLS["t2s"], grid=grid)
    assert score(rows, protocol).metrics["cIoU"].value == pytest.approx(500 / 1316, abs=0.02)
    assert rows[0].grids["original"] == read_scores(path)[0][0].grids["original"]


def test_another_kind_of_prompt_costs_no_answer(tmp_path, samples, prompter):
    answers = answered(samples, prompter, tmp_path)
    boxes = read_scores(scored(samples, answers, tmp_path / "box", prompts="box"))[0]
    points = read_scores(scored(samples, answers, tmp_path / "points", prompts="points"))[0]
    assert prompter.questions == 6
    [box], [point] = ([row for row in rows if row.question == "the ship"] for rows in (boxes, points))
    assert box.grids["original"].answer.intersection == 200
    assert point.grids["original"].answer.predicted == 80  # the disc of five pixels around the point
    assert box.grids["original"].boxes == point.grids["original"].boxes


def test_instances_without_a_prompt_of_the_kind_are_counted(tmp_path):
    samples = [make_sample(0, "the ship", (5, 5, 15, 25))]
    answers = answered(samples, script({"the ship": '[{"bbox_2d": [5, 5, 15, 25]}]'}), tmp_path)
    [row], _ = read_scores(scored(samples, answers, tmp_path, prompts="points"))
    assert (row.instances, row.without_prompt) == (1, 1)
    assert row.grids["original"].answer.predicted == 0


def test_masks_of_another_segmenter_are_not_mixed_in(tmp_path, samples, prompter):
    answers = answered(samples, prompter, tmp_path)
    scored(samples, answers, tmp_path)
    with pytest.raises(T2SError, match="prompts: 'box\\+points', now 'box'"):
        scored(samples, answers, tmp_path, prompts="box")


def test_answers_are_kept_across_runs_by_model_prompt_pixels_and_sampling(tmp_path, samples, prompter):
    for number in range(2):
        path = answered(samples, prompter, tmp_path / str(number), cache=AnswerCache(tmp_path / "c.sqlite"))
    assert prompter.questions == 6
    assert all(row["cached"] for row in rows_of(path))
    asking = replace(ASKING, sampling={"style": "box_2_points", "seed": 1})
    write_answers(
        samples,
        prompter,
        tmp_path / "2",
        asking=asking,
        dataset=DATASET,
        total=6,
        cache=AnswerCache(tmp_path / "c.sqlite"),
    )
    assert prompter.questions == 12


def test_shards_together_are_the_whole(tmp_path, samples, prompter):
    parts = [answered(samples, prompter, tmp_path, shard=Shard(rank, 2)) for rank in range(2)]
    assert [path.name for path in parts] == ["answers-0-of-2.jsonl", "answers-1-of-2.jsonl"]
    ids = [{row["id"] for row in rows_of(path)} for path in parts]
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == {sample.id for sample in samples}


def test_a_sample_that_cannot_be_read_stops_the_run_or_is_counted(tmp_path, samples, prompter):
    def unreadable():
        raise T2SError("image_unreadable", "1.png is cut short", "Fetch it again")

    broken = [replace(each, read_image=unreadable) if each.image_id == "image 1" else each for each in samples]
    with pytest.raises(T2SError, match="cut short"):
        answered(broken, prompter, tmp_path / "stop")
    answers = answered(broken, prompter, tmp_path / "skip", skip_broken=True)
    rows, count = read_scores(scored(broken, answers, tmp_path / "skip"))
    assert (len(rows), count) == (4, 2)
    assert summary_of(rows, PROTOCOLS["t2s"], broken=count)["broken"] == 2


def test_a_truth_of_another_size_than_its_image_is_named(tmp_path, samples, prompter):
    answers = answered(samples, prompter, tmp_path)
    other = [make_sample(image, question, box, size=(41, 60)) for question, (image, box, _) in SAMPLES.items()]
    with pytest.raises(T2SError, match=r"the truth of 0/the ship has \(41, 60\)"):
        scored(other, answers, tmp_path)


def test_a_truth_that_cannot_be_read_stops_the_scores_or_is_counted(tmp_path, samples, prompter):
    def unreadable():
        raise T2SError("image_unreadable", "mask 1.png is cut short", "Fetch it again")

    answers = answered(samples, prompter, tmp_path)
    broken = [replace(samples[0], read_truth=unreadable), *samples[1:]]
    with pytest.raises(T2SError, match="is cut short"):
        scored(broken, answers, tmp_path)
    rows, count = read_scores(scored(broken, answers, tmp_path, skip_broken=True))
    assert (len(rows), count) == (5, 1)


def test_a_large_image_is_shown_smaller_and_its_mask_compared_in_its_own_pixels(tmp_path):
    samples = [make_sample(0, "the field", (100, 50, 300, 150), size=(200, 400))]
    asking = replace(ASKING, looking=Looking(max_size=100))
    prompter = script({"the field": (25, 12.5, 75, 37.5)})  # in pixels of the View, 100 x 50
    answers = write_answers(samples, prompter, tmp_path, asking=asking, dataset=DATASET, total=1)
    path = write_scores(samples, answers, BoxSegmenter(), tmp_path, looking=asking.looking)
    [row], _ = read_scores(path)
    facts = row.grids["original"]
    assert facts.pixels == 80_000
    assert facts.boxes.intersection == facts.boxes.predicted == facts.boxes.truth == 20_000
    assert facts.answer.intersection / facts.answer.union > 0.95


def test_the_paper_s_square_is_compared_without_resizing_the_prediction(tmp_path):
    looking = Looking.named("square:840")
    samples = [make_sample(0, "the ship", (15, 10, 30, 20))]
    asking = replace(ASKING, looking=looking)
    prompter = script({"the ship": (210, 210, 420, 420)})
    answers = write_answers(samples, prompter, tmp_path, asking=asking, dataset=DATASET, total=1)
    [row], _ = read_scores(write_scores(samples, answers, BoxSegmenter(), tmp_path, looking=looking))
    assert row.grids["square-840"].answer.intersection == 210 * 210
    assert row.grids["square-840"].answer.union == 210 * 210
    assert row.grids["original"].answer.intersection == 150
    assert row.grids["original"].boxes.intersection == row.grids["original"].boxes.predicted == 150


def test_pixels_that_the_truth_leaves_open_count_nowhere(tmp_path, samples, prompter):
    open_part = np.zeros((40, 60), bool)
    open_part[:, 10:] = True
    sample = replace(samples[0], read_truth=lambda: replace(samples[0].read_truth(), ignore=open_part))
    answers = answered([sample], prompter, tmp_path)
    [row], _ = read_scores(scored([sample], answers, tmp_path))
    facts = row.grids["original"]
    assert (facts.pixels, facts.answer.truth, facts.answer.predicted) == (400, 100, 100)


def test_a_model_that_fails_leaves_the_answers_so_far(tmp_path, samples, prompter):
    with pytest.raises(T2SError, match="has no answer"):
        answered([*samples, make_sample(3, "something else", None)], prompter, tmp_path)
    assert len(list(rows_of(tmp_path / "answers.jsonl"))) == 4  # the first batch


def test_ranks_come_from_the_variables_of_the_launcher(monkeypatch):
    monkeypatch.setitem(os.environ, "RANK", "1")
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "4")
    assert Shard.of_environment() == Shard(1, 4, 0)
    monkeypatch.setitem(os.environ, "RANK", "4")
    with pytest.raises(T2SError, match="RANK 4"):
        Shard.of_environment()
