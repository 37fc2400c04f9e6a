"""Sets with a class for each pixel: a mask's values, or colours, are classes, and a question asks for all of one class.

Two layouts are known:
- packed: ROOT/semantic.json names the splits, and for each a tar, its classes and its pairs of image and mask (../shared/data/landcover);
- folders: ROOT/images/SPLIT/NAME.*, ROOT/masks/SPLIT/NAME.png, and ROOT/classes.json: {"1": "building", "#ff0000": "road", ...},
  where a key is a value of the mask or a colour. Classes named "unlabeled" are ignored when scores are counted.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.datasets.bank import Bank, Question, category_of, identity, item_of
from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import PICTURES, Files, Folder, Tar, picture, size_of, values
from evals.datasets.problems import BrokenSample
from evals.datasets.sample import Labelled, Sample, Truth, TruthMask
from t2s_agent.errors import T2SError

UNLABELED = "unlabeled"
_SAME = {"land (unpaved)": "bare land"}  # names of the question bank for names of sets
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    name: str  # without its ending
    image: str
    mask: str
    facts: Mapping[str, str | float]


class Semantic(Dataset):
    """A set of images with a class for each pixel. All questions of an image are about a class as a whole."""

    name = "semantic"
    card = Card(
        title="Any set of images with a class for each pixel",
        citation="the set's own authors",
        licence="not stated here: that of the set's authors",
    )

    def __init__(self, root: Path, split: str, *, bank: Bank | None = None) -> None:
        super().__init__(split)
        self.bank = bank or Bank(kinds=("name", "hint", "empty", "untaught"))
        packed = root / "semantic.json"
        self.files, self.classes, pairs = _packed(packed, split) if packed.is_file() else _folders(root, split)
        self._pairs = self._kept(pairs)
        self.images = len(self._pairs)
        self._asked = {pair: tuple(self._questions(pair)) for pair in self._pairs}

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        packed = root / "semantic.json"
        if packed.is_file():
            listing = _json(packed)
            return (
                sorted(listing["sets"]) if isinstance(listing, dict) and isinstance(listing.get("sets"), dict) else []
            )
        if not (root / "classes.json").is_file():
            return []
        return sorted(path.name for path in (root / "images").glob("*") if path.is_dir())

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, pair.image) for pair in self._pairs)

    def __len__(self) -> int:
        return sum(len(questions) for questions in self._asked.values())

    def samples(self) -> Iterator[Sample]:
        for pair, questions in self._asked.items():
            for number, question in enumerate(questions):
                wanted = self._values_of(question.category) if question.wanted else ()
                facts: dict[str, str | float] = {
                    "split": self.split,
                    "category": question.category,
                    "question_kind": question.kind,
                    "phrasing": question.phrasing,
                }
                yield Sample(
                    id=identity(pair.name, number, question),
                    image_id=pair.name,
                    question=question.text,
                    read_image=partial(picture, self.files, pair.image),
                    read_truth=partial(
                        _read_truth,
                        self.files,
                        pair,
                        wanted,
                        self._values_of(UNLABELED),
                        tuple(self.classes),
                        question.known,
                    ),
                    metadata=facts | item_of(pair.name, number, question) | dict(pair.facts),
                )

    def labelled(self) -> Iterator[Labelled]:
        """Each image with the masks of its classes, in the order of the listing's classes, read one by one."""
        for pair in self._pairs:
            labels = _labels(self.files, pair, tuple(self.classes))
            found = [(name, np.isin(labels, [_code(key)])) for key, name in self.classes.items() if name != UNLABELED]
            land = tuple((name, mask) for name, mask in found if mask.any())
            yield Labelled(pair.name, picture(self.files, pair.image), land=land)

    def _kept(self, pairs: Sequence[_Pair]) -> list[_Pair]:
        kept: list[_Pair] = []
        names: set[str] = set()
        for pair in sorted(pairs, key=lambda pair: pair.name):
            missing = [name for name in (pair.image, pair.mask) if name not in self.files]
            for name in missing:
                self.report("missing", self.files.where(name), "no such file")
            if pair.name in names:
                self.report("doubled", self.files.where(pair.image), "another image has this name")
            elif not missing:
                kept.append(pair)
            names.add(pair.name)
        return kept

    def _questions(self, pair: _Pair) -> Iterator[Question]:
        try:
            labels = _labels(self.files, pair, tuple(self.classes))
        except BrokenSample as error:
            self.problems.append(error.problem)
            return iter(())
        there = {self.classes[key] for key in self.classes if (labels == _code(key)).any()}
        known = sorted(set(self.classes.values()) - {UNLABELED})
        boxes = {category: np.zeros((1, 4)) for category in known if category in there}
        return self.bank.ask(pair.name, known, boxes, labels.shape)

    def _values_of(self, category: str) -> tuple[str, ...]:
        return tuple(key for key, name in self.classes.items() if name == category)


