"""Tests that a trainer's checkpoints are published whole, that old ones go, and that nothing unfinished stays."""

import pytest
import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from training import checkpoints
from training.whole_saves import WholeSaves


class Line(nn.Module):
    """One weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x, labels):
        return {"loss": ((x * self.weight - labels) ** 2).mean()}


class Saving(WholeSaves, Trainer):
    """A plain Trainer with whole checkpoints."""

    def __init__(self, folder, keep):
        self.folder, self.keep = folder / "checkpoints", keep
        arguments = TrainingArguments(
            output_dir=str(folder), max_steps=4, save_steps=1, use_cpu=True, report_to=[], disable_tqdm=True
        )
        data = [{"x": torch.ones(1), "labels": torch.ones(1)} for _ in range(32)]
        super().__init__(Line(), arguments, train_dataset=data)


@pytest.fixture
def run(tmp_path):
    trainer = Saving(tmp_path, keep=2)
    trainer.train()
    return tmp_path


def test_the_newest_checkpoints_stay_and_are_complete(run):
    folder = run / "checkpoints"
    assert [path.name for path in checkpoints.whole(folder)] == ["checkpoint-3", "checkpoint-4"]
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-3", "checkpoint-4"]
    assert checkpoints.own_of(folder / "checkpoint-4") == {"processes": 1}


def test_nothing_is_written_beside_the_checkpoints(run):
    assert [path.name for path in run.iterdir()] == ["checkpoints"]


def test_a_trainer_goes_on_from_its_checkpoint(run):
    trainer = Saving(run, keep=2)
    trainer.train(resume_from_checkpoint=str(run / "checkpoints" / "checkpoint-3"))
    assert trainer.state.global_step == 4
