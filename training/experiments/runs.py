"""Runs the arms of an experiment one after another, each by the command that a user would type; a stopped one goes on."""

import subprocess
import sys
from pathlib import Path

from t2s_agent.errors import T2SError
from training.experiments.plan import Experiment
from training.run_folder import ENVIRONMENT
from training.validation import rows_file


def folder_of(out: Path, arm: str, seed: int) -> Path:
    """The folder of one run."""
    return out / f"{arm}-{seed}"


def finished(experiment: Experiment, out: Path, arm: str, seed: int) -> bool:
    """Whether a run was validated after its last step."""
    steps = experiment.recipe_of(arm, seed).optimizer.steps
    return steps is not None and rows_file(folder_of(out, arm, seed), steps).is_file()


def command_of(experiment: Experiment, out: Path, arm: str, seed: int) -> list[str]:
    """The command of one run, with --resume where the run has begun."""
    folder = folder_of(out, arm, seed)
    words = [sys.executable, "-m", "training.grpo", "--recipe", experiment.recipe, "--out", str(folder)]
    words += ["--set", *experiment.changes(arm, seed)]
    return [*words, "--resume"] if (folder / ENVIRONMENT).is_file() else words


def run(experiment: Experiment, out: Path, arm: str, seed: int) -> None:
    """Trains one run, unless it is finished. Raises `model_failed` where its command fails."""
    if finished(experiment, out, arm, seed):
        print(f"{arm}, seed {seed}: finished before", flush=True)
        return
    command = command_of(experiment, out, arm, seed)
    print(f"{arm}, seed {seed}: {' '.join(command[1:])}", flush=True)
    if subprocess.run(command, check=False).returncode:
        raise T2SError("model_failed", f"{arm} with seed {seed} ended with an error", "The same command goes on")
