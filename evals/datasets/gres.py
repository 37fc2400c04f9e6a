"""GRES, LISAt's set: texts and polygons in a JSON file an image, as ReasonSeg has them.

ROOT/gres_annotations/SPLIT/NAME.json with ROOT/gres_images/SPLIT/NAME.jpg (or with hyphens, as its README writes them); or, as
LISA's and LISAt's loaders want them, both side by side in ROOT/SPLIT. A file is {"text": [...], "is_sentence": true, "shapes":
[{"label": "target", "points": [[x, y], ...], "image_name": ...}]}; a label with "ignore" in it marks pixels that are not scored, one
called "flag" nothing. "false_premise_QA" (as in LISAt's false-premise sets) lists texts that nothing fits.

Polygons are filled as LISA's loader does it, the largest first: vertices are cut to whole pixels and borders belong to the mask. They
are drawn by Pillow instead of OpenCV; at slanted edges single pixels may differ.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from evals.datasets.dataset import Card, Dataset, Expected
from evals.datasets.files import Files, Folder, picture, size_of
from evals.datasets.problems import BrokenSample
from evals.datasets.sample import Sample, Truth
from t2s_agent.errors import T2SError

SPLITS = ("train", "val", "test")
_TARGET, _IGNORED = 1, 2


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    image: str
    listing: str
    texts: tuple[str, ...]
    absent: tuple[str, ...]


class Gres(Dataset):
    """All texts of all images of a split."""

    name = "gres"
    card = Card(
        title="GRES: geospatial reasoning segmentation",
        citation="Quenum et al., LISAt: Language-Instructed Segmentation Assistant for Satellite Imagery, 2025",
        licence="CC BY-NC-SA 4.0 (its README); imagery of xView under its own terms",
        expected={"train": Expected(images=7205), "val": Expected(images=500), "test": Expected(images=1500)},
        notes=(
            "27,615 texts in 9,205 images; how many a split holds is not published",
            "its lists (test.txt) name images more than once: the JSON files are what is read",
            "images are cut out of xView by its script; 512 px, 0.3 m by xView's own description",
        ),
    )

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(split)
        self.listings, self.files = _found(root, split)
        self._entries = list(self._listed())
        self.images = len(self._entries)

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        found = []
        for split in SPLITS:
            listings = [folder for folder, images in _layouts(root, split) if folder.is_dir() and images.is_dir()]
            if any(next(folder.glob("*.json"), None) for folder in listings):
                found.append(split)
        return found

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, entry.image) for entry in self._entries)

    def __len__(self) -> int:
        return sum(len(entry.texts) + len(entry.absent) for entry in self._entries)

    def samples(self) -> Iterator[Sample]:
        for entry in self._entries:
            for index, text in enumerate((*entry.texts, *entry.absent)):
                absent = index >= len(entry.texts)
                yield Sample(
                    id=f"{entry.name}#{index}",
                    image_id=entry.name,
                    question=text,
                    read_image=partial(picture, self.files, entry.image),
                    read_truth=partial(_read_truth, self.files, entry, self.listings, absent),
                    metadata={
                        "split": self.split,
                        "question_kind": "empty" if absent else "reasoning",
                        "item": f"{entry.name}/absent {index}" if absent else entry.name,
                        "question_index": index,
                        "questions": len(entry.texts) + len(entry.absent),
                    },
                )

    def _listed(self) -> Iterator[_Entry]:
        names = [name for name in self.listings.names() if name.endswith(".json") and "/" not in name]
        for name in names:
            try:
                said = _said(self.listings, name)
                entry = _entry(name, said, self.listings.where(name))
            except BrokenSample as error:
                self.problems.append(error.problem)
                continue
            if entry.image not in self.files:
                self.report("missing", self.files.where(entry.image), f"named by {name}")
                continue
            yield entry
        pictures = {Path(name).stem for name in self.files.names() if name.lower().endswith((".jpg", ".png"))}
        for stem in sorted(pictures - {name.removesuffix(".json") for name in names}):
            self.report("missing", self.listings.where(f"{stem}.json"), "an image without its texts")


def _layouts(root: Path, split: str) -> list[tuple[Path, Path]]:
    layouts = [(root / f"gres{mark}annotations" / split, root / f"gres{mark}images" / split) for mark in "_-"]
    return [*layouts, (root / split, root / split)]


def _found(root: Path, split: str) -> tuple[Folder, Folder]:
    layouts = _layouts(root, split)
    for listings, images in layouts:
        if listings.is_dir() and images.is_dir():
            return Folder(listings), Folder(images)
    tried = ", ".join(str(listings.relative_to(root)) for listings, _ in layouts)
    raise T2SError("argument_invalid", f"{root} holds no GRES set of split {split}", f"Looked for {tried}")


def _said(files: Files, name: str) -> dict[str, Any]:
    data = files.read(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # as LISA's loader reads what is not UTF-8
    try:
        said = json.loads(text)
    except ValueError as error:
        raise BrokenSample("broken", files.where(name), f"is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise BrokenSample("broken", files.where(name), "is no JSON object")
    return said


def _entry(name: str, said: Mapping[str, Any], where: str) -> _Entry:
    texts, shapes = said.get("text"), said.get("shapes")
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BrokenSample("broken", where, "its text is no list of texts")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise BrokenSample("broken", where, "its shapes are no list of objects")
    pairs = said.get("false_premise_QA", [])
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and pair and isinstance(pair[0], str) for pair in pairs
    ):
        raise BrokenSample("broken", where, "its false_premise_QA is no list of lists that begin with a text")
    absent = tuple(pair[0] for pair in pairs)
    if not texts and not absent:
        raise BrokenSample("broken", where, "asks nothing")
    stem = name.removesuffix(".json")
    named = {shape["image_name"] for shape in shapes if isinstance(shape.get("image_name"), str)}
    if len(named) > 1:
        raise BrokenSample("broken", where, f"its shapes name several images: {', '.join(sorted(named))}")
    return _Entry(stem, named.pop() if named else f"{stem}.jpg", name, tuple(texts), absent)


def _read_truth(files: Files, entry: _Entry, listings: Files, absent: bool) -> Truth:
    size, where = size_of(files, entry.image), listings.where(entry.listing)
    labels = np.zeros(size, np.uint8)
    drawn = []
    for shape in _said(listings, entry.listing)["shapes"]:
        label = str(shape.get("label", "")).lower()
        if label != "flag":
            pixels = _filled(shape.get("points"), size, where)
            drawn.append((np.count_nonzero(pixels), _IGNORED if "ignore" in label else _TARGET, pixels))
    for _, value, pixels in sorted(drawn, key=lambda each: -each[0]):
        labels[pixels] = value
    ignore = labels == _IGNORED
    target = np.zeros(size, bool) if absent else labels == _TARGET
    return Truth(target, ignore=ignore if ignore.any() and not absent else None)


def _filled(points: Any, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    height, width = size
    try:
        corners = np.array(points, float)
    except (TypeError, ValueError) as error:
        raise BrokenSample("broken", where, f"has points that are no numbers: {error}") from error
    if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3:
        raise BrokenSample("broken", where, "has a polygon that is not at least three pairs of numbers")
    low, high = (-width, -height), (2 * width, 2 * height)
    if not ((corners >= low) & (corners <= high)).all():
        raise BrokenSample("broken", where, "has a polygon far outside of its image")
    canvas = Pillow.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon([(int(x), int(y)) for x, y in corners], fill=1, outline=1)
    return np.asarray(canvas) > 0
