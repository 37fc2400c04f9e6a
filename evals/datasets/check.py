"""Reads every file of a dataset once, and says what is missing, broken or doubled, and how many there should be."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.datasets.dataset import Dataset
from evals.datasets.files import orientation
from evals.datasets.problems import BrokenSample, Problem
from evals.datasets.reading import read
from evals.datasets.registry import DATASETS, asks_by_bank, open_dataset
from t2s_agent.errors import T2SError


@dataclass(slots=True)
class Report:
    """What was found in a split. `read` of `total` samples could be read; `notes` are no faults."""

    dataset: str
    split: str
    total: int = 0
    read: int = 0
    images: int | None = None
    instances: int | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many problems of each kind there are."""
        found: dict[str, int] = {}
        for problem in self.problems:
            found[problem.kind] = found.get(problem.kind, 0) + 1
        return found

    def as_json(self) -> dict[str, Any]:
        plain = {
            name: getattr(self, name) for name in ("dataset", "split", "total", "read", "images", "instances", "notes")
        }
        problems = [{"kind": each.kind, "where": each.where, "what": each.what} for each in self.problems]
        return plain | {"counts": self.counts(), "problems": problems}


def recognised(root: Path) -> list[str]:
    """The names of the datasets that a folder is laid out as; T2SError where there is none.

    Sets in COCO's format are called "coco" here, whatever they are: their layout does not say.
    """
    fitting = {name: kind for name, kind in DATASETS.items() if kind.splits_in(root)}
    named = [name for name, kind in fitting.items() if not any(base in fitting.values() for base in kind.__mro__[1:])]
    if not named:
        fix = f"Give the folder that its page describes, or --dataset: {', '.join(sorted(DATASETS))}"
        raise T2SError("argument_invalid", f"{root} is laid out as no dataset that is known", fix)
    return named


def check(
    name: str,
    root: Path | None,
    splits: list[str] | None = None,
    *,
    counts: bool = True,
    progress: Callable[[str, int, int], None] = lambda _split, _done, _total: None,
    options: Mapping[str, Any] | None = None,
) -> list[Report]:
    """A report for each split: those named, or all that the card names and the folder holds.

    `counts=False` leaves published numbers aside, for a part of a dataset. `progress(split, done, total)` is called a sample.
    """
    kind = DATASETS.get(name)
    if kind is None:
        raise T2SError("argument_invalid", f"no dataset is called {name}", f"Names: {', '.join(sorted(DATASETS))}")
    if splits is None:
        found = kind.splits_in(root) if root else []
        splits = list(dict.fromkeys([*(kind.card.expected if counts else ()), *found])) or ["test"]
    reports = []
    for split in splits:
        report = Report(name, split)
        chosen = dict(options or {})
        if asks_by_bank(kind):  # one question a class reads every object once, an untaught one every image
            chosen |= {"kinds": ("name", "untaught"), "untaught": 1}
        try:
            dataset = open_dataset(name, root, split, on_broken="skip", **chosen)
        except BrokenSample as error:
            report.problems.append(error.problem)
        except T2SError as error:
            report.problems.append(Problem("missing", f"split {split}", f"{error.what}. {error.fix}"))
        else:
            _read(dataset, report, progress)
            if counts:
                _compare(dataset, report)
        reports.append(report)
    return reports


def _read(dataset: Dataset, report: Report, progress: Callable[[str, int, int], None]) -> None:
    report.total, report.images, report.instances = len(dataset), dataset.images, dataset.instances
    report.problems += dataset.problems
    ids: set[str] = set()
    pixels: dict[bytes, str] = {}
    broken: set[Problem] = set()
    for sample in dataset.samples():
        if sample.id in ids:
            report.problems.append(Problem("doubled", sample.id, "two samples have this id"))
        ids.add(sample.id)
        try:
            found = read(sample)
        except BrokenSample as error:
            if error.problem not in broken:
                report.problems.append(error.problem)
            broken.add(error.problem)
        else:
            report.read += 1
            digest = hashlib.sha256(repr(found.image.shape).encode() + found.image.tobytes()).digest()
            other = pixels.setdefault(digest, sample.image_id)
            if (
                other != sample.image_id
                and (twin := Problem("doubled", sample.image_id, f"has the pixels of {other}")) not in broken
            ):
                report.problems.append(twin)
                broken.add(twin)
        progress(report.split, len(ids), report.total)
    for files, name in dataset.pictures():
        try:
            turned = orientation(files, name)
        except (BrokenSample, OSError, SyntaxError, ValueError):  # reported above, where it was read
            continue
        if turned != 1:
            report.notes.append(
                f"{files.where(name)}: asks viewers to turn it (orientation {turned}); pixels are taken as stored"
            )


def _compare(dataset: Dataset, report: Report) -> None:
    for what in ("samples", "images", "instances"):
        expected = getattr(dataset.expected, what)
        found = report.total if what == "samples" else getattr(dataset, what)
        if expected is not None and found != expected:
            report.problems.append(
                Problem("count", f"split {report.split}", f"{found:,} {what} were found, {expected:,} are published")
            )
