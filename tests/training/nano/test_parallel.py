"""Tests that processes share their gradients, keep their own random states, and stop after the same step."""

import argparse

import pytest
import torch
from torch import nn

from training.nano import checkpoints, parallel
from training.nano.run import Run

STEPS = 4


def a_run(file, minutes=None):
    """Each process draws other numbers; all take the same steps."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    own = torch.Generator().manual_seed(parallel.rank())
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
    plan = {"steps": STEPS}
    run = Run(file, plan, model, [optimizer], {"own": own}, measure=dict, save_every=STEPS, minutes=minutes)
    for _ in run.steps():
        run.learn(model(torch.randn(4, 3, generator=own)).square().mean(), {}, rates=[0.1])
    return run.step, model.weight


def work(options):
    _, weight = a_run(options.run / "whole.pt")
    torch.save(weight, options.run / f"weight-{parallel.rank()}.pt")
    assert a_run(options.run / "parts.pt", minutes=0)[0] == 1
    parallel.gather("saved")  # the next line reads what the first process wrote
    a_run(options.run / "parts.pt")


@pytest.mark.slow
def test_two_processes_share_gradients_and_go_on_with_their_own_random_states(tmp_path, same):
    parallel.run(work, argparse.Namespace(run=tmp_path, processes=2))
    first, second = (torch.load(tmp_path / f"weight-{n}.pt", weights_only=True) for n in (0, 1))
    assert torch.equal(first, second)
    a_run(tmp_path / "alone.pt")
    assert not same(tmp_path / "whole.pt", tmp_path / "alone.pt")
    one, other = checkpoints.load(tmp_path / "whole.pt").random
    assert not torch.equal(one["own"], other["own"])
    assert same(tmp_path / "whole.pt", tmp_path / "parts.pt")


def test_one_process_has_only_its_own_gradients_and_values():
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 3.0])
    assert parallel.average_gradients([weight], 1.5) == 1.5
    assert weight.grad.tolist() == [1, 3]
    assert parallel.gather("mine") == ["mine"]
