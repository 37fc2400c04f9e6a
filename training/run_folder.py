"""The folder of a run: everything that a card, an export or a resumed run needs.

| file | holds |
|---|---|
| `recipe.yaml` | all settings, those by default too |
| `environment.json` | a list with one entry a start: the step it began at, command, commit, versions, devices |
| `metrics.jsonl` | one JSON object a logged step: `step`, `seconds` of training until then, and the logged numbers |
| `events.jsonl` | what a guard or the run itself had to say: `step`, `kind`, `text` |
| `checkpoints/` | `checkpoint-N`, as transformers writes them |

Of several processes only the main one writes.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from evals.run.shards import Shard
from t2s_agent.errors import T2SError
from training.environment import environment
from training.recipe import Recipe, load_recipe

RECIPE, ENVIRONMENT, METRICS, EVENTS = "recipe.yaml", "environment.json", "metrics.jsonl", "events.jsonl"
# Settings that may change when a run goes on: they say where things are and what is written, not what is trained.
FREE = frozenset(
    {
        "about",
        "guards",
        "run.save_every",
        "run.keep",
        "run.pictures_every",
        "run.validate_every",
        "run.validation_images",
        "run.report_to",
        "segmenter.embeddings",
        "segmenter.embedding_bytes",
        "rollout.vllm.host",
        "rollout.vllm.port",
        "rollout.vllm.memory",
    }
)


@dataclass(slots=True)
class RunFolder:
    """A run's folder. `begin` makes or continues one, `open` reads one; `writes` is False in all processes but the main one."""

    folder: Path
    recipe: Recipe
    writes: bool = False
    _began: float = field(default_factory=time.monotonic)  # such that monotonic() - _began are the run's seconds

    @classmethod
    def begin(cls, folder: Path, recipe: Recipe, *, resume: bool = False, shard: Shard | None = None) -> "RunFolder":
        """Makes the folder; with `resume`, continues it where it is there already. A run that was refused before its start is none.

        Raises `argument_invalid` for a folder that is no run's, for a run that is there without `resume`, and for one that
        began under another recipe, with the keys that differ. `output_unwritable` where it cannot be written.
        """
        run = cls(folder, recipe, writes=(shard or Shard.of_environment()).rank == 0)
        if not run.writes:
            return run
        if (folder / ENVIRONMENT).is_file():
            _check_same(cls.open(folder).recipe, recipe, folder.name, resume=resume)
        elif folder.exists() and not _may_become_run(folder):
            raise T2SError("argument_invalid", f"{folder.name} exists and is no run's folder", "Give a new folder")
        try:
            run.checkpoints.mkdir(parents=True, exist_ok=True)
            _write(folder / RECIPE, recipe.to_yaml())
        except OSError as error:
            raise T2SError(
                "output_unwritable", f"{folder.name}: {error.strerror}", "Choose another folder for --out"
            ) from error
        return run

    @classmethod
    def open(cls, folder: Path) -> "RunFolder":
        """A run's folder to read from; `argument_invalid` where it is none."""
        if not (folder / RECIPE).is_file():
            raise T2SError(
                "argument_invalid",
                f"{folder.name} is no run's folder: it has no {RECIPE}",
                "Give the folder that was --out of training.grpo or training.sft",
            )
        return cls(folder, load_recipe(folder / RECIPE))

    @property
    def checkpoints(self) -> Path:
        """The folder of the folders `checkpoint-N`."""
        return self.folder / "checkpoints"

    @property
    def pictures(self) -> Path:
        """The folder of the sample pictures."""
        return self.folder / "pictures"

    def start(self, step: int = 0) -> None:
        """Notes a start after `step`: lines of later steps are dropped, the clock goes on, the environment is added."""
        if not self.writes:
            return
        for name in (METRICS, EVENTS):
            kept = [line for line in _lines(self.folder / name) if line["step"] <= step]
            _write(self.folder / name, "".join(_line(each) for each in kept))
        lines = self.metrics()
        self._began = time.monotonic() - (lines[-1]["seconds"] if lines else 0.0)
        starts = [*self.starts(), {"step": step, **environment()}]
        _write(self.folder / ENVIRONMENT, json.dumps(starts, indent=2, ensure_ascii=False) + "\n")

    def log(self, step: int, numbers: Mapping[str, Any]) -> None:
        """Adds a line to metrics.jsonl. Numbers that are not finite become null; what is no number or text is left out."""
        known = {name: _plain(value) for name, value in numbers.items() if isinstance(value, int | float | str)}
        self._append(METRICS, {"step": step, "seconds": round(time.monotonic() - self._began, 3), **known})

    def event(self, step: int, kind: str, text: str) -> None:
        """Adds a line to events.jsonl."""
        self._append(EVENTS, {"step": step, "kind": kind, "text": text})

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return list(_lines(self.folder / METRICS))

    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl."""
        return list(_lines(self.folder / EVENTS))

    def starts(self) -> list[dict[str, Any]]:
        """The entries of environment.json, oldest first."""
        file = self.folder / ENVIRONMENT
        return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        if self.writes:
            with (self.folder / name).open("a", encoding="utf-8") as opened:
                opened.write(_line(line))  # one write: a killed run leaves whole lines and at most one torn one


def _may_become_run(folder: Path) -> bool:
    """Whether a folder is empty, or holds only what a run that was refused before its start has left; a recipe of a person's own is kept."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if not names:
        return True
    if not names <= {RECIPE, "checkpoints"} or RECIPE not in names:
        return False
    text = (folder / RECIPE).read_text(encoding="utf-8")
    try:
        return load_recipe(folder / RECIPE).to_yaml() == text
    except T2SError:
        return False


class MetricsCallback(TrainerCallback):
    """Writes what a transformers Trainer logs into the run's folder."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        del args, control, kwargs
        self.run.start(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        del args, control, kwargs
        self.run.log(state.global_step, logs or {})


def differences(before: Recipe, now: Recipe) -> list[str]:
    """The keys, as `part.key`, in which two recipes differ, without those that may change (`FREE`, and folders of data)."""
    one, other = (dict(_flat(yaml.safe_load(each.to_yaml()))) for each in (before, now))
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return [key for key in keys if not _may_change(key)]


def _may_change(key: str) -> bool:
    data_folder = key.startswith("data.") and key.endswith(".root")
    return data_folder or any(f"{key}.".startswith(f"{free}.") for free in FREE)


def _check_same(before: Recipe, now: Recipe, name: str, *, resume: bool) -> None:
    if not resume:
        raise T2SError("argument_invalid", f"{name} already holds a run", "Add --resume to go on, or give a new folder")
    if differing := differences(before, now):
        raise T2SError(
            "argument_invalid",
            f"{name} began with another recipe; these keys differ: {', '.join(differing)}",
            f"Give the recipe of {name}/{RECIPE}, or a new folder",
        )


def _flat(plain: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as pairs of key and value; an empty list or part is a value."""
    if isinstance(plain, dict | list) and plain:
        items = plain.items() if isinstance(plain, dict) else enumerate(plain)
        for key, value in items:
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, plain


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, without a last one that was cut off while it was written."""
    if not file.is_file():
        return
    *whole, _ = file.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(whole, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise T2SError(
                "argument_invalid", f"line {number} of {file.name} is not JSON", "Remove it, or start a new run"
            ) from error


def _line(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(file: Path, text: str) -> None:
    """Replaces a file as a whole."""
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)
