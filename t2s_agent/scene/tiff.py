"""Reads the directories of a TIFF file before GDAL decodes anything: the size of blocks, and their compression.

GDAL reports the block size of the image only. Overviews and masks are separate directories, and their blocks can have any
size. Tag numbers are from TIFF 6.0 (Adobe, 1992); BigTIFF is read too.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_DIRECTORIES = 4096
_SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of the integer types
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_ORIENTATION = 274
_NEW_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR = 254, 256, 257, 258, 259, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES = 322, 323, 330
_WANTED = {
    _NEW_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES,
    _ORIENTATION,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directory:
    """One image in a TIFF file. Sizes in pixels; `block_bytes` is the size of one decoded block."""

    width: int
    height: int
    block_width: int
    block_height: int
    block_bytes: int
    compression: int
    overview: bool
    mask: bool


def directories(descriptor: int) -> list[Directory]:
    """The image, its overviews and its masks; the list ends at a damaged directory."""
    reader = _Reader(descriptor)
    found = []
    for tags in reader.all():
        width, height = _one(tags, _WIDTH, 0), _one(tags, _HEIGHT, 0)
        if width < 1 or height < 1:
            continue
        tiled = _TILE_WIDTH in tags
        block_width = _one(tags, _TILE_WIDTH, width) if tiled else width
        block_height = _one(tags, _TILE_HEIGHT, height) if tiled else min(_one(tags, _ROWS, height), height)
        samples = _one(tags, _SAMPLES, 1) if _one(tags, _PLANAR, 1) == 1 else 1
        item = max(1, -(-_one(tags, _BITS, 1) // 8))
        kind = _one(tags, _NEW_SUBFILE, 0)
        found.append(
            Directory(
                width,
                height,
                block_width,
                block_height,
                block_width * block_height * samples * item,
                _one(tags, _COMPRESSION, 1),
                overview=bool(kind & 1),
                mask=bool(kind & 4),
            )
        )
    return found


def first_orientation(descriptor: int, start: int = 0) -> int:
    """The orientation in the first directory, 1 (none) to 8. `start` is the offset of the TIFF in the file."""
    return _one(next(_Reader(descriptor, start).all(), {}), _ORIENTATION, 1)


def _one(tags: dict[int, tuple[int, ...]], tag: int, default: int) -> int:
    return tags[tag][0] if tags.get(tag) else default


class _Reader:
    """Follows the chain of directories of one file. Classic TIFF and BigTIFF differ only in the size of numbers."""

    def __init__(self, descriptor: int, start: int = 0) -> None:
        self._descriptor, self._start = descriptor, start
        head = self._bytes(16, 0)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = len(head) == 16 and head[2:4] in (b"\x2b\x00", b"\x00\x2b")
        pointer, at = ("Q", 8) if self._big else ("I", 4)
        self._first = self._unpack(pointer, head[at:])[0] if len(head) >= at + struct.calcsize(pointer) else 0

    def all(self) -> Iterator[dict[int, tuple[int, ...]]]:
        """The tags in `_WANTED` of each directory; children come after their parent, each directory once."""
        waiting, visited = [self._first], set[int]()
        while waiting and len(visited) < _MOST_DIRECTORIES:
            at = waiting.pop(0)
            if at == 0 or at in visited:
                continue
            visited.add(at)
            try:
                tags, following = self._directory(at)
            except (struct.error, OSError, OverflowError):
                continue
            yield tags
            waiting += [*tags.get(_SUB_DIRECTORIES, ()), following]

    def _directory(self, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
        count_of, entry, pointer = ("Q", "HHQ", "Q") if self._big else ("H", "HHI", "I")
        start = struct.calcsize(self._order + count_of)
        (count,) = self._unpack(count_of, self._bytes(start, at))
        size = struct.calcsize(self._order + entry) + struct.calcsize(self._order + pointer)
        count = min(count, 4096)
        raw = self._bytes(count * size + 8, at + start)
        tags = {}
        for i in range(count):
            tag, kind, values = self._unpack(entry, raw[i * size :])
            if tag in _WANTED and kind in _SIZES and values > 0:
                field = raw[i * size + struct.calcsize(self._order + entry) : (i + 1) * size]
                tags[tag] = self._values(kind, min(values, 1024), field, pointer)
        return tags, self._unpack(pointer, raw[count * size :])[0]

    def _values(self, kind: int, count: int, field: bytes, pointer: str) -> tuple[int, ...]:
        length = _SIZES[kind] * count
        if length > len(field):
            field = self._bytes(length, self._unpack(pointer, field)[0])
        return tuple(int(v) for v in self._unpack(f"{count}{_LETTERS[kind]}", field))

    def _bytes(self, length: int, at: int) -> bytes:
        return os.pread(self._descriptor, length, self._start + at)

    def _unpack(self, form: str, raw: bytes) -> tuple[int, ...]:
        form = self._order + form
        return struct.unpack(form, raw[: struct.calcsize(form)])
