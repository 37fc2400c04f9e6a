"""The loop that nano's three trainers share: a run of a given number of steps that can stop after any and goes on bit for bit.

The number of steps fixes the learning rate of each; `--minutes` only stops a run early. The same command goes on with it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from t2s_agent.errors import T2SError
from training.nano import checkpoints, parallel
from training.nano.checkpoints import Checkpoint, Source

_SECONDS_A_LINE = 30
_FREE = ("run", "minutes", "save_every", "test", "device", "workers")  # options that do not change what is learned

Figures = Mapping[str, float | Tensor]


class Run:
    """One process's part of a run of `plan["steps"]` steps, which goes on from `file` if that exists.

    `random` are the sources of chance that a step uses, by name. Every `save_every` steps and at the end, the first process saves, and
    prints the figures that `measure` returns for each test set.
    """

    def __init__(
        self,
        file: Path,
        plan: Mapping[str, Any],
        model: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        random: Mapping[str, Source],
        *,
        measure: Callable[[], Mapping[str, Figures]],
        save_every: int,
        minutes: float | None = None,
    ) -> None:
        self._file, self._plan, self._model, self._optimizers, self._random = file, plan, model, optimizers, random
        self._measure, self._save_every, self._minutes = measure, save_every, minutes
        self._weights = list(model.parameters())
        self._progress = _Progress()
        self._spent = 0.0  # minutes, the mean over all processes, so that all stop after the same step
        self.step = 0
        if file.exists():
            self._restore(checkpoints.load(file))

    def steps(self) -> Iterator[int]:
        """Yields the number of each step that is left, until the last one or until the minutes are over."""
        self._started = time.monotonic()
        while self.step < self._plan["steps"]:
            yield self.step
            self.step += 1
            over = self._minutes is not None and self._spent >= self._minutes
            if over or self.step == self._plan["steps"] or self.step % self._save_every == 0:
                self._save()
            if over:
                return

    def learn(self, loss: Tensor, figures: Figures, *, rates: list[float]) -> None:
        """Takes one step of each optimizer with the mean gradient of all processes; `rates` are those of all parameter groups in turn."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._spent = parallel.average_gradients(self._weights, (time.monotonic() - self._started) / 60)
        nn.utils.clip_grad_norm_(self._weights, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self._progress.add(figures)
        if parallel.rank() == 0:
            self._progress.print(f"{self._spent:6.1f} min  step {self.step + 1} of {self._plan['steps']}")

    def _save(self) -> None:
        random = parallel.gather(checkpoints.random_states(self._random))
        if parallel.rank() == 0:
            optimizers = [each.state_dict() for each in self._optimizers]
            held = Checkpoint(self.step, dict(self._plan), self._model.state_dict(), optimizers, random)
            checkpoints.save(held, self._file)
            for name, figures in self._measure().items():
                print(f"        test {name}  {_words(figures)}", flush=True)

    def _restore(self, held: Checkpoint) -> None:
        self._model.load_state_dict(held.weights)
        for optimizer, state in zip(self._optimizers, held.optimizers, strict=True):
            optimizer.load_state_dict(state)
        checkpoints.restore_random(self._random, held.random[parallel.rank()])
        self.step = held.step


class _Progress:
    """Means of the figures of the last steps; those that are not a number in a step are left out."""

    def __init__(self) -> None:
        self._sums: dict[str, list[Tensor]] = {}
        self._said = time.monotonic()

    def add(self, figures: Figures) -> None:
        for name, value in figures.items():
            self._sums.setdefault(name, []).append(torch.as_tensor(value, dtype=torch.float32))

    def print(self, begin: str) -> None:
        """Prints a line, unless the last one is too fresh."""
        if time.monotonic() - self._said > _SECONDS_A_LINE:
            print(f"{begin}  {_words({n: torch.stack(v).nanmean() for n, v in self._sums.items()})}", flush=True)
            self._sums, self._said = {}, time.monotonic()


def _words(figures: Figures) -> str:
    return "  ".join(f"{name} {float(value):.3f}" for name, value in figures.items())


def add_options(parser: argparse.ArgumentParser, *, run: str, steps: int, peak: float, save_every: int) -> None:
    """Adds the options that all trainers have."""
    parser.add_argument(
        "--run", type=Path, default=Path(run), help="the run's folder; if it holds a run, that one goes on"
    )
    parser.add_argument("--start", type=Path, help="an exported folder, or another run's, with the initial weights")
    parser.add_argument("--steps", type=int, default=steps, help="length of the whole run")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes; the same command goes on")
    parser.add_argument("--peak", type=float, default=peak, help="highest learning rate")
    parser.add_argument("--save-every", type=int, default=save_every, help="save and measure after so many steps")
    parser.add_argument("--processes", type=int, default=1, help="number of processes, one for each core")


def plan_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that fix a run as plain values. Folders may move, so only their names count."""
    return {name: _plain(value) for name, value in vars(options).items() if name not in _FREE}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.name if isinstance(value, Path) else value


def launch(work: Callable[[argparse.Namespace], None], options: argparse.Namespace, file: str) -> None:
    """Runs `work` in the processes that the options ask for, after a check that they fit the run that `file` in its folder may hold."""
    try:
        checkpoints.check_plan(plan_of(options), options.run / file)
    except T2SError as error:
        sys.exit(str(error))  # its text ends with what to do
    options.run.mkdir(parents=True, exist_ok=True)
    parallel.run(work, options)
