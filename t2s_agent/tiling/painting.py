"""Paints joined objects block by block, as labels: each pixel as the window shows it whose edge is furthest away.

Objects have numbers from 1 in an order that depends on their pixels alone: by the upper left corner of their boxes, row first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.mask import joined as union
from t2s_agent.regions.region import MOST_REGIONS, Labels
from t2s_agent.tiling.agreement import cropped
from t2s_agent.tiling.loading import Piece, PiecesOf
from t2s_agent.tiling.seams import Joined, JoinedObject
from t2s_agent.tiling.windows import Box, Tiling

BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Painted:
    """An object with its number: `box` and `area` (pixels) before overlaps with other objects are resolved.

    `source` is the id of the piece that shows most of it in the cell of its tile, for score and label.
    """

    number: int
    joined: JoinedObject
    box: Box
    area: int
    first_pixel: tuple[int, int]  # x, y of the first one in row order
    source: int

    @property
    def rank(self) -> tuple[int, ...]:
        """Later ones keep the pixels that several objects share."""
        x, y = self.first_pixel
        return -self.area, -y, -x, -self.number


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """`labels` int32 (h, w): numbers of objects, 0 for none; its upper left pixel is pixel (`x`, `y`) of the grid.

    `last` are the numbers of objects that no later block shows.
    """

    x: int
    y: int
    labels: Labels
    last: tuple[int, ...] = ()


def numbered(tiling: Tiling, joined: Joined, pieces_of: PiecesOf) -> list[Painted]:
    """The objects in the order of their numbers. Reads the pieces of each tile once. Memory: some numbers for each object."""
    if len(joined.objects) > MOST_REGIONS:
        raise T2SError(
            "limit_exceeded", f"there are more than {MOST_REGIONS:,} objects", "Ask about a part of the scene"
        )
    canvas = _Canvas(tiling, joined.objects, pieces_of)
    found = [_Sum(each) for each in joined.objects]
    for tile in canvas.tiles:
        cell = tiling.cell(tile)
        for index, mask, pieces in canvas.parts(tile):
            found[index].add(mask, pieces, cell)
    settled = sorted((each.settled() for each in found), key=lambda each: each.key)
    return [each.painted(number) for number, each in enumerate(settled, 1)]


def blocks(
    tiling: Tiling,
    joined: Joined,
    pieces_of: PiecesOf,
    block: int = BLOCK,
    *,
    objects: Sequence[Painted] | None = None,
    empty: bool = False,
) -> Iterator[Block]:
    """The labels of the grid in blocks of `block` x `block` pixels, row by row; blocks without an object only if `empty`.

    Where objects overlap, the smaller one keeps the pixels, and of equal ones that with the earlier first pixel. `objects` are
    those from `numbered`, for a caller that has them. Memory: the pieces of one tile, and the parts of objects in one block.
    """
    known = numbered(tiling, joined, pieces_of) if objects is None else objects
    canvas = _Canvas(tiling, [each.joined for each in known], pieces_of)
    ends = _last_blocks(known, block)
    done: list[int] = []
    for y in range(0, tiling.height, block):
        for x in range(0, tiling.width, block):
            box = x, y, min(x + block, tiling.width), min(y + block, tiling.height)
            done += ends.pop((x, y), ())
            parts = [
                (known[index], mask)
                for tile in tiling.tiles_at(box)
                if tile.index in canvas.tiles
                for index, mask, _ in canvas.parts(tile.index, box)
                if mask.pixels.size
            ]
            if parts or empty:
                yield Block(x, y, _painted(parts, box), tuple(done))
                done = []


def _painted(parts: Sequence[tuple[Painted, Mask]], box: Box) -> Labels:
    x1, y1, x2, y2 = box
    labels = np.zeros((y2 - y1, x2 - x1), np.int32)
    for each, mask in sorted(parts, key=lambda part: part[0].rank):
        mask.moved(-x1, -y1).paint(labels, each.number)
    return labels


def _last_blocks(objects: Sequence[Painted], block: int) -> dict[tuple[int, int], list[int]]:
    """For blocks by their corner: the objects whose boxes end there."""
    found: dict[tuple[int, int], list[int]] = {}
    for each in objects:
        _, _, x2, y2 = each.box
        found.setdefault(((x2 - 1) // block * block, (y2 - 1) // block * block), []).append(each.number)
    return found


class _Canvas:
    """What each tile contributes to the objects: of an object's pixels those that no other of its tiles sees better."""

    def __init__(self, tiling: Tiling, objects: Sequence[JoinedObject], pieces_of: PiecesOf) -> None:
        self._tiling = tiling
        self._objects = objects
        self._pieces_of = pieces_of
        self._object_of = {piece: index for index, each in enumerate(objects) for piece in each.pieces}
        self.tiles = dict.fromkeys(sorted({tile for each in objects for tile in each.tiles}))

    def parts(self, tile: int, box: Box | None = None) -> Iterator[tuple[int, Mask, list[Piece]]]:
        """Index of an object, its pixels from this tile (in a box), and its pieces there."""
        pieces: dict[int, list[Piece]] = {}
        for piece in self._pieces_of(tile) or ():
            if (index := self._object_of.get(piece.id)) is not None:
                pieces.setdefault(index, []).append(piece)
        for index, own in pieces.items():
            masks = [piece.mask if box is None else cropped(piece.mask, box) for piece in own]
            mask = Mask.of(masks[0].pixels, masks[0].x, masks[0].y) if len(masks) == 1 else union(masks)
            yield index, _best_seen(self._tiling, tile, self._objects[index].tiles, mask), own


