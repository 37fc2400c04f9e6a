"""Compares the regions of two dates of one place: what appeared, what went, what is the same and what changed its area.

Two regions are one object if one covers at least half of the smaller one. Groups of such regions are compared as a whole, so that one
building that the second date has in two parts did not change. A group is `same` where the plus/minus of both areas cover their
difference and the outlines agree, else `changed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import shapely

from t2s_agent.regions.region import Geometry, Measure, Region
from t2s_agent.regions.relations import Difference, nearest_of
from t2s_agent.regions.units import Units

Kind: TypeAlias = Literal["appeared", "gone", "same", "changed"]
KINDS: tuple[Kind, ...] = ("appeared", "gone", "changed", "same")

_LINKED = 0.5  # of the smaller region's area: the rule above
_TOUCHED = 0.1  # of it: below this, regions of one date lie beside each other as often
_AGREE = 0.5  # IoU of outlines of one thing, the measure's usual threshold
_SHIFT_PX = 2.0  # how far two dates of one place are usually apart, at most
_LIKE = 2.0  # factor between the areas of two regions that may be one that is shifted
_SEEN, _WHOLLY_SEEN = 0.5, 0.95  # of a region's area, by the other date


@dataclass(frozen=True, slots=True, eq=False)
class Dated:
    """The regions of one date. `seen` by region id: the share of each that the other date's picture shows, with data."""

    regions: Sequence[Region]
    seen: dict[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A group of regions that are one object, or one region without a counterpart. `overlap` is the IoU of both dates' outlines.

    `why` says what makes it uncertain; empty where nothing does. `before` and `after` are ids. `outline` is that of the later date,
    of something that is gone that of the earlier.
    """

    kind: Kind
    before: tuple[int, ...]
    after: tuple[int, ...]
    area_before: Measure
    area_after: Measure
    overlap: float
    outline: Geometry
    why: tuple[str, ...] = ()

    @property
    def difference(self) -> Difference:
        """The later area less the earlier."""
        return Difference.of(self.area_after, self.area_before)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Matches by kind, and ids of regions that the other date does not show: nothing can be said of those."""

    matches: tuple[Match, ...]
    not_seen_before: tuple[int, ...]
    not_seen_after: tuple[int, ...]

    def of(self, kind: Kind) -> tuple[Match, ...]:
        return tuple(match for match in self.matches if match.kind == kind)


def compare(before: Dated, after: Dated, units: Units) -> Comparison:
    """Compares two dates. Outlines are compared as they are stored: in degrees, or in pixels of two images of one size."""
    old, new = list(before.regions), list(after.regions)
    shares = _shares(old, new)
    linked = [pair for pair, share in shares.items() if share >= _LINKED]
    groups = _groups(len(old), len(new), linked)
    alone_old = [i[0] for i, k in groups if not k]
    alone_new = [k[0] for i, k in groups if not i]
    hidden_old = {i for i in alone_old if before.seen[old[i].id] < _SEEN}
    hidden_new = {k for k in alone_new if after.seen[new[k].id] < _SEEN}
    doubts = _Doubts(old, new, before, after, shares)
    doubts.find_shifts(
        [i for i in alone_old if i not in hidden_old], [k for k in alone_new if k not in hidden_new], units
    )
    matches = [
        _match([old[i] for i in first], [new[k] for k in second], units, doubts.of(first, second))
        for first, second in groups
        if not (hidden_old & set(first) or hidden_new & set(second))
    ]
    matches.sort(key=lambda match: (KINDS.index(match.kind), -max(match.area_before.value, match.area_after.value)))
    return Comparison(
        tuple(matches),
        tuple(old[i].id for i in sorted(hidden_old)),
        tuple(new[k].id for k in sorted(hidden_new)),
    )


def _match(old: Sequence[Region], new: Sequence[Region], units: Units, doubts: list[str]) -> Match:
    first, second = _total(old, units), _total(new, units)
    outlines = [shapely.union_all([shapely.make_valid(region.geometry) for region in each]) for each in (old, new)]
    kind: Kind
    overlap = 0.0
    if not old or not new:
        kind = "appeared" if new else "gone"
    else:
        overlap = _iou(*outlines)
        undecided = Difference.of(second, first).undecided
        kind = "same" if undecided and overlap >= _AGREE else "changed"
        if overlap < _AGREE:
            doubts = [*doubts, f"the outlines of the two dates overlap by {overlap:.0%} only"]
    return Match(
        kind,
        tuple(region.id for region in old),
        tuple(region.id for region in new),
        first,
        second,
        overlap,
        outlines[1] if new else outlines[0],
        tuple(doubts),
    )


def _total(regions: Sequence[Region], units: Units) -> Measure:
    """The sum of areas; their errors may all point one way, so they add."""
    return Measure(
        sum(region.area.value for region in regions), sum(region.area.plus_minus for region in regions), units.area
    )


def _shares(old: Sequence[Region], new: Sequence[Region]) -> dict[tuple[int, int], float]:
    """Of each pair that overlaps: the common part as a share of the smaller one."""
    if not old or not new:
        return {}
    first, second = (np.array([shapely.make_valid(region.geometry) for region in each], object) for each in (old, new))
    pairs = shapely.STRtree(second).query(first, predicate="intersects").T
    if not len(pairs):
        return {}
    i, k = pairs.T
    common = shapely.area(shapely.intersection(first[i], second[k]))
    smaller = np.minimum(shapely.area(first[i]), shapely.area(second[k]))
    shares = common / np.maximum(smaller, np.finfo(float).tiny)
    return {(a, b): share for a, b, share in zip(i.tolist(), k.tolist(), shares.tolist(), strict=True) if share > 0}


def _groups(old: int, new: int, linked: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """The connected groups of positions in both dates; each position is in one."""
    root = list(range(old + new))

    def top(k: int) -> int:
        while root[k] != k:
            root[k] = k = root[root[k]]
        return k

    for i, k in linked:
        root[top(i)] = top(old + k)
    found: dict[int, tuple[list[int], list[int]]] = {}
    for k in range(old + new):
        group = found.setdefault(top(k), ([], []))
        group[k >= old].append(k - old * (k >= old))
    return list(found.values())


def _iou(first: Geometry, second: Geometry) -> float:
    union = shapely.union(first, second).area
    return float(shapely.intersection(first, second).area / union) if union else 1.0


class _Doubts:
    """What makes a match uncertain."""

    def __init__(
        self,
        old: Sequence[Region],
        new: Sequence[Region],
        before: Dated,
        after: Dated,
        shares: dict[tuple[int, int], float],
    ) -> None:
        self._dates = (("earlier", old, before.seen, "later"), ("later", new, after.seen, "earlier"))
        self._touched: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for (i, k), share in shares.items():
            if _TOUCHED <= share < _LINKED:
                self._touched[0][i] = f"it overlaps region {new[k].id} of the later date by {share:.0%}"
                self._touched[1][k] = f"it overlaps region {old[i].id} of the earlier date by {share:.0%}"
        self._shifted: tuple[dict[int, str], dict[int, str]] = ({}, {})

    def find_shifts(self, old: Sequence[int], new: Sequence[int], units: Units) -> None:
        """Finds pairs without counterparts, of like area, so near to each other that they may be one object."""
        first, second = ([self._dates[side][1][k] for k in each] for side, each in enumerate((old, new)))
        for i, near in zip(old, nearest_of(first, second, units=units), strict=True):
            if near is None:
                continue
            k = next(k for k in new if self._dates[1][1][k].id == near.other_id)
            one, other = self._dates[0][1][i], self._dates[1][1][k]
            like = max(one.area.value, other.area.value) <= _LIKE * min(one.area.value, other.area.value)
            if like and near.distance.value <= _SHIFT_PX * max(one.pixel, other.pixel):
                self._shifted[0][i] = (
                    f"region {other.id} of the later date is as large and beside it: it may have shifted"
                )
                self._shifted[1][k] = (
                    f"region {one.id} of the earlier date is as large and beside it: it may have shifted"
                )

    def of(self, first: Sequence[int], second: Sequence[int]) -> list[str]:
        """The doubts about one group."""
        found: list[str] = []
        for side, positions in enumerate((first, second)):
            date, regions, seen, other = self._dates[side]
            for k in positions:
                region = regions[k]
                if region.unsure:
                    found.append(f"region {region.id} of the {date} date is unsure")
                if seen[region.id] < _WHOLLY_SEEN:
                    found.append(f"the {other} date shows {seen[region.id]:.0%} of region {region.id}")
                elif region.touches_edge and first and second:
                    found.append(f"region {region.id} of the {date} date is cut by the edge of its picture")
                if not (first and second):
                    found += [text[k] for text in (self._shifted[side], self._touched[side]) if k in text]
        return found
