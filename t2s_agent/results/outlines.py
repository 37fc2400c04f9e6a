"""Reads the regions of a stored result from its GeoJSON file, one at a time.

What is held is where each feature begins in the file: sixteen bytes a region, however long its outline is.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, overload

from pydantic_core import from_json

from t2s_agent.errors import T2SError
from t2s_agent.regions.frame import Frame
from t2s_agent.regions.geojson import region_from
from t2s_agent.regions.region import Region, ids_in_words

_FEATURES = re.compile(r'"features"\s*:\s*\[')  # within a string the second quote would be escaped
_BETWEEN = re.compile(r"[\s,]*")
_BBOX, _GEOMETRY, _PROPERTIES = (
    b'"bbox":',
    b',"geometry":',
    b'"properties":',
)  # as text_of writes them; never within a string
_NO_OUTLINE: dict[str, Any] = {"type": "Polygon", "coordinates": []}


def read_outlines(path: Path) -> dict[str, Any]:
    """The whole FeatureCollection of a result. Raises `result_damaged` where the file is missing or not whole."""
    try:
        collection: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    return collection


def _damaged(path: Path) -> T2SError:
    return T2SError("result_damaged", f"the outlines of {path.parent.name} cannot be read", "Make the result again")


class StoredRegions(Sequence[Region]):
    """The regions of a result in the order of their ids: `regions[0]`, `regions[-3:]`, `len(regions)`, `for region in regions`.

    Positions count from 0, ids from 1: `by_id` finds a region by its id. Each access reads the file and makes a new `Region`.
    Without `outlines` the geometry of regions on Earth is empty, and reading takes a third of the time.
    Files of earlier versions, which are one long line, are read too. Raises `result_damaged` if the file cannot be read.
    """

    def __init__(self, path: Path, *, outlines: bool = True) -> None:
        self._path, self._outlines = path, outlines

    @classmethod
    def known(cls, path: Path, starts: Iterable[int], sizes: Iterable[int]) -> "StoredRegions":
        """The regions of a file of which `positions` are known, so that it need not be read for them."""
        found = cls(path)
        try:
            with path.open("rb") as file:
                frame = _frame(file.readline().decode("utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        found._index = _Index(array("q", starts), array("q", sizes), frame)
        return found

    @property
    def positions(self) -> tuple[Sequence[int], Sequence[int]]:
        """Where each feature begins in the file, and how long it is, in bytes."""
        return self._index.starts, self._index.sizes

    def __len__(self) -> int:
        return len(self._index.starts)

    @overload
    def __getitem__(self, position: int) -> Region: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Region, ...]: ...
    def __getitem__(self, position: int | slice) -> Region | tuple[Region, ...]:
        chosen = range(len(self))[position]
        if isinstance(chosen, int):
            return next(self._read((chosen,)))
        return tuple(self._read(chosen))

    def __iter__(self) -> Iterator[Region]:
        return self._read(range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} region{'s' * (len(self) != 1)} of {self._path.parent.name}>"

    def by_id(self, id_: int) -> Region:
        """Returns the region of that id. Raises `region_unknown`."""
        if 1 <= id_ <= len(self) and (region := self[id_ - 1]).id == id_:
            return region
        ids: Sequence[int] = range(1, len(self) + 1)
        if len(self) and self[-1].id != len(self):  # a result of an earlier version, with gaps
            ids = [region.id for region in StoredRegions(self._path, outlines=False)]
        if id_ in ids:
            return self[ids.index(id_)]
        raise T2SError("region_unknown", f"{self._path.parent.name} has no region {id_}", ids_in_words(ids))

    def at(self, positions: Sequence[int]) -> Iterator[Region]:
        """Reads the regions at these positions, in their order."""
        return self._read(positions)

    def features(self, positions: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
        """Reads the GeoJSON features at these positions (default: all) as they are written, in the coordinates of `frame`."""
        return self._parsed(positions, partial(from_json, cache_strings="keys"))  # a third faster than json

    @property
    def frame(self) -> Frame | None:
        """The coordinates of the file; None for older files in pixels. On Earth its `transform` is None: longitude and latitude."""
        return self._index.frame

    def _read(self, positions: Sequence[int]) -> Iterator[Region]:
        frame = self._index.frame
        if self._outlines or (frame is not None and frame.transform is not None):
            return (region_from(feature, frame) for feature in self.features(positions))
        return (region_from(feature, frame) for feature in self._parsed(positions, _without_outline))

    def _parsed(
        self, positions: Sequence[int] | None, parse: Callable[[bytes], dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        index = self._index
        try:
            with self._path.open("rb") as file:
                for position in range(len(self)) if positions is None else positions:
                    file.seek(index.starts[position])
                    yield parse(file.read(index.sizes[position]))
        except (OSError, ValueError) as error:
            raise _damaged(self._path) from error

    @cached_property
    def _index(self) -> "_Index":
        try:
            return _index_of(self._path)
        except (OSError, ValueError) as error:
            raise _damaged(self._path) from error


@dataclass(frozen=True, slots=True)
class _Index:
    """The positions and lengths of features in a file, in bytes; and the frame of their coordinates."""

    starts: "array[int]"
    sizes: "array[int]"
    frame: Frame | None


def _index_of(path: Path) -> _Index:
    """Returns the index of a file. Raises ValueError for a file that is not GeoJSON of this form."""
    starts, sizes = array("q"), array("q")
    with path.open("rb") as file:
        first = file.readline()
        if not first.rstrip().endswith(b"["):
            return _index_of_line(first + file.read())
        at, line = len(first), first
        for line in file:
            if line.startswith(b"{"):
                starts.append(at)
                sizes.append(len(line.rstrip(b",\r\n")))
            at += len(line)
    if line.strip() != b"]}":
        raise ValueError("the end is missing")  # a file cut between two lines would have fewer regions
    return _Index(starts, sizes, _frame(first.decode("utf-8")))


def _index_of_line(data: bytes) -> _Index:
    """Returns the index of a file of one line, as earlier versions wrote it."""
    text = data.decode("latin-1")  # one character per byte, so that positions equal those in the file
    begun = _FEATURES.search(text)
    if begun is None:
        raise ValueError("no features")
    starts, sizes, decoder = array("q"), array("q"), json.JSONDecoder()
    at = _skipped(text, begun.end())
    while text[at : at + 1] == "{":
        _, end = decoder.raw_decode(text, at)
        starts.append(at)
        sizes.append(end - at)
        at = _skipped(text, end)
    if text[at : at + 1] != "]":
        raise ValueError("the end is missing")
    return _Index(starts, sizes, _frame(text[: begun.end()]))


def _without_outline(data: bytes) -> dict[str, Any]:
    """Parses a feature but for its geometry; the whole of it where it is not written as `text_of` does."""
    bbox, geometry, properties = data.find(_BBOX), data.find(_GEOMETRY), data.find(_PROPERTIES)
    if 0 < bbox < geometry < properties:
        values = json.loads(data[properties + len(_PROPERTIES) : -1])
        if "id" in values:
            box = json.loads(data[bbox + len(_BBOX) : geometry])
            return {"bbox": box, "geometry": _NO_OUTLINE, "properties": values}
    whole: dict[str, Any] = json.loads(data)
    return whole


def _skipped(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _frame(head: str) -> Frame | None:
    about: dict[str, Any] = json.loads(head.rstrip() + "]}")
    return Frame.read(about.get("frame"))