def _best_seen(tiling: Tiling, tile: int, tiles: Sequence[int], mask: Mask) -> Mask:
    """The pixels of a mask of one tile for which none of the other `tiles` has its inner edges further away."""
    pixels = None
    for other in sorted(set(tiles) - {tile}):
        x1, y1, x2, y2 = (
            *map(max, mask.bounds[:2], tiling[other].box[:2]),
            *map(min, mask.bounds[2:], tiling[other].box[2:]),
        )
        if x1 >= x2 or y1 >= y2:
            continue
        own, its = _edge_distances(tiling, tile, (x1, y1, x2, y2)), _edge_distances(tiling, other, (x1, y1, x2, y2))
        lost = its > own if tile < other else its >= own
        pixels = mask.pixels.copy() if pixels is None else pixels
        pixels[y1 - mask.y : y2 - mask.y, x1 - mask.x : x2 - mask.x] &= ~lost
    return mask if pixels is None else Mask.of(pixels, mask.x, mask.y)


def _edge_distances(tiling: Tiling, tile: int, box: Box) -> NDArray[np.int64]:
    """Twice the distance of each pixel of a box (h, w) to the nearest inner edge of a tile."""
    x1, y1, x2, y2 = box
    left, top, right, bottom = tiling.inner_edges(tile)
    across = _axis_distances(x1, x2, left, right)
    down = _axis_distances(y1, y2, top, bottom)
    return np.minimum(across[None, :], down[:, None])


def _axis_distances(low: int, high: int, first: int | None, second: int | None) -> NDArray[np.int64]:
    middles = 2 * np.arange(low, high) + 1
    distances = np.full(high - low, np.iinfo(np.int64).max)
    if first is not None:
        distances = np.minimum(distances, middles - 2 * first)
    if second is not None:
        distances = np.minimum(distances, 2 * second - middles)
    return distances


@dataclass(frozen=True, slots=True)
class _Extent:
    area: int
    box: Box
    first: tuple[int, int]  # y, x of the first pixel in row order

    @classmethod
    def of(cls, mask: Mask) -> "_Extent":
        """Of a mask whose first row has a pixel."""
        return cls(mask.area, mask.bounds, (mask.y, mask.x + int(mask.pixels[0].argmax())))

    def with_other(self, other: "_Extent | None") -> "_Extent":
        if other is None:
            return self
        a, b = self.box, other.box
        box = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
        return _Extent(self.area + other.area, box, min(self.first, other.first))


@dataclass(slots=True)
class _Sum:
    """What is known of an object from the tiles so far."""

    joined: JoinedObject
    extent: _Extent | None = None
    source: tuple[int, int] = (-1, 0)  # the largest area of a piece in its tile's cell, and the id of that piece
    largest: tuple[_Extent, Piece] | None = None

    def add(self, mask: Mask, pieces: Sequence[Piece], cell: Box) -> None:
        """The pixels of the object from one tile, and the pieces that they come from."""
        if mask.pixels.size:
            self.extent = _Extent.of(mask).with_other(self.extent)
        self.source = max(self.source, *((cropped(piece.mask, cell).area, piece.id) for piece in pieces))
        for piece in pieces:
            extent = _Extent.of(Mask.of(piece.mask.pixels, piece.mask.x, piece.mask.y))
            if self.largest is None or extent.area > self.largest[0].area:
                self.largest = extent, piece

    def settled(self) -> "_Settled":
        """The object as it will be painted: by its largest piece alone if the tiles differ so much that less than half of it is left."""
        if self.largest is None:  # no piece of it was given again
            raise RuntimeError(
                f"the pieces {self.joined.pieces[:5]} of an object were joined but are not given for painting"
            )
        extent, piece = self.largest
        if self.extent is not None and 2 * self.extent.area >= extent.area:
            return _Settled(self.joined, self.extent, self.source[1])
        others = tuple(each for each in self.joined.pieces if each != piece.id)
        alone = replace(self.joined, pieces=(piece.id,), tiles=(piece.tile,), aside=self.joined.aside + others)
        return _Settled(alone, extent, piece.id)


@dataclass(frozen=True, slots=True)
class _Settled:
    joined: JoinedObject
    extent: _Extent
    source: int

    @property
    def key(self) -> tuple[int, ...]:
        x1, y1, x2, y2 = self.extent.box
        return y1, x1, *self.extent.first, self.extent.area, y2, x2

    def painted(self, number: int) -> Painted:
        y, x = self.extent.first
        return Painted(number, self.joined, self.extent.box, self.extent.area, (x, y), self.source)
