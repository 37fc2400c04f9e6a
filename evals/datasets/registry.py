"""Datasets by name."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from evals.datasets.bank import Bank
from evals.datasets.coco import Coco, Isaid, Isaid448, LandcoverBuildings
from evals.datasets.dataset import Dataset
from evals.datasets.earthreason import EarthReason
from evals.datasets.gres import Gres
from evals.datasets.own import Own
from evals.datasets.phrases import RefSegRS, RISBench
from evals.datasets.problems import BrokenDataset, OnBroken
from evals.datasets.procedural import Procedural
from evals.datasets.rrsis_d import RrsisD
from evals.datasets.semantic import Landcover, Semantic
from t2s_agent.errors import T2SError

DATASETS: Mapping[str, type[Dataset]] = {
    each.name: each
    for each in (
        EarthReason,
        RrsisD,
        RefSegRS,
        RISBench,
        Gres,
        Own,
        Isaid,
        Isaid448,
        LandcoverBuildings,
        Landcover,
        Coco,
        Semantic,
        Procedural,
    )
}


def open_dataset(
    name: str, root: Path | str | None, split: str, *, on_broken: OnBroken = "stop", **options: Any
) -> Dataset:
    """A split of a dataset. Its listing is read now, its pixels when a sample is asked for them.

    `options` are those of the dataset's class; those of `Bank` (kinds, phrasing, absent, untaught, seed) are taken by every
    dataset that asks by a question bank. With `on_broken="stop"` a listing with problems raises `BrokenDataset`, which names
    them; with "skip" the samples that they concern are left out, and `problems` of the dataset holds them.
    """
    kind = DATASETS.get(name)
    if kind is None:
        raise T2SError("argument_invalid", f"no dataset is called {name}", f"Names: {', '.join(sorted(DATASETS))}")
    known = inspect.signature(kind.__init__).parameters
    if asks_by_bank(kind):
        asked = {field.name: options.pop(field.name) for field in fields(Bank) if field.name in options}
        if isinstance(asked.get("kinds"), str | list):  # as they come from a command line or a JSON file
            kinds = asked["kinds"]
            asked["kinds"] = tuple(kinds.split(",") if isinstance(kinds, str) else kinds)
        if asked:
            options["bank"] = Bank(**asked)
    if "root" in known:
        if root is None or not Path(root).is_dir():
            raise T2SError("argument_invalid", f"{root} is no folder", f"Give the folder of {name}")
        options["root"] = Path(root)
    wrong = sorted(set(options) - set(known))
    if wrong:
        offered = ", ".join(option for option in known if option not in ("self", "root", "split"))
        raise T2SError("argument_invalid", f"{name} has no option {', '.join(wrong)}", f"Options: {offered}")
    dataset = kind(split=split, **options)
    if dataset.problems and on_broken == "stop":
        raise BrokenDataset(name, dataset.problems)
    return dataset


def asks_by_bank(kind: type[Dataset]) -> bool:
    """Whether a dataset has no questions of its own, so that a `Bank` asks them."""
    return "bank" in inspect.signature(kind.__init__).parameters


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    """A dataset's options from NAME=VALUE, as a command line gives them; a value is JSON, or else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise T2SError("argument_invalid", f"the option {pair!r} has no value", "Write --option NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
