"""The entry says what the finished runs gave, and which are not finished."""

from pathlib import Path

import pytest

from tests.training.test_compare import run_in
from training.experiments.entry import entry
from training.experiments.plan import Experiment

EXPERIMENT = Experiment(
    name="test",
    claim="More is more.",
    recipe="nano",
    set=("optimizer.steps=20",),
    arms={"much": (), "little": ("reward.mask=1",)},
    seeds=(0, 1),
    compare=(("start", "much"), ("little", "much")),
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    run_in(tmp_path / "much-0", {0: 40, 20: 60}, reward=3.0)
    run_in(tmp_path / "much-1", {0: 40, 20: 60}, reward=3.0)
    run_in(tmp_path / "little-0", {0: 40, 20: 50}, reward=2.0)
    return tmp_path


def test_gains_and_differences_are_paired_and_have_intervals(out):
    text = entry(EXPERIMENT, out)
    assert "much less its start: +0.200 [+0.200, +0.200]" in text
    assert "much less little: +0.100 [+0.100, +0.100]" in text
    assert "| much | 2 |" in text


def test_runs_that_are_not_finished_are_said(out):
    assert "2 seeds; 1 runs are not finished" in entry(EXPERIMENT, out)


def test_one_seed_is_exploratory(out):
    assert "One seed: exploratory." in entry(EXPERIMENT.model_copy(update={"seeds": (0,)}), out)


def test_an_arm_without_a_finished_run_is_left_out_of_the_comparisons(out):
    for file in (out / "little-0" / "validation").iterdir():
        file.unlink()
    text = entry(EXPERIMENT, out)
    assert "| little |" not in text
    assert "less little" not in text
    assert "much less its start" in text
