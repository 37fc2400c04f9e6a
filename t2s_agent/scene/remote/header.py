"""Reads the header of a TIFF or BigTIFF file: where the blocks of the image, its overviews and masks are.

Tag numbers are from TIFF 6.0 (Adobe, 1992). The bytes come from a function that fetches what is missing, so reading the
header also makes sure that all of it is there when GDAL reads it: directories and the values of all tags, of whatever meaning.
The arrays of offsets and byte counts are read later, in the parts that a window needs, since they can be megabytes.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from t2s_agent.scene.remote.ranges import Range, join

Read = Callable[[int, int], bytes]  # the bytes of a file from a first one up to, not including, another
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_KIND, _WIDTH, _HEIGHT, _SAMPLES, _ROWS, _PLANAR = 254, 256, 257, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES = 322, 323, 330
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_ARRAYS = {_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS}
_MOST_DIRECTORIES = 4096
_MOST_TAGS = 4096  # of one directory
_MOST_BLOCKS = 2**21  # of one read: 90,000 px in blocks of 64 px
_LONGEST_VALUES = 16 * 2**20  # bytes of one tag
_TOGETHER = 2**20  # bytes of both arrays that are read at once
_PAGE = 4096  # bytes: an array is read in such parts, as libtiff does
_AROUND = 4  # bytes: a COG writes a block's length before it and its last bytes again after it, and GDAL may read both


class NoPlan(Exception):
    """The file is no TIFF, or its header is damaged or unusual, so that its blocks are not known."""


@dataclass(frozen=True, slots=True)
class Array:
    """The values of a tag: numbers of `size` bytes, from byte `at` of the file on."""

    at: int
    count: int
    letter: str
    order: str

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return struct.calcsize(self.order + self.letter)

    def read(self, read: Read, indexes: Iterable[int]) -> dict[int, int]:
        """The numbers at some indexes, in the pages of the file that hold them."""
        wanted = sorted(set(indexes))
        pages = join(self._page(index) for index in wanted)
        found, at = {}, 0
        for start, stop in pages:
            raw = read(start, stop)
            while at < len(wanted) and self.at + (wanted[at] + 1) * self.size <= stop:
                place = self.at + wanted[at] * self.size - start
                found[wanted[at]] = int(struct.unpack_from(self.order + self.letter, raw, place)[0])
                at += 1
        return found

    def _page(self, index: int) -> Range:
        first = self.at + index * self.size
        return first // _PAGE * _PAGE, -(-(first + self.size) // _PAGE) * _PAGE


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a TIFF file, in blocks. Sizes in pixels; `planes` is the number of bands that are stored apart, else 1."""

    width: int
    height: int
    block_width: int
    block_height: int
    planes: int
    overview: bool
    mask: bool
    offsets: Array
    counts: Array

    @property
    def across(self) -> int:
        """Blocks in a row."""
        return math.ceil(self.width / self.block_width)

    @property
    def down(self) -> int:
        """Rows of blocks."""
        return math.ceil(self.height / self.block_height)

    def blocks(self, left: int, top: int, right: int, bottom: int, planes: Iterable[int]) -> Iterator[int]:
        """The indexes of the blocks that a box of pixels touches (`right` and `bottom` not included), for some planes.

        Raises NoPlan where they are more than any read can need.
        """
        columns = range(max(0, left) // self.block_width, min(self.across, -(-right // self.block_width)))
        rows = range(max(0, top) // self.block_height, min(self.down, -(-bottom // self.block_height)))
        if len(columns) * len(rows) > _MOST_BLOCKS:
            raise NoPlan("very small blocks")
        for plane in planes:
            for row in rows:
                first = (plane * self.down + row) * self.across
                yield from (first + column for column in columns)

    def ranges(self, read: Read, blocks: Iterable[int]) -> list[Range]:
        """Where blocks are in the file, without those that are left out of it."""
        wanted = sorted(blocks)
        if wanted and max(wanted) >= min(self.offsets.count, self.counts.count):
            raise NoPlan("a list of blocks is too short")
        try:
            _read_both(read, self.offsets, self.counts, wanted)
            offsets, counts = self.offsets.read(read, wanted), self.counts.read(read, wanted)
        except struct.error as error:
            raise NoPlan("a list of blocks ends early") from error
        return [
            (offsets[index] - _AROUND, offsets[index] + counts[index] + _AROUND) for index in wanted if counts[index]
        ]


def read_images(read: Read) -> list[Image]:
    """All images of a TIFF file, in the order of its directories. Raises NoPlan."""
    try:
        return list(_Header(read).images())
    except struct.error as error:
        raise NoPlan("the header ends early") from error


def _read_both(read: Read, offsets: Array, counts: Array, wanted: list[int]) -> None:
    """Fetches the ends of what is needed of two arrays that lie close together, so that it takes one request."""
    if not wanted:
        return
    first, last = min(wanted), max(wanted)
    spans = [(array.at + first * array.size, array.at + (last + 1) * array.size) for array in (offsets, counts)]
    for start, stop in join(spans):
        if stop - start <= _TOGETHER:
            read(start, stop)


class _Header:
    """Follows the chain of directories. Classic TIFF and BigTIFF differ only in the size of numbers."""

    def __init__(self, read: Read) -> None:
        self._read = read
        head = read(0, 16)
        if head[:4] not in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
            raise NoPlan("no TIFF file")
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = 43 in head[2:4]
        self._pointer = "Q" if self._big else "I"
        self._first = self._unpack(self._pointer, head[8 if self._big else 4 :])[0]

    def images(self) -> Iterator[Image]:
        waiting, visited = [self._first], set[int]()
        while waiting:
            at = waiting.pop(0)
            if at == 0 or at in visited:
                continue
            visited.add(at)
            if len(visited) > _MOST_DIRECTORIES:
                raise NoPlan("too many directories")
            tags, following = self._directory(at)
            waiting += [*self._numbers(tags.get(_SUB_DIRECTORIES)), following]
            yield self._image(tags)

    def _image(self, tags: dict[int, Array]) -> Image:
        width, height = self._one(tags, _WIDTH, 0), self._one(tags, _HEIGHT, 0)
        tiled = _TILE_WIDTH in tags
        block_width = self._one(tags, _TILE_WIDTH, width) if tiled else width
        block_height = self._one(tags, _TILE_HEIGHT, height) if tiled else min(self._one(tags, _ROWS, height), height)
        offsets = tags.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
        counts = tags.get(_TILE_COUNTS if tiled else _STRIP_COUNTS)
        if min(width, height, block_width, block_height) < 1 or offsets is None or counts is None:
            raise NoPlan("a directory without sizes or blocks")
        kind = self._one(tags, _KIND, 0)
        planes = self._one(tags, _SAMPLES, 1) if self._one(tags, _PLANAR, 1) == 2 else 1
        return Image(
            width, height, block_width, block_height, planes, bool(kind & 1), bool(kind & 4), offsets, counts
        )  # fmt: skip

    def _directory(self, at: int) -> tuple[dict[int, Array], int]:
        """The tags of a directory, and the place of the following one. Values that are not in it are fetched."""
        count_of, entry = ("Q", "HHQ") if self._big else ("H", "HHI")
        begin = at + struct.calcsize(self._order + count_of)
        (count,) = self._unpack(count_of, self._read(at, begin))
        if count > _MOST_TAGS:
            raise NoPlan("too many tags")
        head, field = struct.calcsize(self._order + entry), struct.calcsize(self._order + self._pointer)
        size = head + field
        raw = self._read(begin, begin + count * size + field)
        tags = {}
        for i in range(count):
            tag, kind, values = self._unpack(entry, raw[i * size :])
            at = begin + i * size + head
            length = values * _SIZES.get(kind, 1)
            if length > field:
                (at,) = self._unpack(self._pointer, raw[i * size + head :])
                if tag not in _ARRAYS and length > _LONGEST_VALUES:
                    raise NoPlan("a tag with very long values")
                if tag not in _ARRAYS:
                    self._read(at, at + length)
            if kind in _LETTERS and values:
                tags[tag] = Array(at, values, _LETTERS[kind], self._order)
        return tags, self._unpack(self._pointer, raw[count * size :])[0]

    def _one(self, tags: dict[int, Array], tag: int, default: int) -> int:
        return self._numbers(tags.get(tag), 1)[0] if tag in tags else default

    def _numbers(self, array: Array | None, most: int = 1024) -> list[int]:
        if array is None:
            return []
        count = min(array.count, most)
        return [
            int(value)
            for value in self._unpack(f"{count}{array.letter}", self._read(array.at, array.at + count * array.size))
        ]

    def _unpack(self, form: str, raw: bytes) -> tuple[int, ...]:
        form = self._order + form
        return struct.unpack(form, raw[: struct.calcsize(form)])
