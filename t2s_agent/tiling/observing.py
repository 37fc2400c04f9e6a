"""Compares the pieces of each pair of tiles that share pixels, and notes what follows for joining them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from t2s_agent.mask import Mask
from t2s_agent.tiling.agreement import COVERED, OUTLINE_PX, compare, cropped
from t2s_agent.tiling.loading import Loader, Piece
from t2s_agent.tiling.parts import grown
from t2s_agent.tiling.windows import Box, Tile, Tiling

EDGE_PX = 2  # a mask that ends so close to an inner edge can be cut by it: models stop a little before the edge of their picture
_MARGIN_PX = 8  # next to an edge of a tile, where its outlines are least certain


@dataclass(slots=True)
class Seen:
    """What is known of all pieces, by their number: tile by tile, in each tile in the loader's order."""

    ids: list[int] = field(default_factory=list)
    tiles: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    cuts: list[tuple["Cut", ...]] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)  # the number of the first piece of each tile that was looked at
    links: list[tuple[float, int, int]] = field(default_factory=list)
    weak: list[tuple[int, int]] = field(default_factory=list)
    disputed: list[tuple[int, int]] = field(default_factory=list)
    stands_for: dict[int, tuple[float, int]] = field(
        default_factory=dict
    )  # set aside: how well it is shown, and by which
    slivers: set[int] = field(default_factory=set)  # cut, and in what a neighbour sees with more around it
    confirmed: set[int] = field(default_factory=set)  # slivers that such a neighbour shows too


@dataclass(frozen=True, slots=True)
class Cut:
    """A run of pixels on an inner edge: `side` 0 to 3 for x1, y1, x2, y2; `low` to `high` along the edge."""

    side: int
    low: int
    high: int

    def beyond(self, tile: Tile) -> Box:
        """The pixels just outside of the tile."""
        x1, y1, x2, y2 = tile.box
        return (
            (x1 - 1, self.low, x1, self.high),
            (self.low, y1 - 1, self.high, y1),
            (x2, self.low, x2 + 1, self.high),
            (self.low, y2, self.high, y2 + 1),
        )[self.side]


def observed(tiling: Tiling, load: Loader, threshold: float) -> Seen:
    """What is known of all pieces, after each pair of tiles that share pixels is compared."""
    seen = Seen()
    for tile in tiling:
        pieces = load(tile.index)
        if pieces is None:
            continue
        seen.first[tile.index] = len(seen.ids)
        for piece in pieces:
            seen.ids.append(piece.id)
            seen.tiles.append(tile.index)
            seen.boxes.append(piece.mask.bounds)
            seen.cuts.append(tuple(_cuts(tiling, tile, piece.mask)))
        for other in tiling.neighbours(tile.index):
            if other.index < tile.index and (theirs := load(other.index)) is not None and (pieces or theirs):
                _pair(seen, _View(tile, pieces, seen), _View(other, theirs, seen), threshold)
    return seen


class _View:
    """One tile's pieces, as one of a pair of tiles."""

    def __init__(self, tile: Tile, pieces: Sequence[Piece], seen: Seen) -> None:
        self.tile = tile
        self.masks = [piece.mask for piece in pieces]
        self.numbers = range(seen.first[tile.index], seen.first[tile.index] + len(pieces))
        self._cuts = [seen.cuts[number] for number in self.numbers]

    def within(self, box: Box) -> tuple[list[int], list[Mask]]:
        """The positions of the pieces that have pixels in a box, and those pixels."""
        parts = [(i, part) for i, mask in enumerate(self.masks) if (part := cropped(mask, box)).pixels.size]
        return [i for i, _ in parts], [part for _, part in parts]

    def slivers(self, other: Tile) -> set[int]:
        """Positions of pieces that lie whole in another tile, and that an edge cuts behind which that tile sees more."""
        return {
            i
            for i, (mask, cuts) in enumerate(zip(self.masks, self._cuts, strict=True))
            if contains(other.box, mask.bounds) and any(meet(cut.beyond(self.tile), other.box) for cut in cuts)
        }


