"""EarthReason: questions that need reasoning, a mask for each image, some images without a target.

ROOT/SPLIT/images/ID.jpg (or .png and others), ROOT/SPLIT/labels/ID.png, ROOT/SPLIT/QAs/ID.json; in SegEarth-R1's tree ROOT is
`rs_reason_seg/RSReasonSeg`, and both are found. A QA file is {"questions": [...], "answer": [...]}; an empty list of answers marks
an image without a target. ID is the file name without its last ending: it may have dots.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import PICTURES, Files, Folder, mask, picture, size_of
from evals.datasets.problems import BrokenSample
from evals.datasets.sample import Sample, Truth
from t2s_agent.errors import T2SError

SPLITS = ("train", "val", "test")
_ROOTS = ("", "RSReasonSeg", "rs_reason_seg/RSReasonSeg", "EarthReason")
_PARTS = {"images": PICTURES, "labels": (".png",), "QAs": (".json",)}


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    image: str  # paths in ROOT/SPLIT
    label: str
    questions: tuple[str, ...]
    answers: int | None  # None where the file does not say


class EarthReason(Dataset):
    """All questions of all images, in the order of ids and of each file. `question_index` counts an image's questions from 0."""

    name = "earthreason"
    card = Card(
        title="EarthReason: geospatial pixel reasoning",
        citation="Li et al., SegEarth-R1: Geospatial Pixel Reasoning via Large Language Model, 2025",
        licence="see its card at the hub (earth-insights/EarthReason); the code's licence is another",
        expected={
            "train": Expected(images=2371),
            "val": Expected(images=1135),
            "test": Expected(images=1928),
        },
        notes=(
            "over 30,000 questions in all; how many a split holds is not published",
            "ground sample distance 0.5 to 153 m by a second-hand page; of single images not known",
            "imagery of Million-AID and fMoW, under their own terms",
        ),
    )

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(split)
        folder = _folder(root, split)
        if folder is None:
            raise T2SError("argument_invalid", f"{root} has no {split}/images", f"Splits: {', '.join(SPLITS)}")
        self.files = Folder(folder)
        self._entries = list(self._listed())
        self.images = len(self._entries)

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        return [split for split in SPLITS if _folder(root, split)]

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, entry.image) for entry in self._entries)

    def __len__(self) -> int:
        return sum(len(entry.questions) for entry in self._entries)

    def samples(self) -> Iterator[Sample]:
        for entry in self._entries:
            for index, question in enumerate(entry.questions):
                yield Sample(
                    id=f"{entry.id}#{index}",
                    image_id=entry.id,
                    question=question,
                    read_image=partial(picture, self.files, entry.image),
                    read_truth=partial(_read_truth, self.files, entry),
                    metadata={
                        "split": self.split,
                        "question_kind": "empty" if entry.answers == 0 else "reasoning",
                        "item": entry.id,
                        "question_index": index,
                        "questions": len(entry.questions),
                    },
                )

    def _listed(self) -> Iterator[_Entry]:
        found: dict[str, dict[str, list[str]]] = {}
        for part, endings in _PARTS.items():
            for path in sorted((self.files.root / part).glob("*")):
                if path.name.startswith("."):
                    continue
                if path.suffix.lower() not in endings:
                    self.report("broken", path, f"is no file of {part}: they end in {', '.join(endings)}")
                    continue
                found.setdefault(path.stem, {}).setdefault(part, []).append(f"{part}/{path.name}")
        for id_, parts in sorted(found.items()):
            for part in _PARTS:
                if part not in parts:
                    self.report("missing", self.files.where(f"{part}/{id_}"), "the sample has no such file")
                elif len(parts[part]) > 1:
                    self.report("doubled", self.files.where(f"{part}/{id_}"), f"is there as {', '.join(parts[part])}")
            if len(parts) == len(_PARTS) and all(len(names) == 1 for names in parts.values()):
                try:
                    yield self._entry(id_, *(parts[part][0] for part in _PARTS))
                except BrokenSample as error:
                    self.problems.append(error.problem)

    def _entry(self, id_: str, image: str, label: str, questions: str) -> _Entry:
        where = self.files.where(questions)
        try:
            said = json.loads(self.files.read(questions).decode("utf-8-sig"))
        except ValueError as error:
            raise BrokenSample("broken", where, f"is not JSON in UTF-8: {error}") from error
        asked = said.get("questions") if isinstance(said, dict) else None
        if not _texts(asked) or not asked:
            raise BrokenSample("broken", where, "holds no list of questions")
        answers = said.get("answer")
        if answers is not None and not _texts(answers):
            raise BrokenSample("broken", where, "its answer is no list of texts")
        return _Entry(id_, image, label, tuple(asked), None if answers is None else len(answers))


def _folder(root: Path, split: str) -> Path | None:
    parts = ("images", "QAs")
    return next(
        (root / each / split for each in _ROOTS if any((root / each / split / part).is_dir() for part in parts)), None
    )


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)


def _read_truth(files: Folder, entry: _Entry) -> Truth:
    """The label; an image said to have no target whose label has pixels contradicts itself, and is broken."""
    pixels = mask(files, entry.label, size_of(files, entry.image))
    if entry.answers == 0 and pixels.any():
        what = f"its list of answers is empty (no target), its label has {np.count_nonzero(pixels)} px"
        raise BrokenSample("broken", files.where(entry.label), what)
    return Truth(pixels)
