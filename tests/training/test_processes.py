"""Several processes train as one: the same completions give the same losses and weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.checkpoints import newest
from training.data import open_questions
from training.recipe import load_recipe
from training.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
STEPS, GROUP, PROMPTS = 5, 4, 2
WORDS = ("a b", "<think> t </think>", "none", "[1, 2]", "<answer>x</answer>", "ships", "two", "3")


def changes(model, completions):
    return [
        f"policy.name={model}",
        f"rollout.completions={completions}",
        "data.train=[{dataset: procedural, split: train, options: {count: 3, size: 64}}]",
        *(f"rollout.group={GROUP}", f"optimizer.prompts={PROMPTS}", "rollout.max_new_tokens=64", "objective.beta=0.1"),
        *(f"optimizer.steps={STEPS}", "optimizer.learning_rate=1e-4", "segmenter.name=box", "run.report_to=[]"),
        *("data.validation=[]", "run.validate_every=0", "run.pictures_every=0", "run.save_every=5"),
    ]


def completions(model, file):
    """Texts that differ in length, so that sequences have different weights in a batch, and in reward: some have tags."""
    questions = open_questions(load_recipe("nano", changes(model, file)))
    lines = []
    for step in range(STEPS):
        for number in range(PROMPTS):
            first = step * PROMPTS + number
            texts = [f"{WORDS[(first + place) % 8]} {WORDS[(3 * place) % 8]}" for place in range(GROUP - 1)]
            texts.append(
                "<think> ships </think><answer>```json[]```</answer>" if number else "<think></think><answer></answer>"
            )
            lines.append({"step": step, "id": questions.schedule.at(first).id, "texts": texts})
    file.write_text("\n".join(json.dumps(line) for line in lines))


def train(out, processes, *arguments):
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [
        sys.executable,
        *launcher,
        "-m",
        "training.grpo",
        "--recipe",
        "nano",
        "--out",
        str(out),
        "--set",
        *arguments,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return RunFolder.open(out)


@pytest.mark.slow
@pytest.mark.timeout(900)  # three training processes
@pytest.mark.parametrize("loss", ["grpo", "dapo"])
def test_two_processes_equal_one_with_twice_the_batch(tiny_models, tmp_path, loss):
    model, file = tiny_models["qwen3_vl"], tmp_path / "given.jsonl"
    completions(model, file)
    given = [*changes(model, file), f"objective.loss={loss}"]
    one = train(tmp_path / "one", 1, *given, "optimizer.per_device=8")
    two = train(tmp_path / "two", 2, *given, "optimizer.per_device=4")
    losses = [[line["loss"] for line in run.metrics() if "loss" in line] for run in (one, two)]
    assert len(losses[0]) == STEPS
    assert max(line["grad_norm"] for line in one.metrics() if "loss" in line) > 0.1
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    first, second = (load_file(newest(run.checkpoints) / "model.safetensors") for run in (one, two))
    start = load_file(model / "model.safetensors")
    assert any(not torch.equal(first[name], start[name]) for name in first)
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-6
