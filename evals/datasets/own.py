"""Your own data: a table of images, questions and what is right, in one documented format (docs/reference/datasets.md).

ROOT/samples.csv or ROOT/samples.jsonl (`listing` names another file in ROOT). A row is a sample:

- `image`: a raster in ROOT, read as the product reads it; `question`: the text that is asked;
- what is right, one of: `polygons` (GeoJSON, or the name of a GeoJSON file in ROOT), `mask` (the name of a picture in ROOT of the
  image's size, above 0 where it is right), `empty` (true: nothing fits);
- `coordinates` of the polygons: `lonlat` (WGS 84, as GeoJSON has it; the default) or `pixel` (x right, y down, the upper left corner
  of the image is 0, 0);
- if wanted: `id`, `split`, `category`, `source`, `gsd_m`, `question_kind`, and any other column, kept as metadata.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.datasets.dataset import Card, Dataset
from evals.datasets.files import Files, Folder, mask
from evals.datasets.polygons import COORDINATES, drawn, objects_of
from evals.datasets.problems import BrokenSample
from evals.datasets.sample import Image, Sample, Truth
from t2s_agent.errors import T2SError
from t2s_agent.mask import union_of
from t2s_agent.scene import Scene, View, open_scene

LISTINGS = ("samples.csv", "samples.jsonl")
EVERYTHING = "all"  # the split that holds every row
MOST_PX = 8192  # of an image's longer side: samples are read whole, in their own pixels
_MOST_FIELD = 2**28  # characters of a CSV field: polygons are long
_OWN = ("image", "question", "polygons", "mask", "empty", "coordinates", "id", "split")


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    image: str
    question: str
    truth: str  # polygons, mask or empty
    value: Any
    coordinates: str
    metadata: Mapping[str, str | float]


class Own(Dataset):
    """A table of your own. `split` is the value of its column `split`, or "all"."""

    name = "own"
    card = Card(
        title="Your own data",
        citation="yours",
        licence="yours",
        notes=("docs/reference/datasets.md describes the format",),
    )

    def __init__(self, root: Path, split: str = EVERYTHING, *, listing: str = "") -> None:
        super().__init__(split)
        self.files = Folder(root)
        self.listing = listing_in(root, listing)
        self._gsd: dict[str, float | None] = {}
        self._rows = list(self._listed())
        self.images = len({row.image for row in self._rows})

    @classmethod
    def splits_in(cls, root: Path) -> list[str]:
        return [EVERYTHING] if any((root / each).is_file() for each in LISTINGS) else []

    def pictures(self) -> Iterator[tuple[Files, str]]:
        return ((self.files, name) for name in sorted({row.image for row in self._rows}))

    def __len__(self) -> int:
        return len(self._rows)

    def samples(self) -> Iterator[Sample]:
        for row in self._rows:
            yield Sample(
                id=row.id,
                image_id=row.image,
                question=row.question,
                read_image=partial(_read_image, self.files, row.image),
                read_truth=partial(_read_truth, self.files, row),
                metadata=row.metadata,
            )

    def _listed(self) -> Iterator[_Row]:
        seen: set[str] = set()
        splits: set[str] = set()
        chosen = 0
        for number, row in rows_of(self.listing):
            where = f"{self.listing} row {number}"
            splits.add(str(row.get("split") or ""))
            if self.split not in (EVERYTHING, row.get("split")):
                continue
            chosen += 1
            try:
                checked = self._checked(row, number, where)
            except BrokenSample as error:
                self.problems.append(error.problem)
                continue
            if checked.id in seen:
                self.report("doubled", where, f"its id {checked.id} stands there twice")
                continue
            seen.add(checked.id)
            yield checked
        if not chosen:
            named = ", ".join(sorted(splits - {""})) or "none"
            fix = f"Splits: {EVERYTHING}, and by the column `split`: {named}"
            raise T2SError("argument_invalid", f"{self.listing} has no row of split {self.split}", fix)

    def _checked(self, row: Mapping[str, Any], number: int, where: str) -> _Row:
        image, question = row.get("image"), row.get("question")
        if not isinstance(image, str) or not isinstance(question, str) or not image.strip() or not question.strip():
            raise BrokenSample("broken", where, "has no image or no question")
        given = {key: row[key] for key in ("polygons", "mask", "empty") if row.get(key) not in (None, "", False)}
        if len(given) != 1:
            named = " and ".join(given) or "nothing"
            raise BrokenSample("broken", where, f"says what is right by {named}: give one of polygons, mask, empty")
        ((truth, value),) = given.items()
        if truth == "empty" and value is not True:
            raise BrokenSample("broken", where, "its empty is neither true nor false")
        if truth == "mask" and (not isinstance(value, str) or value not in self.files):
            raise BrokenSample("missing", where, f"its mask {value} is no file of {self.files.root}")
        coordinates = row.get("coordinates") or COORDINATES[0]
        if coordinates not in COORDINATES:
            raise BrokenSample(
                "broken", where, f"its coordinates are {coordinates}; known are {', '.join(COORDINATES)}"
            )
        facts = {str(key): _fact(each) for key, each in row.items() if key not in _OWN and each not in (None, "")}
        gsd = self._gsd_of(image)
        if gsd is not None:
            facts.setdefault("gsd_m", gsd)
        if truth == "empty":
            facts.setdefault("question_kind", "empty")
        facts["split"] = str(row.get("split") or self.split)
        name = row.get("id")
        return _Row(
            str(name) if name not in (None, "") else f"row {number}", image, question, truth, value, coordinates, facts
        )

    def _gsd_of(self, image: str) -> float | None:
        """The ground sample distance by the image's georeference; BrokenSample where the image cannot be opened."""
        if image not in self._gsd:
            with _opened(self.files, image) as scene:
                self._gsd[image] = scene.gsd_m
        return self._gsd[image]


