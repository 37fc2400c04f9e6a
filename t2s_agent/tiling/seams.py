"""Joins the pieces of objects that tiles cut: which pieces of which tiles are one object, and where that is not sure.

Two pieces of different tiles are one object if they agree on the pixels that both tiles saw (`agreement`). A piece that is cut
by an inner edge of its tile, and lies whole in what a neighbour sees with more around it, only says what that neighbour says
better: it is set aside, and the neighbour's piece stands for it. An object on which the tiles do not agree is marked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from t2s_agent.tiling.agreement import COVERED, OUTLINE_PX
from t2s_agent.tiling.loading import Loader, PiecesOf
from t2s_agent.tiling.observing import Seen, contains, meet, observed
from t2s_agent.tiling.windows import Box, Tiling

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
    seen = observed(tiling, Loader(pieces_of), threshold)
    return Joined(tuple(_objects(tiling, seen)))


def _objects(tiling: Tiling, seen: Seen) -> Iterator[JoinedObject]:
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


def _resolved(seen: Seen) -> tuple[dict[int, int], set[int]]:
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

    def __init__(self, tiling: Tiling, seen: Seen) -> None:
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


def _open_ends(tiling: Tiling, seen: Seen, shown: Sequence[int], known: Sequence[int]) -> set[str]:
    """Why the pieces of an object are not continued where an edge cuts them."""
    why = set()
    for number in shown:
        tile = tiling[seen.tiles[number]]
        for cut in seen.cuts[number]:
            beyond = cut.beyond(tile)
            looked = {other.index for other in tiling.tiles_at(beyond) if other.index in seen.first}
            if not looked:
                why.add("edge_unseen")
            elif not any(seen.tiles[other] in looked and meet(_wider(seen.boxes[other]), beyond) for other in known):
                why.add("cut")
    return why


def _wider(box: Box) -> Box:
    return box[0] - OUTLINE_PX, box[1] - OUTLINE_PX, box[2] + OUTLINE_PX, box[3] + OUTLINE_PX


def _whole(tiling: Tiling, seen: Seen, shown: list[int]) -> list[int]:
    """The one piece that shows the object whole, the one furthest from the edges of its tile; or all pieces where none does.

    A piece shows it whole if no edge cuts it and no other piece goes further out than outlines can differ.
    """
    if len(shown) == 1:
        return shown
    whole = [
        number
        for number in shown
        if not seen.cuts[number] and all(contains(_wider(seen.boxes[number]), seen.boxes[other]) for other in shown)
    ]
    return [max(whole, key=lambda number: (_room(tiling, seen, number), -number))] if whole else shown


def _room(tiling: Tiling, seen: Seen, number: int) -> float:
    """The distance of a piece's box to the nearest inner edge of its tile."""
    edges = tiling.inner_edges(seen.tiles[number])
    return min(
        (abs(edge - own) for edge, own in zip(edges, seen.boxes[number], strict=True) if edge is not None),
        default=float("inf"),
    )