def _pair(seen: Seen, one: _View, two: _View, threshold: float) -> None:
    """Compares the pieces of two tiles, and notes what follows."""
    shared = _shared(one.tile.box, two.tile.box)
    at_one, ps = one.within(shared)
    at_two, qs = two.within(shared)
    slivers_one, slivers_two = one.slivers(two.tile), two.slivers(one.tile)
    seen.slivers |= {one.numbers[i] for i in slivers_one} | {two.numbers[j] for j in slivers_two}
    compared = compare(ps, qs, _without_margin(shared, one.tile.box, two.tile.box), threshold)
    shown: set[int] = set()
    for match in compared.matches:
        i, j = at_one[match.first], at_two[match.second]
        a, b = one.numbers[i], two.numbers[j]
        shown |= {a, b}
        if (i in slivers_one) == (j in slivers_two):
            seen.links.append((match.iou, a, b))
            if not match.sure:
                seen.weak.append((a, b))
        elif i in slivers_one:
            _set_aside(seen, a, match.iou, b)
        else:
            _set_aside(seen, b, match.iou, a)
    seen.disputed += [(one.numbers[at_one[i]], two.numbers[at_two[j]]) for i, j in compared.disputes]
    for view, slivers, other in ((one, slivers_one, two), (two, slivers_two, one)):
        for i in sorted(slivers):
            number = view.numbers[i]
            if number not in shown and (found := _best_cover(view.masks[i], other.masks)):
                share, j = found
                shown.add(number)
                _set_aside(seen, number, share - 1, other.numbers[j])  # below any match
    seen.confirmed |= shown & seen.slivers


def _set_aside(seen: Seen, sliver: int, how_well: float, by: int) -> None:
    if sliver not in seen.stands_for or (how_well, -by) > (seen.stands_for[sliver][0], -seen.stands_for[sliver][1]):
        seen.stands_for[sliver] = how_well, by


def _best_cover(sliver: Mask, masks: Sequence[Mask]) -> tuple[float, int] | None:
    """The mask that covers most of a sliver, within the tolerance of outlines; None where none covers half of it."""
    area = sliver.area
    wide = grown(sliver, OUTLINE_PX)
    found = []
    for j, mask in enumerate(masks):
        near = cropped(mask, wide.bounds)
        if near.pixels.size and (share := sliver.shared(grown(near, OUTLINE_PX)) / area) >= COVERED:
            found.append((share, sliver.shared(mask), -j))
    if not found:
        return None
    share, _, position = max(found)
    return share, -position


def _without_margin(shared: Box, one: Box, two: Box) -> Box:
    """The shared pixels without those next to an edge of one tile behind which the other tile sees more."""
    x1, y1, x2, y2 = shared
    across, down = min(_MARGIN_PX, (x2 - x1) // 8), min(_MARGIN_PX, (y2 - y1) // 8)
    return (
        x1 + across * (one[0] != two[0]),
        y1 + down * (one[1] != two[1]),
        x2 - across * (one[2] != two[2]),
        y2 - down * (one[3] != two[3]),
    )


def _shared(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def meet(a: Box, b: Box) -> bool:
    """Whether two boxes share pixels."""
    x1, y1, x2, y2 = _shared(a, b)
    return x1 < x2 and y1 < y2


def contains(a: Box, b: Box) -> bool:
    """Whether `b` lies in `a`."""
    return a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]


def _cuts(tiling: Tiling, tile: Tile, mask: Mask) -> Iterator[Cut]:
    """The runs of pixels of a mask on the inner edges of its tile, or next to them."""
    x1, y1 = mask.x, mask.y
    edges = tiling.inner_edges(tile.index)
    gaps = [None if edge is None else abs(edge - own) for edge, own in zip(edges, mask.bounds, strict=True)]
    near = min(EDGE_PX, tiling.overlap // 4)
    for side, gap in enumerate(gaps):
        if gap is None or gap > near:
            continue
        deep = near - gap + 1  # rows or columns of the mask that are next to the edge
        line = (mask.pixels[:, :deep], mask.pixels[:deep].T, mask.pixels[:, -deep:], mask.pixels[-deep:].T)[side].any(1)
        ends = np.flatnonzero(np.diff(np.pad(line, 1).astype(np.int8)))
        offset = (y1, x1, y1, x1)[side]
        for low, high in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
            yield Cut(side, offset + low, offset + high)
