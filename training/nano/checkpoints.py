"""Saves all that a run needs to go on bit for bit in one file: weights, optimizers, step, settings and every process's random states."""

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from t2s_agent.errors import T2SError


class Restorable(Protocol):
    """Something else whose state decides what is drawn next; the state holds tensors and plain values."""

    def state(self) -> Any: ...

    def restore(self, state: Any) -> None: ...


Source = np.random.Generator | torch.Generator | Restorable


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run after `step` steps. `plan` holds the settings that fix it, `random` the states of each process's sources by name."""

    step: int
    plan: dict[str, Any]
    weights: dict[str, Tensor]
    optimizers: list[dict[str, Any]]
    random: list[dict[str, Any]]


def save(checkpoint: Checkpoint, file: Path) -> None:
    """Writes a checkpoint: the file holds the one before or this one, whenever the process is killed."""
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as stream:
        torch.save({each.name: getattr(checkpoint, each.name) for each in fields(Checkpoint)}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def load(file: Path) -> Checkpoint:
    """Reads a checkpoint; no code in the file can run. Raises `argument_invalid` if the file is none, or of a run that counted minutes."""
    try:
        held = torch.load(file, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise T2SError(
            "argument_invalid", f"{file} is no checkpoint: {error}", "Give another folder to --run"
        ) from error
    if set(held) != {each.name for each in fields(Checkpoint)}:
        raise T2SError(
            "argument_invalid",
            f"{file} was written when runs still counted minutes: its schedule and its random states are not known",
            "Begin a new run from its exported weights: --start FOLDER",
        )
    return Checkpoint(**held)


def check_plan(plan: Mapping[str, Any], file: Path) -> None:
    """Raises `argument_invalid` if the file holds a run with other settings: going on would change its schedule or its data."""
    if not file.exists():
        return
    held = load(file).plan
    changed = [name for name in {**held, **plan} if held.get(name) != plan.get(name)]
    if changed:
        raise T2SError(
            "argument_invalid",
            f"the run in {file} has " + ", ".join(f"{name} {held.get(name)}, not {plan.get(name)}" for name in changed),
            "Go on with the settings it began with, or begin another run: --run NEW --start OLD",
        )


def random_states(sources: Mapping[str, Source]) -> dict[str, Any]:
    """Returns the states of this process's sources by name, and torch's own."""
    return {name: _state(source) for name, source in sources.items()} | {"torch": torch.get_rng_state()}


def restore_random(sources: Mapping[str, Source], states: Mapping[str, Any]) -> None:
    """Puts this process's sources into the states of `random_states`."""
    torch.set_rng_state(states["torch"])
    for name, source in sources.items():
        if isinstance(source, np.random.Generator):
            source.bit_generator.state = states[name]
        elif isinstance(source, torch.Generator):
            source.set_state(states[name])
        else:
            source.restore(states[name])


def _state(source: Source) -> Any:
    if isinstance(source, np.random.Generator):
        return source.bit_generator.state
    return source.get_state() if isinstance(source, torch.Generator) else source.state()
