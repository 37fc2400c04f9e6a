"""Kills a run again and again and compares what it becomes with a run that nothing stopped.

`python -m training.measure_resume --out DIR [--kills 10] [--steps 12] [--seed 0] [--recipe nano] [--set part.key=value ...]`

Every second kill (SIGKILL) comes while a checkpoint is being written, the others at random moments after the start. After each kill
no torn checkpoint may be there, the next start has to go on from the newest one, and in the end weights and losses have to be equal
bit for bit. Prints a table of the kills and the differences; the exit code is 1 if anything differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from training import checkpoints
from training.run_folder import RunFolder

SMALL = (
    "data.train=[{dataset: procedural, split: train, options: {count: 3, size: 64}}]",
    *("data.validation=[]", "run.validate_every=0", "run.pictures_every=0", "run.report_to=[]", "run.save_every=1"),
    *("run.keep=2", "rollout.group=2", "optimizer.prompts=1", "optimizer.per_device=2", "rollout.max_new_tokens=16"),
    *("segmenter.name=box", "optimizer.learning_rate=1e-4"),
)
PATIENCE_S = 600.0  # for one step or start, on a busy machine


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: when after the start (s), whether a checkpoint was being written, and the checkpoints (steps) that were left."""

    seconds: float
    writing: bool
    left: tuple[int, ...]
    torn: tuple[str, ...]


class Runs:
    """Starts a recipe's run in folders, and kills it."""

    def __init__(self, recipe: str, changes: Sequence[str]) -> None:
        self._recipe, self._changes = recipe, tuple(changes)

    def whole(self, out: Path) -> None:
        """Runs to the end, from where the folder is."""
        self._start(out).wait(PATIENCE_S)

    def killed(self, out: Path, *, writing: bool, seconds: float) -> Kill | None:
        """Starts the run and kills it after a new checkpoint and `seconds`, or while it writes one. None: it ended before."""
        process, began = self._start(out), time.monotonic()
        folder, before = out / "checkpoints", newest_step(out)
        since: float | None = None
        while process.poll() is None and time.monotonic() - began < PATIENCE_S:
            if writing and before < newest_step(out) and any(folder.glob(".writing-*/checkpoint-*/*")):
                break
            if since is None and before < newest_step(out):
                since = time.monotonic()
            if not writing and since is not None and time.monotonic() - since >= seconds:
                break
            time.sleep(0.001 if writing else 0.02)
        if process.poll() is not None:
            return None
        process.send_signal(signal.SIGKILL)
        process.wait()
        was = any(folder.glob(".writing-*"))
        kept = checkpoints.whole(folder)
        torn = sorted({path.name for path in folder.glob("checkpoint-*")} - {path.name for path in kept})
        return Kill(time.monotonic() - began, was, tuple(checkpoints.step_of(path) for path in kept), tuple(torn))

    def _start(self, out: Path) -> "subprocess.Popen[bytes]":
        resume = ["--resume"] if out.exists() else []
        command = [sys.executable, "-m", "training.grpo", "--recipe", self._recipe, "--out", str(out), *resume]
        out.parent.mkdir(parents=True, exist_ok=True)
        with (out.parent / f"{out.name}.log").open("ab") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            return subprocess.Popen(
                [*command, "--set", *self._changes], stdout=log, stderr=subprocess.STDOUT, env=environment
            )


def newest_step(out: Path) -> int:
    """The step of the newest whole checkpoint of a run, 0 without one."""
    found = checkpoints.newest(out / "checkpoints")
    return checkpoints.step_of(found) if found else 0


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs: tensors of the last checkpoint and logged losses, not one bit of which may."""
    first, second = (checkpoints.newest(out / "checkpoints") for out in (one, other))
    if first is None or second is None or first.name != second.name:
        return [f"the last checkpoints are {first and first.name} and {second and second.name}"]
    weights, others = (load_file(path / "model.safetensors") for path in (first, second))
    found = [f"weight {name}" for name in weights if not torch.equal(weights[name], others[name])]
    losses = [[(x["step"], x["loss"]) for x in RunFolder.open(out).metrics() if "loss" in x] for out in (one, other)]
    return [*found, *([] if losses[0] == losses[1] else [f"losses {losses[0]} and {losses[1]}"])]


def measure(runs: Runs, out: Path, kills: int, seed: int, *, longest_s: float = 3.0) -> tuple[list[Kill], list[str]]:
    """The kills of one run, and the differences of what it became from a run without kills.

    A kill at a random moment comes at most `longest_s` after a new checkpoint.
    """
    runs.whole(out / "whole")
    moments = random.Random(seed)
    done: list[Kill] = []
    for number in range(kills):
        kill = runs.killed(out / "killed", writing=number % 2 == 1, seconds=moments.uniform(0.0, longest_s))
        if kill is None:
            return done, [f"the run ended or failed after {number} kills: see killed.log; give more --steps"]
        print(json.dumps({"kill": number + 1, "seconds": round(kill.seconds, 1), "writing": kill.writing, "left": kill.left}), flush=True)  # fmt: skip
        done.append(kill)
    runs.whole(out / "killed")
    torn = [f"torn after a kill: {', '.join(kill.torn)}" for kill in done if kill.torn]
    return done, [*torn, *differences(out / "whole", out / "killed")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.measure_resume", description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path, help="a new folder")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="nano")
    parser.add_argument("--set", nargs="+", action="extend", default=[], dest="changes", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    runs = Runs(options.recipe, [*SMALL, f"optimizer.steps={options.steps}", *options.changes])
    done, wrong = measure(runs, options.out, options.kills, options.seed)
    writing = sum(kill.writing for kill in done)
    print(f"{len(done)} kills, {writing} of them while a checkpoint was written: {'; '.join(wrong) or 'no difference'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
