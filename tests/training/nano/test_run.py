"""Tests that a run of N steps is the same in one piece and in several, and that only N fixes its learning rates."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.nano import checkpoints
from training.nano.optimizers import cosine
from training.nano.run import Run, add_options, launch, plan_of

STEPS = 6


def a_run(file, *, steps=STEPS, minutes=None, save_every=2, measure=dict):
    """A tiny run, and the numbers and learning rates of the steps that it takes."""
    torch.manual_seed(1)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(5)
    plan = {"steps": steps}
    run = Run(
        file,
        plan,
        model,
        [optimizer],
        {"numpy": rng, "torch's": generator},
        measure=measure,
        save_every=save_every,
        minutes=minutes,
    )
    taken = []
    for step in run.steps():
        x = torch.from_numpy(rng.normal(size=(4, 3))).float() + torch.randn(4, 3, generator=generator) + torch.randn(1)
        loss = model(x).square().mean()
        run.learn(loss, {"loss": loss.detach()}, rates=[0.1 * cosine(step, steps)])
        taken.append((step, optimizer.param_groups[0]["lr"]))
    return taken


def test_a_run_in_pieces_is_bit_for_bit_the_run_in_one(tmp_path, same):
    whole = a_run(tmp_path / "whole.pt")
    parts = []
    while len(parts) < STEPS:
        parts += a_run(tmp_path / "parts.pt", minutes=0)
    assert parts == whole  # the same learning rates too
    assert same(tmp_path / "whole.pt", tmp_path / "parts.pt")


def test_a_run_goes_on_from_its_last_checkpoint(tmp_path, same):
    class Killed(Exception):
        pass

    def dies_at_the_second_save():
        if checkpoints.load(tmp_path / "killed.pt").step == 4:
            raise Killed
        return {}

    with pytest.raises(Killed):
        a_run(tmp_path / "killed.pt", measure=dies_at_the_second_save)
    assert [step for step, _ in a_run(tmp_path / "killed.pt")] == [4, 5]
    a_run(tmp_path / "whole.pt")
    assert same(tmp_path / "whole.pt", tmp_path / "killed.pt")


def test_a_finished_run_takes_no_further_step(tmp_path):
    a_run(tmp_path / "a.pt")
    assert a_run(tmp_path / "a.pt") == []


def test_measured_figures_are_printed_at_each_save(tmp_path, capsys):
    a_run(tmp_path / "a.pt", save_every=4, measure=lambda: {"water": {"IoU": 0.5}})
    assert capsys.readouterr().out.splitlines() == ["        test water  IoU 0.500"] * 2


def options(*words):
    parser = argparse.ArgumentParser()
    add_options(parser, run="runs/x", steps=10, peak=1e-3, save_every=5)
    parser.add_argument("--data", type=Path, nargs="+")
    return parser.parse_args(words)


def test_the_plan_holds_what_fixes_a_run_and_not_where_or_how_long_it_runs():
    one = plan_of(options("--run", "a", "--data", "x/first", "x/second"))
    assert one == plan_of(options("--run", "b", "--minutes", "3", "--save-every", "1", "--data", "y/first", "y/second"))
    assert one["data"] == ["first", "second"]
    assert one["steps"] == 10
    for changed in (["--steps", "11"], ["--processes", "2"], ["--seed", "1"], ["--peak", "1"], ["--start", "z"]):
        assert plan_of(options("--data", "x/first", "x/second", *changed)) != one


def work(own):
    a_run(own.run / "state.pt", steps=own.steps)


def test_another_length_is_refused_before_the_first_step(tmp_path):
    where = ["--run", str(tmp_path / "new")]
    plan = plan_of(options(*where))
    (tmp_path / "new").mkdir()
    checkpoints.save(checkpoints.Checkpoint(3, plan, {}, [], []), tmp_path / "new" / "state.pt")
    with pytest.raises(SystemExit, match="has steps 10, not 20"):
        launch(work, options(*where, "--steps", "20"), "state.pt")


def test_a_run_is_launched_in_a_folder_of_its_own(tmp_path):
    launch(work, options("--run", str(tmp_path / "new"), "--steps", "2"), "state.pt")
    assert checkpoints.load(tmp_path / "new" / "state.pt").step == 2
