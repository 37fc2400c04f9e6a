"""A run that is killed becomes the same as one that is not."""

import json

import pytest
import torch
from safetensors.torch import save_file

from training import checkpoints
from training.measure_resume import SMALL, Runs, differences, main, measure, newest_step
from training.recipe import load_recipe
from training.run_folder import RunFolder


def finished(out, *, weight=1.0, loss=0.5, step=2):
    """A folder like that of a finished run."""
    folder = out / "checkpoints"
    written = checkpoints.aside(folder, step) / f"checkpoint-{step}"
    written.mkdir(parents=True)
    save_file({"w": torch.tensor([weight])}, written / "model.safetensors")
    checkpoints.publish(folder, step, {})
    (out / "recipe.yaml").write_text(load_recipe("nano").to_yaml())
    (out / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": loss}) + "\n")
    return out


def test_equal_runs_have_no_differences(tmp_path):
    assert differences(finished(tmp_path / "one"), finished(tmp_path / "other")) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [({"weight": 1.0000001}, "weight w"), ({"loss": 0.51}, "losses"), ({"step": 3}, "the last checkpoints")],
)
def test_one_bit_is_a_difference(tmp_path, change, named):
    [found] = differences(finished(tmp_path / "one"), finished(tmp_path / "other", **change))
    assert found.startswith(named)


def test_the_newest_step_is_0_before_the_first_checkpoint(tmp_path):
    assert newest_step(tmp_path) == 0
    assert newest_step(finished(tmp_path / "run", step=7)) == 7


def test_a_run_that_fails_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(Runs, "whole", lambda self, out: finished(out))
    monkeypatch.setattr(Runs, "killed", lambda self, out, writing, seconds: None)
    done, [wrong] = measure(Runs("nano", []), tmp_path, kills=3, seed=0)
    assert done == []
    assert "ended or failed after 0 kills" in wrong
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path / "again"), "--kills", "1"])
    assert stopped.value.code == 1


@pytest.mark.slow
@pytest.mark.timeout(900)  # four starts of a training process
def test_two_kills_one_of_them_while_writing_change_not_a_bit(tmp_path):
    done, wrong = measure(Runs("nano", [*SMALL, "optimizer.steps=12"]), tmp_path, kills=2, seed=1, longest_s=0.3)
    assert wrong == []
    assert len(done) == 2
    assert all(kill.left for kill in done)
    assert max(line["grad_norm"] for line in RunFolder.open(tmp_path / "whole").metrics() if "loss" in line) > 0.1
