"""Keeps where the regions of a result lie in its scene, and their measures, so that any part of many regions is found at once.

An index is made once a result from its regions.geojson (130 bytes a region in memory); outlines stay in the file. That of many regions is
kept beside them (`stored_index`).
"""

import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.errors import T2SError
from t2s_agent.regions.raster import place_of_mask
from t2s_agent.regions.region import Geometry
from t2s_agent.results.files import MASK, REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record
from t2s_agent.scene.georeference import Georeference
from t2s_agent.server.page.remarks import seam_words
from t2s_agent.server.page.stored_index import Arrays, read_arrays, write_arrays

_AT_ONCE = 5_000  # regions whose corners are converted together
KEPT_FROM = 5_000  # regions of an index that is kept in a file: fewer are read in a quarter of a second
_MOST_HELD = 2_000_000  # regions of all indexes together: 260 MB
Floats = NDArray[np.float64]
_NUMBERS = ("area", "area_pm", "perimeter", "perimeter_pm", "score", "probability", "x", "y")
SORTS = ("id", "label", *_NUMBERS[:-1])


@dataclass(frozen=True, slots=True)
class Places:
    """Converts a result's outlines to pixels of the scene: x right, y down. Works without the scene's file."""

    window: tuple[int, int, int, int]
    view_size: tuple[int, int]
    georeference: Georeference | None  # of the mask; None where outlines are in pixels of the scene already

    @classmethod
    def of(cls, result: Record, mask: Path) -> "Places":
        """The places of a result with its mask, which has the georeference of its pixels."""
        known = place_of_mask(mask) if result.units.on_earth else None
        return cls(result.scene.window, result.scene.view_size, known)

    def pixels(self, points: Floats) -> Floats:
        """Points (N, 2) of outlines in pixels of the scene; not finite where they have no place in it."""
        if self.georeference is None:
            return points
        column, row = self.georeference.from_lonlat(points[:, 0], points[:, 1])
        left, top, width, height = self.window
        wide, high = self.view_size
        return np.column_stack([left + column * width / wide, top + row * height / high])


@dataclass(frozen=True, slots=True, eq=False)
class RegionIndex:
    """The regions of a result, in the order of their file.

    `boxes` (N, 4) are x1, y1, x2, y2 in pixels of the scene; `numbers` the measures by name, NaN where they are not known.
    """

    regions: StoredRegions
    places: Places
    ids: NDArray[np.int64]
    boxes: Floats
    numbers: dict[str, Floats]
    labels: tuple[str, ...]
    label: NDArray[np.intp]  # positions in `labels`
    seams: dict[int, str]  # by position: why windows do not agree on a region, where they do not
    unsure: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def known(self) -> list[str]:
        """What there is to say of at least one region: `label`, and names of measures."""
        found = [name for name in _NUMBERS if np.isfinite(self.numbers[name]).any()]
        return (["label"] if any(self.labels) else []) + found

    @property
    def unsure_count(self) -> int:
        """The number of regions whose probability is below the cut of their calibration."""
        return int(self.unsure.sum())

    def within(self, box: Sequence[float]) -> NDArray[np.intp]:
        """Positions of the regions whose boxes meet a box (x1, y1, x2, y2, scene pixels)."""
        x1, y1, x2, y2 = self.boxes.T
        return np.flatnonzero((x1 <= box[2]) & (x2 >= box[0]) & (y1 <= box[3]) & (y2 >= box[1]))

    def position(self, id_: int) -> int | None:
        """The position of a region; None where there is no such id."""
        if 1 <= id_ <= len(self) and self.ids[id_ - 1] == id_:
            return id_ - 1
        found = np.flatnonzero(self.ids == id_)
        return int(found[0]) if found.size else None

    def outlines(self, positions: Sequence[int]) -> list[Geometry]:
        """The outlines of some regions in pixels of the scene, read from the file."""
        found = [region.geometry for region in self.regions.at(positions)]
        return list(shapely.transform(np.array(found, object), self.places.pixels)) if found else []

    def row(self, position: int) -> dict[str, Any]:
        """The facts of a region: id, label, measures (None where not known), centroid, and its box in scene pixels."""
        known = {name: _known(values[position]) for name, values in self.numbers.items()}
        x, y = known.pop("x"), known.pop("y")
        return {
            "id": int(self.ids[position]),
            "label": self.labels[self.label[position]],
            **known,
            "unsure": bool(self.unsure[position]),
            "seams": seam_words(self.seams[position].split(",")) if position in self.seams else [],
            "centroid": [x, y],
            "box": [round(float(v), 2) for v in self.boxes[position]],
        }

    def ordered(self, by: str = "id", *, down: bool = False) -> NDArray[np.intp]:
        """All positions, sorted; equal ones by id, those without a value last. Raises `argument_invalid` for an unknown order."""
        if by not in SORTS:
            raise T2SError("argument_invalid", f"sort = {by[:40]!r}", f"Choose from {', '.join(SORTS)}")
        if by in ("id", "label"):
            values: Floats = (self.ids if by == "id" else self.label).astype(np.float64)
        else:
            values = self.numbers[by]
        return np.lexsort((self.ids, -values if down else values))