def listing_in(root: Path, name: str = "") -> Path:
    """The table in a folder; T2SError where there is none, or more than one."""
    found = [root / each for each in ((name,) if name else LISTINGS) if (root / each).is_file()]
    if len(found) != 1:
        said = "more than one table" if found else "no table"
        fix = f"Write one of {', '.join(LISTINGS)}, or name it by listing=NAME"
        raise T2SError("argument_invalid", f"{root} holds {said} of samples", fix)
    return found[0]


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table, counted from 1 (a CSV file's header is not one), as dicts."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise T2SError("argument_invalid", f"{path} cannot be read as UTF-8: {error}", "Save it as UTF-8") from error
    return _json_rows(path, text) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(path, text)


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise T2SError(
                "argument_invalid", f"{path} line {number} is not JSON: {error}", "Write one object a line"
            ) from error
        if not isinstance(row, dict):
            raise T2SError(
                "argument_invalid", f"{path} line {number} is no object", 'Write {"image": ..., "question": ...}'
            )
        yield number, row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    limit = csv.field_size_limit(_MOST_FIELD)
    try:
        table = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        columns = table.fieldnames or []
        if "image" not in columns or "question" not in columns or len(set(columns)) < len(columns):
            fix = "Its first line names the columns: image, question, and polygons, mask or empty"
            raise T2SError("argument_invalid", f"{path} has the columns {', '.join(columns)}", fix)
        rows = list(table)
    except csv.Error as error:
        raise T2SError(
            "argument_invalid", f"{path} is no CSV table: {error}", 'Put texts with commas in "quotes"'
        ) from error
    finally:
        csv.field_size_limit(limit)
    for number, row in enumerate(rows, 1):
        if None in row or any(value is None for value in row.values()):
            fix = 'Put texts with commas in "quotes", and double the quotes in them'
            raise T2SError("argument_invalid", f"{path} row {number} has not as many fields as the header", fix)
        yield (
            number,
            {key: _CSV.get(value.strip().lower(), value) if key == "empty" else value for key, value in row.items()},
        )


_CSV: Mapping[str, Any] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": ""}


def _fact(value: Any) -> str | float:
    """A number where the text is one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if np.isfinite(number) else str(value)


def _opened(files: Folder, name: str) -> Scene:
    if name not in files:
        raise BrokenSample("missing", files.where(name), "no such file")
    try:
        scene = open_scene(files.root / name)
    except T2SError as error:
        raise BrokenSample("broken", files.where(name), error.what) from error
    if max(scene.width, scene.height) > MOST_PX:
        scene.close()
        raise BrokenSample("broken", files.where(name), f"is larger than {MOST_PX} px: cut it into smaller images")
    return scene


def _read_image(files: Folder, name: str) -> Image:
    return _view(files, name).rgb


def _view(files: Folder, name: str) -> View:
    """The whole image, in its own pixels."""
    with _opened(files, name) as scene:
        try:
            return scene.view(max_size=MOST_PX)
        except T2SError as error:
            raise BrokenSample("broken", files.where(name), error.what) from error


def _read_truth(files: Folder, row: _Row) -> Truth:
    """What is right where the image has data: what lies where it has none cannot be seen, and is no part of the truth."""
    view = _view(files, row.image)
    size = (view.height, view.width)
    if row.truth == "empty":
        return Truth(np.zeros(size, bool), ())
    if row.truth == "mask":
        return Truth(mask(files, row.value, size) & view.valid)
    place = view.georeference if row.coordinates == "lonlat" else None
    masks = drawn(objects_of(row.value, files, row.id, row.coordinates), size, place, row.id)
    seen = tuple(part for each in masks if (part := each.where(view.valid)))
    return Truth(union_of(seen, *size), seen)
