"""How regions lie to each other: nearest ones, pairs within a distance, differences of totals.

Distances run from edge to edge of the regions' geometries (of estimated outlines, `edges.with_edges`, they are not biased as
those of outlines along pixel edges are), on one plane in metres, or for regions too far apart for a plane each pair on a plane of
its own (`plane`): 180 degrees and the poles do not matter. Where there is no ground they are in pixels. What lies less than a
twentieth of a pixel apart touches: the distance is 0.

**Plus/minus of a distance.** Each of the two edges is right to half of a pixel, and both may be off in the same direction: half of
each one's pixel, added. On drawn edges, discs, and corners before edges that holds for nine
of ten (`tests/regions/test_edges.py`); two corners that face each other come out 0.6 px too far on average, nine of ten within 1.1 px.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.plane import distance_m, flat_together, min_distances_m
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.summary import median_of
from t2s_agent.regions.units import Units

_OFF = 0.5  # pixels
_TOUCHING = 0.05  # pixels
_PAIRS = 2_000_000  # that are looked at together


@dataclass(frozen=True, slots=True)
class Nearest:
    """The region `other_id` is the nearest to the region `id`, at that distance from edge to edge (0 where they meet)."""

    id: int
    other_id: int
    distance: Measure


@dataclass(frozen=True, slots=True)
class Distances:
    """The distances of regions to their nearest ones: the smallest and the largest with their pairs, and the median."""

    smallest: Nearest
    median: Measure
    largest: Nearest

    @classmethod
    def of(cls, nearest: Sequence[Nearest | None]) -> "Distances | None":
        """None where no region has a nearest one. Of equal distances the first counts."""
        known = [each for each in nearest if each is not None]
        if not known:
            return None
        by_distance = [each.distance.value for each in known]
        return cls(
            known[int(np.argmin(by_distance))],
            median_of([each.distance for each in known]),
            known[int(np.argmax(by_distance))],
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """One total less another, with its sign. The plus/minus of both add: their errors may point apart."""

    value: float
    plus_minus: float
    unit: str

    @classmethod
    def of(cls, first: Measure, second: Measure) -> "Difference":
        """`first` less `second`."""
        return cls(first.value - second.value, first.plus_minus + second.plus_minus, first.unit)

    @property
    def undecided(self) -> bool:
        """Whether the plus/minus covers zero, so that either total may be the larger one."""
        return abs(self.value) <= self.plus_minus


def nearest_of(
    regions: Sequence[Region],
    others: Sequence[Region],
    *,
    units: Units,
    itself: bool = False,
    own: Sequence[Collection[int]] | None = None,
) -> list[Nearest | None]:
    """Of each region the nearest of `others`; of equally near ones the first. None where there is no other.

    `itself`: both are the same result, and a region is not its own neighbour. `own` says the same for each region by the ids in
    `others` that are the region itself; left out, that is its own id where `itself` is true.
    """
    if not regions or not others:
        return [None] * len(regions)
    if own is None:
        own = [{region.id} if itself else () for region in regions]
    excluded = [[k for k, other in enumerate(others) if other.id in ids] if ids else [] for ids in own]
    flat = _flat(regions, others, units)
    if flat is None:
        found = _nearest_far(regions, others, excluded)
    else:
        found = _nearest_on_plane(flat[: len(regions)], flat[len(regions) :], excluded, itself)
    return [
        None if match is None else _pair(region, others[match[0]], match[1], units)
        for region, match in zip(regions, found, strict=True)
    ]


def pairs_within(
    regions: Sequence[Region], others: Sequence[Region], distance: float, *, units: Units, itself: bool = False
) -> int:
    """How many pairs of a region and one of `others` are at most so far apart (metres, or pixels), edge to edge.

    `itself`: both are the same result; each pair of neighbours counts once.
    """
    if not regions or not others:
        return 0
    flat = _flat(regions, others, units)
    if flat is not None:
        return _pairs_on_plane(flat[: len(regions)], flat[len(regions) :], distance, itself)
    near = np.argwhere(_least(regions, others) <= distance)
    if itself:
        near = near[near[:, 0] < near[:, 1]]
    return sum(distance_m(regions[i].geometry, others[k].geometry) <= distance for i, k in near.tolist())


def _pairs_on_plane(flat: NDArray[np.object_], others: NDArray[np.object_], distance: float, itself: bool) -> int:
    """Pairs at most so far apart. Most are decided by the boxes around them, the rest is measured."""
    boxes, other_boxes = shapely.bounds(flat), shapely.bounds(others)
    tree = shapely.STRtree(shapely.box(*other_boxes.T))
    count = 0
    for begin in range(0, len(flat), max(1, _PAIRS // len(others))):
        own = slice(begin, begin + max(1, _PAIRS // len(others)))
        west, south, east, north = boxes[own].T
        wide = shapely.box(west - distance, south - distance, east + distance, north + distance)
        first, second = tree.query(wide)
        first += begin
        if itself:
            first, second = first[first < second], second[first < second]
        a, b = boxes[first], other_boxes[second]
        farthest = np.hypot(
            np.maximum(a[:, 2], b[:, 2]) - np.minimum(a[:, 0], b[:, 0]),
            np.maximum(a[:, 3], b[:, 3]) - np.minimum(a[:, 1], b[:, 1]),
        )
        undecided = farthest > distance
        count += len(first) - int(np.count_nonzero(undecided))
        count += int(np.count_nonzero(shapely.dwithin(flat[first[undecided]], others[second[undecided]], distance)))
    return count


def _flat(regions: Sequence[Region], others: Sequence[Region], units: Units) -> NDArray[np.object_] | None:
    """The outlines of both on one plane; None where they lie too far apart for one."""
    geometries = [region.geometry for region in (*regions, *others)]
    flat = flat_together(geometries) if units.on_earth else geometries
    return None if flat is None else np.array(flat, object)


def _nearest_on_plane(
    flat: NDArray[np.object_], others: NDArray[np.object_], excluded: Sequence[Sequence[int]], itself: bool
) -> list[tuple[int, float] | None]:
    """Position and distance of the nearest of `others`, those that are excluded (positions) left out."""
    tree = shapely.STRtree(others)
    pairs, gaps = tree.query_nearest(flat, exclusive=itself, return_distance=True, all_matches=True)
    found: list[tuple[int, float] | None] = [None] * len(flat)
    order = np.lexsort((-pairs[1], -pairs[0]))  # so that of equally near ones the first is written last
    for i, k, gap in zip(pairs[0][order].tolist(), pairs[1][order].tolist(), gaps[order].tolist(), strict=True):
        found[i] = (k, gap)
    for i, left_out in enumerate(excluded):
        match = found[i]
        if match is None or match[0] in left_out:  # the region itself in another shape, or one with the same outline
            distances = shapely.distance(flat[i], others)
            distances[list(left_out)] = np.inf
            k = int(np.argmin(distances))
            found[i] = (k, float(distances[k])) if np.isfinite(distances[k]) else None
    return found


def _nearest_far(
    regions: Sequence[Region], others: Sequence[Region], excluded: Sequence[Sequence[int]]
) -> list[tuple[int, float] | None]:
    """The same for regions too far apart for one plane: only pairs that can be the nearest are measured."""
    found: list[tuple[int, float] | None] = []
    for region, row, left_out in zip(regions, _least(regions, others), excluded, strict=True):
        row[list(left_out)] = np.inf
        best: tuple[int, float] | None = None
        for k in np.argsort(row, kind="stable").tolist():
            if not np.isfinite(row[k]) or (best is not None and row[k] > best[1]):
                break
            gap = distance_m(region.geometry, others[k].geometry)
            if best is None or (gap, k) < (best[1], best[0]):
                best = (k, gap)
        found.append(best)
    return found


def _least(regions: Sequence[Region], others: Sequence[Region]) -> NDArray[np.float64]:
    return min_distances_m([region.geometry for region in regions], [other.geometry for other in others])


def _pair(region: Region, other: Region, distance: float, units: Units) -> Nearest:
    touching = distance < _TOUCHING * min(region.pixel, other.pixel)
    return Nearest(
        region.id, other.id, Measure(0.0 if touching else distance, _OFF * (region.pixel + other.pixel), units.length)
    )
