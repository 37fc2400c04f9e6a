"""Joins the pieces of objects that tiles cut: which pieces of which tiles are one object, and where that is not sure.

Two pieces of different tiles are one object if they agree on the pixels that both tiles saw (`agreement`). A piece that is cut
by an inner edge of its tile, and lies whole in what a neighbour sees with more around it, only says what that neighbour says
better: it is set aside, and the neighbour's piece stands for it. An object on which the tiles do not agree is marked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from t2s_agent.mask import Mask
from t2s_agent.tiling.agreement import COVERED, OUTLINE_PX, compare, cropped
from t2s_agent.tiling.loading import Loader, Piece, PiecesOf
from t2s_agent.tiling.parts import grown
from t2s_agent.tiling.windows import Box, Tile, Tiling

EDGE_PX = 2  # a mask that ends so close to an inner edge can be cut by it: models stop a little before the edge of their picture
_MARGIN_PX = 8  # next to an edge of a tile, where its outlines are least certain
REASONS = {
    "cut": "an edge of a window cuts it, and the window behind that edge shows nothing that continues it",
    "edge_unseen": "it continues in a window that was not looked at",
    "unconfirmed": "one window shows a cut part of it, and a window that sees more there does not show it",
    "weak_match": "its parts from different windows agree only roughly",
    "windows_disagree": "one window shows one object where another shows several",
}


@dataclass(frozen=True, slots=True)
class JoinedObject:
    """`pieces` are the ids of the pieces that show the object, `aside` of those that others stand for; `unsure` are `REASONS`."""

    pieces: tuple[int, ...]
    tiles: tuple[int, ...]  # of the pieces
    aside: tuple[int, ...] = ()
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """The objects of a tiling, in the order of their first pieces (tile by tile). Each piece belongs to one of them."""

    objects: tuple[JoinedObject, ...]

    @property
    def unsure(self) -> int:
        """The number of objects that are marked."""
        return sum(bool(each.unsure) for each in self.objects)


def join(tiling: Tiling, pieces_of: PiecesOf, threshold: float = 0.5) -> Joined:
    """Joins pieces to objects. The result depends neither on the order of tiles and pieces nor on ids.

    `pieces_of` gives the pieces of a tile, and None for a tile that was not looked at: such a tile is nobody's neighbour. It is
    called several times for a tile. Memory: the pieces of a few tiles, and some numbers for each piece.
    """
    seen = _observed(tiling, Loader(pieces_of), threshold)
    return Joined(tuple(_objects(tiling, seen)))


@dataclass(slots=True)
class _Seen:
    """What is known of all pieces, by their number: tile by tile, in each tile in the loader's order."""

    ids: list[int] = field(default_factory=list)
    tiles: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    cuts: list[tuple["_Cut", ...]] = field(default_factory=list)
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
class _Cut:
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


def _observed(tiling: Tiling, load: Loader, threshold: float) -> _Seen:
    seen = _Seen()
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

    def __init__(self, tile: Tile, pieces: Sequence[Piece], seen: _Seen) -> None:
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
            if _contains(other.box, mask.bounds) and any(_meet(cut.beyond(self.tile), other.box) for cut in cuts)
        }


def _pair(seen: _Seen, one: _View, two: _View, threshold: float) -> None:
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


def _set_aside(seen: _Seen, sliver: int, how_well: float, by: int) -> None:
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


def _meet(a: Box, b: Box) -> bool:
    x1, y1, x2, y2 = _shared(a, b)
    return x1 < x2 and y1 < y2


def _contains(a: Box, b: Box) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]


def _objects(tiling: Tiling, seen: _Seen) -> Iterator[JoinedObject]:
    stands_for, agreed = _resolved(seen)
    groups = _Groups(tiling, seen)
    refused = [
        (a, b)
        for _, a, b in sorted(seen.links, key=lambda link: (-link[0], link[1], link[2]))
        if a not in stands_for and b not in stands_for and not groups.unite(a, b)
    ]
    members: dict[int, list[int]] = {}
    for number in range(len(seen.ids)):
        if number not in stands_for:
            members.setdefault(groups.root(number), []).append(number)
    aside: dict[int, list[int]] = {}
    for sliver, by in stands_for.items():
        aside.setdefault(groups.root(by), []).append(sliver)
    reasons: dict[int, set[str]] = {}
    for pairs, reason in (
        (seen.weak, "weak_match"),
        (seen.disputed, "windows_disagree"),
        (refused, "windows_disagree"),
    ):
        for a, b in pairs:
            if a not in stands_for and b not in stands_for:
                for number in (a, b):
                    reasons.setdefault(groups.root(number), set()).add(reason)
    for root, shown in members.items():
        set_aside = sorted(aside.get(root, ()))
        why = reasons.get(root, set()) | _open_ends(tiling, seen, shown, [*shown, *set_aside])
        if all(number in seen.slivers and number not in seen.confirmed for number in shown):
            why.add("unconfirmed")
        painted = _whole(tiling, seen, shown)
        if len(painted) > 1:  # one tile's pixels can be in several pieces, some of which are set aside
            there = {seen.tiles[number] for number in painted}
            painted = sorted([*painted, *(n for n in set_aside if n in agreed and seen.tiles[n] in there)])
        others = sorted({*shown, *set_aside} - set(painted))
        yield JoinedObject(
            tuple(seen.ids[number] for number in painted),
            tuple(seen.tiles[number] for number in painted),
            tuple(seen.ids[number] for number in others),
            tuple(reason for reason in REASONS if reason in why),
        )


