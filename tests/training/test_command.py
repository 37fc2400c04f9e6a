"""The commands of training say what they do, and go on where a run ended."""

import pytest

from t2s_agent.errors import T2SError
from training.checkpoints import aside, publish
from training.command import run_command, start_of
from training.recipe import load_recipe
from training.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder.begin(tmp_path / "run", load_recipe("nano"), resume=False)


def checkpoint(run, step, processes=1):
    written = aside(run.checkpoints, step) / f"checkpoint-{step}"
    written.mkdir(parents=True)
    (written / "model.safetensors").write_text("weights")
    return publish(run.checkpoints, step, {"processes": processes})


def test_a_run_goes_on_from_its_newest_checkpoint(run):
    checkpoint(run, 1)
    newest = checkpoint(run, 2)
    assert start_of(run) == newest


def test_a_run_without_a_checkpoint_starts_from_the_beginning_and_says_so(run, capsys):
    assert start_of(run) is None
    assert "starts from the beginning" in capsys.readouterr().out


def test_a_run_goes_on_with_as_many_processes_as_it_had(run):
    checkpoint(run, 1, processes=2)
    with pytest.raises(T2SError, match="written by 2 processes, and these are 1"):
        start_of(run)


def test_an_interruption_is_one_line(tmp_path):
    def train(recipe, out, resume):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="--resume goes on"):
        run_command(train, "training.grpo", "Trains.", ["--recipe", "nano", "--out", str(tmp_path)])