class Landcover(Semantic):
    """72 images of Dubai with land cover (splits dubai_train and dubai_test)."""

    name = "landcover"
    card = Card(
        title="Semantic segmentation of aerial imagery, Dubai",
        citation="Humans in the Loop with the Mohammed Bin Rashid Space Centre, Semantic segmentation of aerial imagery; no paper is "
        "known",
        licence="not stated in the copy that it was taken from",
        expected={"dubai_train": Expected(images=54), "dubai_test": Expected(images=18)},
        notes=(
            "annotation is coarse at the edges of land and road, and some roads are missed",
            "scenes have very different resolution; ground sample distance: not in the files",
        ),
    )


def _packed(path: Path, split: str) -> tuple[Files, dict[str, str], list[_Pair]]:
    listing = _json(path)
    sets = listing.get("sets") if isinstance(listing, dict) else None
    if not isinstance(sets, dict) or split not in sets:
        known = ", ".join(sets) if isinstance(sets, dict) else "none"
        raise T2SError("argument_invalid", f"{path} lists no split {split}", f"Splits: {known}")
    part = sets[split]
    pairs = []
    for row in part["images"]:
        facts: dict[str, str | float] = {}
        if "scene" in row:
            facts["source"] = f"scene {row['scene']}"
        pairs.append(_Pair(Path(row["image"]).stem, row["image"], row["mask"], facts))
    return Tar(path.parent / part["tar"]), _classes(part["classes"], path), pairs


def _folders(root: Path, split: str) -> tuple[Files, dict[str, str], list[_Pair]]:
    files = Folder(root)
    classes = root / "classes.json"
    if not classes.is_file() or not (root / "images" / split).is_dir():
        looked = f"semantic.json, or classes.json with images/{split} and masks/{split}"
        raise T2SError("argument_invalid", f"{root} holds no semantic set of split {split}", f"Looked for {looked}")
    pairs = [
        _Pair(path.stem, f"images/{split}/{path.name}", f"masks/{split}/{path.stem}.png", {})
        for path in sorted((root / "images" / split).iterdir())
        if path.suffix.lower() in PICTURES
    ]
    return files, _classes(_json(classes), classes), pairs


def _classes(listed: Any, path: Path) -> dict[str, str]:
    """Category by value or colour, as text."""
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise T2SError("argument_invalid", f"{path} has no classes", 'Write {"1": "building", "2": "road"}')
    keys = [key.lower() for key in listed]
    wrong = [key for key in keys if not key.isdecimal() and not _COLOUR.fullmatch(key)]
    if wrong or len({key.isdecimal() for key in keys}) > 1:
        raise T2SError(
            "argument_invalid", f"{path} mixes values and colours, or has {wrong}", "Use 3 or #00ff00, not both"
        )
    names = (category_of(name) for name in listed.values())
    return {key: _SAME.get(name, name) for key, name in zip(keys, names, strict=True)}


def _code(key: str) -> int:
    return int(key[1:], 16) if key.startswith("#") else int(key)


def _labels(files: Files, pair: _Pair, keys: Sequence[str]) -> Any:
    """The mask's values (H, W), colours as 0xRRGGBB; BrokenSample where it does not fit its image or has other values."""
    labels: Any = values(files, pair.mask, size_of(files, pair.image))
    where = files.where(pair.mask)
    if keys[0].startswith("#"):
        colours = picture(files, pair.mask).astype(np.int64)
        labels = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
    elif labels.ndim == 3 and (labels[..., :3] == labels[..., :1]).all():
        labels = labels[..., 0]
    elif labels.ndim != 2:
        raise BrokenSample("broken", where, "has bands that differ, where classes are values")
    unknown = np.setdiff1d(np.unique(labels), [_code(key) for key in keys])
    if len(unknown):
        raise BrokenSample("broken", where, f"has values that are no class: {unknown[:5].tolist()}")
    return labels


def _read_truth(
    files: Files, pair: _Pair, wanted: Sequence[str], ignored: Sequence[str], keys: Sequence[str], known: bool
) -> Truth:
    labels = _labels(files, pair, keys)
    mask: TruthMask = np.isin(labels, [_code(key) for key in wanted])
    ignore = np.isin(labels, [_code(key) for key in ignored])
    return Truth(mask, ignore=ignore if ignore.any() else None, known=known)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise T2SError("argument_invalid", f"{path} is not JSON: {error}", "Fix the file") from error