def _resolved(seen: _Seen) -> tuple[dict[int, int], set[int]]:
    """For each piece that is set aside a piece that is not; and those of which all steps to it agree on the pixels.

    Pieces that stand for each other in a circle are linked instead.
    """
    by = {sliver: other for sliver, (_, other) in seen.stands_for.items()}
    for start in sorted(by):
        way = [start]
        while way[-1] in by and by[way[-1]] not in way:
            way.append(by[way[-1]])
        if way[-1] in by:
            circle = way[way.index(by[way[-1]]) :]
            seen.links += [(1.0, a, b) for a, b in pairwise(sorted(circle))]
            for number in circle:
                del by[number]
    found: dict[int, int] = {}
    agreed = set()
    for sliver, end in by.items():
        alike = seen.stands_for[sliver][0]
        while end in by:
            alike = min(alike, seen.stands_for[end][0])
            end = by[end]
        found[sliver] = end
        if alike >= COVERED:
            agreed.add(sliver)
    return found, agreed


class _Groups:
    """Union-find that refuses to unite two pieces of one tile, unless both can continue outside of that tile."""

    def __init__(self, tiling: Tiling, seen: _Seen) -> None:
        self._parent = list(range(len(seen.ids)))
        self._closed = [
            not _reaches_an_edge(tiling, tile, box) for tile, box in zip(seen.tiles, seen.boxes, strict=True)
        ]
        self._tiles: dict[int, dict[int, bool]] = {}  # of a root: tile -> whether a piece there is closed
        self._seen = seen

    def root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def unite(self, a: int, b: int) -> bool:
        a, b = self.root(a), self.root(b)
        if a == b:
            return True
        one, two = self._tiles_of(a), self._tiles_of(b)
        if len(one) < len(two):
            a, b, one, two = b, a, two, one
        if any(tile in one and (closed or one[tile]) for tile, closed in two.items()):
            return False
        self._parent[b] = a
        for tile, closed in two.items():
            one[tile] = one.get(tile, False) or closed
        self._tiles[a] = one
        self._tiles.pop(b, None)
        return True

    def _tiles_of(self, root: int) -> dict[int, bool]:
        return self._tiles.get(root) or {self._seen.tiles[root]: self._closed[root]}


def _reaches_an_edge(tiling: Tiling, tile: int, box: Box) -> bool:
    return any(
        edge is not None and abs(edge - own) <= OUTLINE_PX
        for edge, own in zip(tiling.inner_edges(tile), box, strict=True)
    )


def _open_ends(tiling: Tiling, seen: _Seen, shown: Sequence[int], known: Sequence[int]) -> set[str]:
    """Why the pieces of an object are not continued where an edge cuts them."""
    why = set()
    for number in shown:
        tile = tiling[seen.tiles[number]]
        for cut in seen.cuts[number]:
            beyond = cut.beyond(tile)
            looked = {other.index for other in tiling.tiles_at(beyond) if other.index in seen.first}
            if not looked:
                why.add("edge_unseen")
            elif not any(seen.tiles[other] in looked and _meet(_wider(seen.boxes[other]), beyond) for other in known):
                why.add("cut")
    return why


def _wider(box: Box) -> Box:
    return box[0] - OUTLINE_PX, box[1] - OUTLINE_PX, box[2] + OUTLINE_PX, box[3] + OUTLINE_PX


def _whole(tiling: Tiling, seen: _Seen, shown: list[int]) -> list[int]:
    """The one piece that shows the object whole, the one furthest from the edges of its tile; or all pieces where none does.

    A piece shows it whole if no edge cuts it and no other piece goes further out than outlines can differ.
    """
    if len(shown) == 1:
        return shown
    whole = [
        number
        for number in shown
        if not seen.cuts[number] and all(_contains(_wider(seen.boxes[number]), seen.boxes[other]) for other in shown)
    ]
    return [max(whole, key=lambda number: (_room(tiling, seen, number), -number))] if whole else shown


def _room(tiling: Tiling, seen: _Seen, number: int) -> float:
    """The distance of a piece's box to the nearest inner edge of its tile."""
    edges = tiling.inner_edges(seen.tiles[number])
    return min(
        (abs(edge - own) for edge, own in zip(edges, seen.boxes[number], strict=True) if edge is not None),
        default=float("inf"),
    )


def _cuts(tiling: Tiling, tile: Tile, mask: Mask) -> Iterator[_Cut]:
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
            yield _Cut(side, offset + low, offset + high)
