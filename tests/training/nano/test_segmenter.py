"""Tests the segmenter's training loss, its runs, and the weights that they begin with."""

import numpy as np
import pytest
import torch

from training.nano.checkpoints import Checkpoint, save
from training.nano.close_ups import Pictures, draw_batch_without_images
from training.nano.segmenter import STATE, build, export, loss_of, train, weights_of


def test_the_loss_is_smallest_for_the_true_mask():
    truth = draw_batch_without_images(np.random.default_rng(0)).truth
    right, iou = loss_of((truth - 0.5) * 20, torch.ones(len(truth)), truth)
    wrong, none = loss_of((0.5 - truth) * 20, torch.ones(len(truth)), truth)
    assert right < 0.01
    assert wrong > 1
    assert iou.min() == 1
    assert none.max() == 0


@pytest.mark.slow
def test_a_run_in_pieces_is_bit_for_bit_the_run_in_one(tmp_path, same, monkeypatch):
    for module in ("close_ups", "segmenter"):
        monkeypatch.setattr(f"training.nano.{module}.BATCH", 2)
    monkeypatch.setattr("training.nano.close_ups.FIRST_SCENES", 2)
    monkeypatch.setattr("training.nano.segmenter._measure", lambda *_: {})
    plan = {"steps": 3, "peak": 8e-4, "without_images": 1, "seed": 0}

    def run(name, minutes=None):
        torch.manual_seed(0)
        train(build(), Pictures([], 1.0), tmp_path / name, plan, minutes=minutes)

    run("whole.pt")
    run("parts.pt", minutes=0)
    run("parts.pt", minutes=0)
    run("parts.pt")
    assert same(tmp_path / "whole.pt", tmp_path / "parts.pt")


def test_a_run_begins_with_exported_weights(tmp_path):
    torch.manual_seed(0)
    held = Checkpoint(3, {}, build().state_dict(), [], [])
    (tmp_path / "run").mkdir()
    save(held, tmp_path / "run" / STATE)
    export(tmp_path / "run", tmp_path / "exported")
    exported, own = weights_of(tmp_path / "exported"), weights_of(tmp_path / "run")
    assert exported.keys() == own.keys()
    assert all(torch.equal(exported[name], own[name].to(torch.bfloat16).to(own[name])) for name in own)