def index_of(result: Record, folder: Path) -> RegionIndex:
    """Reads the regions of a result in `folder` once. Raises `result_damaged`."""
    regions, places, units = StoredRegions(folder / REGIONS), Places.of(result, folder / MASK), result.units
    frame = regions.frame
    wanted = (
        f"area_{units.area}", f"area_pm_{units.area}", f"perimeter_{units.length}", f"perimeter_pm_{units.length}",
        "score", "probability", *units.centroid,
    )  # fmt: skip
    ids, tables, unsure, boxes = [], [np.zeros((0, len(wanted)))], [], [np.zeros((0, 4))]
    labels: list[int] = []
    known: dict[str, int] = {}
    seams: dict[int, str] = {}
    for features in _chunks(regions.features(), _AT_ONCE):
        try:
            points = [_corners(feature["geometry"]) for feature in features]
            flat = np.concatenate(points)
            facts = [feature["properties"] for feature in features]
            tables.append(np.array([[p.get(name) for name in wanted] for p in facts], np.float64))  # None becomes NaN
            ids += [int(p["id"] if "id" in p else f["id"]) for p, f in zip(facts, features, strict=True)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise T2SError(
                "result_damaged", f"the outlines of {result.id} cannot be read", "Make the result again"
            ) from error
        seams |= {len(labels) + i: str(p["seams"]) for i, p in enumerate(facts) if p.get("seams")}
        labels += [known.setdefault(p.get("label") or "", len(known)) for p in facts]
        unsure += [bool(p.get("unsure")) for p in facts]
        if frame is not None and frame.transform is not None:
            flat = np.column_stack(~frame.transform @ (flat[:, 0], flat[:, 1]))
        boxes.append(_boxes(places.pixels(flat), [len(each) for each in points]))
    names = sorted(known)
    order = {known[name]: position for position, name in enumerate(names)}
    table = np.concatenate(tables)
    return RegionIndex(
        regions,
        places,
        np.array(ids, np.int64),
        np.concatenate(boxes),
        {name: table[:, column].copy() for column, name in enumerate(_NUMBERS)},
        tuple(names) or ("",),
        np.array([order[label] for label in labels], np.intp),
        seams,
        np.array(unsure, bool),
    )


def stored_index_of(result: Record, folder: Path) -> RegionIndex:
    """`index_of`, from the file in which it was kept where that fits; of many regions it is kept now."""
    if arrays := read_arrays(folder):
        return _from_arrays(result, folder, arrays)
    made = index_of(result, folder)
    if len(made) >= KEPT_FROM:
        write_arrays(folder, _as_arrays(made))
    return made


def _as_arrays(index: RegionIndex) -> Arrays:
    words = json.dumps({"labels": index.labels, "seams": list(index.seams.items())})
    starts, sizes = index.regions.positions
    return {
        "ids": index.ids,
        "boxes": index.boxes,
        "numbers": np.stack([index.numbers[name] for name in _NUMBERS]),
        "label": index.label,
        "unsure": index.unsure,
        "words": np.frombuffer(words.encode(), np.uint8),
        "starts": np.array(starts),
        "sizes": np.array(sizes),
    }


def _from_arrays(result: Record, folder: Path, arrays: Arrays) -> RegionIndex:
    words = json.loads(arrays["words"].tobytes())
    return RegionIndex(
        StoredRegions.known(folder / REGIONS, arrays["starts"].tolist(), arrays["sizes"].tolist()),
        Places.of(result, folder / MASK),
        arrays["ids"],
        arrays["boxes"],
        dict(zip(_NUMBERS, arrays["numbers"], strict=True)),
        tuple(words["labels"]),
        arrays["label"],
        dict(words["seams"]),
        arrays["unsure"],
    )


class Indexes:
    """The indexes that were used last, of at most two million regions together."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], RegionIndex] = OrderedDict()
        self._lock, self._making = threading.Lock(), threading.Lock()

    def of(self, result: Record, folder: Path) -> RegionIndex:
        """The index of a result in `folder`, made at its first use; others that ask meanwhile wait for it."""
        try:
            key = (str(folder), (folder / REGIONS).stat().st_mtime_ns)
        except OSError as error:
            raise T2SError(
                "result_damaged", f"the outlines of {result.id} cannot be read", "Make the result again"
            ) from error
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        with self._making:
            with self._lock:
                if key in self._held:
                    return self._held[key]
            made = stored_index_of(result, folder)
            with self._lock:
                self._held[key] = made
                while sum(map(len, self._held.values())) > _MOST_HELD and len(self._held) > 1:
                    self._held.popitem(last=False)
            return made


def _chunks(features: Iterable[dict[str, Any]], size: int) -> Iterable[list[dict[str, Any]]]:
    each = iter(features)
    while part := list(itertools.islice(each, size)):
        yield part


def _corners(geometry: dict[str, Any]) -> Floats:
    """The points of the outer rings of a polygon or multipolygon (N, 2)."""
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    rings = [part[0] for part in parts]
    return np.array(rings[0] if len(rings) == 1 else [point for ring in rings for point in ring], np.float64)[:, :2]


def _boxes(points: Floats, counts: Sequence[int]) -> Floats:
    """The boxes (N, 4) of groups of points; without extent at infinity where a group has no finite point."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    finite = np.isfinite(points).all(axis=1).reshape(-1, 1)
    low = np.minimum.reduceat(np.where(finite, points, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, points, -np.inf), starts)
    return np.hstack([low, high])


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
