"""Tests supervised training from its command line: it learns, validates, resumes bit for bit, and refuses what cannot be trained."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from t2s_agent.errors import T2SError
from training import checkpoints, sft
from training.data import open_questions
from training.recipe import Data, Optimizer, Policy, Recipe, Rollout, Run, Segmenter, Source
from training.run_folder import RunFolder
from training.validation import rows_file


def scenes(split, count):
    return Source(dataset="procedural", split=split, options={"count": count, "size": 128})


@pytest.fixture(scope="module")
def recipe(tiny_models):
    return Recipe(
        about="a test",
        policy=Policy(name=str(tiny_models["qwen3_vl"]), dtype="float32"),
        segmenter=Segmenter(name="box"),
        data=Data(train=(scenes("train", 3),), validation=(scenes("validation", 2),)),
        rollout=Rollout(max_new_tokens=4),
        optimizer=Optimizer(learning_rate=1e-3, prompts=2, per_device=1, steps=4, gradient_checkpointing=False),
        run=Run(save_every=2, keep=2, validate_every=2, validation_images=2, report_to=()),
    )


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """The folder of a run of four steps, and its last checkpoint."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, sft.train(recipe, out)


def weights(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def test_a_run_logs_every_step_and_validates_before_between_and_after(finished):
    out, last = finished
    lines = RunFolder.open(out).metrics()
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "validation/gIoU" in line] == [0, 2, 4]
    assert "validation/gIoU of whole image" in lines[0]
    assert all(rows_file(out, step).is_file() for step in (0, 2, 4))
    assert last == checkpoints.newest(out / "checkpoints")


def test_the_answers_become_likelier(finished):
    losses = [line["loss"] for line in RunFolder.open(finished[0]).metrics() if "loss" in line]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


def test_a_resumed_run_ends_with_the_same_weights_bit_for_bit(recipe, finished, tmp_path):
    out, last = finished
    halfway = tmp_path / "resumed"
    halfway.mkdir()
    for name in ("recipe.yaml", "metrics.jsonl", "environment.json"):
        (halfway / name).write_bytes((out / name).read_bytes())
    (halfway / "checkpoints").mkdir()
    (out / "checkpoints" / "checkpoint-2").rename(halfway / "checkpoints" / "checkpoint-2")
    resumed = sft.train(recipe, halfway, resume=True)
    one, other = weights(last), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [json.loads(line)["step"] for line in (halfway / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert steps == sorted(steps)


def test_the_run_goes_on_only_when_told_to(recipe, finished):
    with pytest.raises(T2SError, match="already holds a run"):
        sft.train(recipe, finished[0])


def test_settings_are_explicit_where_defaults_would_change_what_is_learned(recipe, tmp_path):
    config = sft.sft_config(recipe, tmp_path, questions=8)
    assert config.max_length is None
    assert config.completion_only_loss
    assert config.train_sampling_strategy == "sequential"
    assert (config.max_steps, config.per_device_train_batch_size, config.gradient_accumulation_steps) == (4, 1, 2)


def test_epochs_become_steps_and_a_step_has_to_be_whole(recipe):
    by_epochs = recipe.model_copy(update={"optimizer": Optimizer(prompts=2, epochs=1.0)})
    assert sft.steps_of(by_epochs, 7) == 3
    with pytest.raises(T2SError, match="less than one step"):
        sft.steps_of(by_epochs, 1)


def test_prompts_are_split_over_processes_or_refused(recipe):
    even = recipe.model_copy(update={"optimizer": Optimizer(prompts=8, per_device=2, steps=1)})
    assert sft.split(even, 2) == (2, 2)
    with pytest.raises(T2SError, match="3 processes"):
        sft.split(even, 3)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "internvl"])
def test_other_families_learn_and_validate_too(family, recipe, tiny_models, tmp_path):
    policy = recipe.policy.model_copy(update={"name": str(tiny_models[family])})
    short = recipe.optimizer.model_copy(update={"steps": 1})
    sft.train(recipe.model_copy(update={"policy": policy, "optimizer": short}), tmp_path / "run")
    lines = RunFolder.open(tmp_path / "run").metrics()
    assert [line["step"] for line in lines if "validation/gIoU" in line] == [0, 1]
    assert all(math.isfinite(line["loss"]) for line in lines if "loss" in line)


def test_bfloat16_weights_that_would_not_move_are_refused(recipe, tmp_path):
    policy = recipe.policy.model_copy(update={"dtype": "bfloat16"})
    slow = Optimizer(learning_rate=1e-6, prompts=2, per_device=1, steps=4)
    with pytest.raises(T2SError, match="rounded away"):
        sft.train(recipe.model_copy(update={"policy": policy, "optimizer": slow}), tmp_path / "run")


def test_a_plan_says_what_will_be_learned(recipe):
    text = sft.plan(recipe, open_questions(recipe), None)
    assert "8 are asked, 2 a step" in text
    assert "steps: 4; 1 processes, 1 sequences at once, 2 times a step" in text


def test_a_wrong_recipe_ends_the_command_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="no recipe"):
        sft.main(["--recipe", "none-such", "--out", str(tmp_path / "run")])


def test_an_interruption_is_one_line_that_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sft, "train", interrupted)
    with pytest.raises(SystemExit, match="interrupted; the same command with --resume"):
        sft.main(["--recipe", "nano-sft", "--out", str(tmp_path / "run")])


def launched(out, recipe, processes):
    """Runs the command in so many processes; the run's folder."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "training.sft", "--recipe", str(recipe), "--out", str(out)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return RunFolder.open(out)


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_accumulation(recipe, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml(), encoding="utf-8")
    one, two = (launched(tmp_path / str(processes), file, processes) for processes in (1, 2))
    losses = [[line["loss"] for line in run.metrics() if "loss" in line] for run in (one, two)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    first, second = (weights(checkpoints.newest(run.checkpoints)) for run in (one, two))
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-5
    rows = [rows_file(run.folder, 0).read_bytes() for run in (one, two)]
    assert rows[0] == rows[1]
