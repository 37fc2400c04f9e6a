"""Tests validation during training: which questions it asks, that it scores as evals do, and what it logs and keeps."""

import json

import numpy as np
import pytest
import torch

from evals.metrics import Row
from evals.protocols import protocol_named, score
from evals.run.answers import Asking, write_answers
from evals.run.scores import read_scores, write_scores
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.segmenting.box import BoxSegmenter
from training import grpo
from training.policy import open_policy
from training.pool import Pool
from training.recipe import Data, Optimizer, Policy, Recipe, Rollout, Run, Source
from training.run_folder import RunFolder
from training.validation import Validator, chosen, logged, numbers, rows_file, write_rows


def scenes(split, count, size=448):
    return Source(dataset="procedural", split=split, options={"count": count, "size": size})


def recipe_for(images=3, **data):
    return Recipe(
        about="a test",
        policy=Policy(name="nano", dtype="float32"),
        data=Data(train=(scenes("train", 1),), **({"validation": (scenes("validation", 4),)} | data)),
        rollout=Rollout(max_new_tokens=60),
        optimizer=Optimizer(steps=1),
        run=Run(validation_images=images),
    )


def test_the_questions_are_one_of_each_image_and_no_seed_changes_them():
    data = Data(train=(scenes("validation", 12, 64),))
    pool = Pool.open(data.train, data)
    few = chosen(pool, 6, ("box", "points"))
    assert len({each.image_id for each in few}) == 6
    assert [each.style for each in few] == ["box", "points"] * 3
    assert {each.id for each in few} <= {each.id for each in chosen(pool, 12, ("box",))}
    assert len(chosen(pool, 100, ("box",))) == 12


def test_a_recipe_without_validation_data_is_refused():
    with pytest.raises(T2SError, match="no validation data"):
        Validator(recipe_for(validation=()), None, BoxSegmenter())


@pytest.fixture(scope="module")
def measured():
    """nano's rows for three scenes, with boxes as masks."""
    opened = open_policy(Policy(name="nano", dtype="float32"), device="cpu")
    validator = Validator(recipe_for(), opened.processor, BoxSegmenter())
    opened.model.train()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    rows = validator.rows(opened.model)
    assert torch.equal(before, torch.get_rng_state())
    assert opened.model.training
    return validator, rows


def test_the_scores_are_those_of_evals_for_the_served_model(measured, tmp_path):
    validator, rows = measured
    samples = sorted((validator.pool.sample(each.id) for each in validator.questions), key=lambda each: each.image_id)
    prompter = TransformersPrompter.load(nano_folder("prompter"), device="cpu", dtype="float32", max_new_tokens=60)
    asking = Asking(Looking(), {"style": "box_2_points"})
    answers = write_answers(samples, prompter, tmp_path, asking=asking, dataset={}, total=3)
    scores = write_scores(samples, answers, BoxSegmenter(), tmp_path, looking=Looking())
    served, _ = read_scores(scores)
    by_id = {f"procedural/{row.id}": row for row in served if row.status != "not_understood"}
    assert by_id
    for row in rows:
        if row.id in by_id:
            assert row.grids["original"] == by_id[row.id].grids["original"]
            assert row.tokens == by_id[row.id].tokens
            assert row.status == by_id[row.id].status


def test_what_is_logged_are_the_protocols_numbers_with_format_rate_and_baselines(measured):
    _, rows = measured
    found = logged(rows, baselines=True)
    t2s = score(rows, protocol_named("t2s"), resamples=0).metrics
    assert found["validation/gIoU"] == t2s["gIoU"].value
    assert found["validation/cIoU"] == t2s["cIoU"].value
    assert found["validation/format rate"] == np.mean([row.metadata["valid_json"] for row in rows])
    assert 0 < found["validation/cIoU of whole image"] < 1
    assert found["validation/cIoU of empty answer"] == 0
    assert not any("of" in name for name in logged(rows))


def test_the_format_rate_counts_what_strict_parsing_accepts(measured):
    _, rows = measured
    half = [
        Row.from_dict({**row.to_dict(), "metadata": {**row.metadata, "valid_json": number % 2}})
        for number, row in enumerate([*rows, *rows])
    ]
    assert (
        numbers([Row.from_dict({**row.to_dict(), "id": str(n)}) for n, row in enumerate(half)])["format rate"].value
        == 0.5
    )


def test_rows_are_kept_in_order_of_their_ids(measured, tmp_path):
    _, rows = measured
    path = rows_file(tmp_path, 20)
    write_rows(path, reversed(rows))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [Row.from_dict(line) for line in lines] == sorted(rows, key=lambda row: row.id)
    assert list(path.parent.iterdir()) == [path]


def test_grpo_validates_before_its_first_step_and_as_often_as_told(tiny_models, tmp_path):
    changes = [
        *(f"policy.name={tiny_models['qwen3_vl']}", "rollout.group=2", "rollout.max_new_tokens=4"),
        *("optimizer.prompts=1", "optimizer.per_device=2", "optimizer.steps=2", "segmenter.name=box"),
        *("run.report_to=[]", "run.validate_every=1", "run.validation_images=2"),
        "data.train=[{dataset: procedural, split: train, options: {count: 2, size: 64}}]",
        "data.validation=[{dataset: procedural, split: validation, options: {count: 2, size: 64}}]",
    ]
    grpo.main(["--recipe", "nano", "--out", str(tmp_path / "run"), "--set", *changes])
    lines = RunFolder.open(tmp_path / "run").metrics()
    assert [line["step"] for line in lines if "validation/gIoU" in line] == [0, 1, 2]
    assert [line["step"] for line in lines if "reward" in line] == [1, 2]
    assert not any("reward" in line and "validation/gIoU" in line for line in lines)
