"""Estimates the length of a mask's true boundary from its pixels, with a plus/minus.

The outline along pixel edges is a staircase, up to 41 % longer than the true edge. The estimate has three steps, each in linear
time.

1. **Find the shortest closed line between the pixels inside and the pixels outside.** Each pixel edge of the outline is a gate
   between two pixel centres, one inside and one outside. The shortest line through all gates is the minimum-length polygon
   (Sloboda, Zatko and Stoer 1998; Klette and Rosenfeld 2004, chapter 10). Its corners are pixel centres; for a convex mask it is
   the convex hull of the centres inside.
2. **Move each side to the expected position of the true edge.** Pixel centres form lines parallel to a side; for a side with the
   direction (p, q) in lowest terms these lines are 1 / hypot(p, q) apart. The true edge is between the line of the side (the last
   centres inside) and the next line. So a side between two corners inside moves outwards by half of that distance, and a side
   between two corners outside moves inwards. A side from a corner inside to a corner outside is the steepest line that the pixels
   allow: its first end moves outwards and its last end inwards. A short side next to a long one is a sharp corner cut by the
   grid, so it moves further. The amount (`CUT_CORNER`) was fitted on drawn ellipses, rectangles of 1.2:1 to 5:1, hexagons, L-shapes
   and rounded rectangles (`python -m evals.measures fit`), and is checked on other shapes, angles and seeds (`python -m
   evals.measures perimeter`). At each corner the length grows by the shifts of both sides times the tangent of half the angle
   between them.
3. **Compute the plus/minus.** The position of a side is uncertain, and a shift changes the length by the angles at both ends: the
   plus/minus grows with the root of the sum of the squared angles. A systematic part is added for each ring (`PLUS_MINUS`).

Lengths and angles can be measured in any frame: in pixels, or on the ground, where pixels may not be square.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.region import Geometry

Floats = NDArray[np.float64]
Points = list[tuple[float, float]]

CUT_CORNER = (-0.23, 1.08)  # constant; times r^2 / (r^2 + 9), where r is a side's longer neighbour divided by the side
PLUS_MINUS = (0.4, 1.2)  # pixels for each ring; pixels times the root of the sum of the squared tangents of the angles


@dataclass(frozen=True, slots=True)
class Boundary:
    """The minimum-length polygon of a mask, ring by ring; side i goes from corner i to corner `following[i]`."""

    corners: Floats  # (n, 2) x, y of pixel centres, in pixels from the outer corner of the first pixel
    following: NDArray[np.intp]  # (n,) the next corner of the same ring
    bend: NDArray[np.int8]  # (n,) 1 at a corner on a pixel inside the ring, -1 at a corner on a pixel outside
    shift: Floats  # (n,) the distance by which a side moves away from the pixels at its ends, times its length
    rings: int

    def length(
        self, lengths: Floats, departures: Floats, arrivals: Floats, pixel_area: float | Floats
    ) -> tuple[float, float]:
        """The estimated length and its plus/minus, from sides (n,) measured in a frame where a pixel has `pixel_area`.

        `lengths`, `departures` and `arrivals` (directions of each side at its first and last corner, radians) are in that frame.
        """
        before = _previous(self.following)
        turns = _tangents(departures, arrivals[before])
        pixel = np.sqrt(pixel_area)
        turns[self.following == np.arange(len(turns))] = 2.0  # rings of one pixel
        moved = self.shift * pixel_area / np.where(lengths > 0, lengths, pixel)
        length = lengths.sum() + ((moved + moved[before]) * turns).sum()
        for_rings, for_turns = PLUS_MINUS
        return float(length), float(np.mean(pixel)) * (
            for_rings * self.rings + for_turns * float(np.linalg.norm(turns))
        )


def boundary_of(outline: Geometry) -> Boundary:
    """The boundary of an outline along pixel edges (`polygons.trace`). Linear in the number of its corners."""
    return boundaries_of([outline])[0]


def boundaries_of(outlines: Sequence[Geometry]) -> list[Boundary]:
    """The boundary of each of several outlines with rings; array operations are done for all of them together."""
    parts, outline_of_part = shapely.get_parts(np.asarray(outlines, object), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    corners: Points = []
    bends: list[int] = []
    sizes: list[int] = []
    for ring, turned in zip(rings, (~shapely.is_ccw(rings)).tolist(), strict=True):
        points = shapely.get_coordinates(ring).tolist()
        path, bend = _shortest_line(*_gates(points[::-1] if turned else points))
        corners += path
        bends += bend
        sizes.append(len(path))
    together, left = _with_shifts(np.array(corners), np.array(bends, np.int8), np.array(sizes))
    outline_of_ring = outline_of_part[part_of_ring]
    first_rings = np.searchsorted(outline_of_ring, np.arange(len(outlines) + 1))
    firsts = np.concatenate([[0], np.cumsum(left)])[first_rings].tolist()
    return [
        Boundary(
            together.corners[a:b],
            together.following[a:b] - a,
            together.bend[a:b],
            together.shift[a:b],
            count,
        )
        for (a, b), count in zip(pairwise(firsts), np.diff(first_rings).tolist(), strict=True)
    ]


def _gates(ring: list[list[float]]) -> tuple[Points, Points]:
    """Pixel centres inside and outside at the first and last pixel edge of each straight part of a closed ring.

    "Inside" is what the ring encloses, also for holes. A line through the first and last gate of a straight part goes through all
    gates between them.
    """
    inside: Points = []
    outside: Points = []
    for (x, y), (u, v) in pairwise(ring):
        if y == v:
            half = 0.5 if u > x else -0.5
            inside.append((x + half, y + half))
            outside.append((x + half, y - half))
            if abs(u - x) > 1:
                inside.append((u - half, y + half))
                outside.append((u - half, y - half))
        else:
            half = 0.5 if v > y else -0.5
            inside.append((x - half, y + half))
            outside.append((x + half, y + half))
            if abs(v - y) > 1:
                inside.append((x - half, v - half))
                outside.append((x + half, v - half))
    return inside, outside


def _shortest_line(inside: Points, outside: Points) -> tuple[Points, list[int]]:
    """Corners of the shortest closed line through all gates, with 1 for a corner on a pixel inside and -1 for one outside.

    The funnel algorithm (Lee and Preparata 1984): the area visible from the last final corner through the gates so far is between
    two chains. Each new end of a gate removes points from the end of its chain, or makes a corner of the other chain final.
    """
    first = inside.index(min(inside, key=itemgetter(1, 0)))  # always a corner of the shortest line
    inside, outside = inside[first:] + inside[: first + 1], outside[first:] + outside[:first] + [inside[first]]
    path, bends = [inside[0]], [1]
    left, right = [inside[0]], [inside[0]]  # the two chains; pixels inside are on the left
    for p, q in zip(inside, outside, strict=True):
        if p != left[-1]:
            _extend_chain(left, right, p, 1, path, bends)
        if q != right[-1]:
            _extend_chain(right, left, q, -1, path, bends)
    path += left[1:]
    bends += [1] * (len(left) - 1)
    return path[:-1] or path, bends[: len(path) - 1] or bends


def _extend_chain(
    own: Points, other: Points, point: tuple[float, float], sign: int, path: Points, bends: list[int]
) -> None:
    """Adds a point to a chain (`sign` 1: left, -1: right) and moves corners of the other chain that it passes to `path`."""
    x, y = point
    while len(own) > 1:
        (ax, ay), (bx, by) = own[-2], own[-1]
        if ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * sign > 0:
            own.append(point)
            return
        own.pop()
    ax, ay = own[0]
    passed = 1
    while passed < len(other):
        bx, by = other[passed]
        if ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * sign >= 0:
            break
        ax, ay = bx, by
        passed += 1
    if passed > 1:
        path += other[1:passed]
        bends += [-sign] * (passed - 1)
        del other[: passed - 1]
        own[0] = other[0]
    own.append(point)


def _with_shifts(
    corners: Floats, bends: NDArray[np.int8], sizes: NDArray[np.intp]
) -> tuple[Boundary, NDArray[np.intp]]:
    """The boundary without corners on straight lines, with the shift of each side; and the number of corners of each ring."""
    following = _following(sizes)
    side = corners[following] - corners
    entering = side[_previous(following)]
    bent = entering[:, 0] * side[:, 1] != entering[:, 1] * side[:, 0]
    kept = bent | ((entering * side).sum(1) <= 0)
    if not kept.all():
        sizes = np.add.reduceat(kept, np.cumsum(sizes) - sizes, dtype=np.intp)
        corners, bends, following = corners[kept], bends[kept], _following(sizes)
        side = corners[following] - corners
    length = np.hypot(side[:, 0], side[:, 1])
    points = length == 0  # rings of one pixel
    directions = np.arctan2(side[:, 1], side[:, 0])
    before = _previous(following)
    turns = _tangents(directions, directions[before])
    longer = np.maximum(length[before], length[following]) / np.where(points, 1, length)
    constant, cut = CUT_CORNER
    # a cut corner has short steps, and no right angle at both ends (which the end of a bar has)
    corner = np.maximum(1 - turns * turns[following], 0) * (constant + cut * longer**2 / (longer**2 + 9))
    steps = np.maximum(np.gcd(*side.T.astype(np.int64)), 1).astype(np.float64)
    shift = steps * (0.5 + corner / steps**2)
    for index in np.flatnonzero(bends != bends[following]).tolist():
        shift[index] = length[index] / (2 * _step(*side[index].astype(int).tolist()))
    shift[points] = 1.0  # four sides of one pixel
    return Boundary(corners, following, bends, shift, len(sizes)), sizes


def _step(x: int, y: int) -> float:
    """The length of the grid step nearest in direction to a side (x, y) from a pixel inside to a pixel outside.

    The shorter one of the two steps with no grid point between them and the side: (1, 0) for (20, 1).
    """
    p, q = max(abs(x), abs(y)), min(abs(x), abs(y))
    divisor = math.gcd(p, q)
    p, q = p // divisor, q // divisor
    if q == 0:
        return 1.0
    a = pow(q, -1, p) if p > 1 else 1  # a * q = 1 modulo p: the step (a, b) is next to the side
    b = (a * q - 1) // p
    return min(math.hypot(a, b), math.hypot(p - a, q - b) or math.inf)


def _tangents(directions: Floats, before: Floats) -> Floats:
    """Tangents of half the angle between two directions (radians): 1 at a right angle, at most 2 at a reversal.

    The side of a square becomes 1 pixel longer at each end per pixel that its neighbour moves; the end of a line of pixels adds 2.
    """
    turns = np.abs((directions - before + np.pi) % (2 * np.pi) - np.pi)
    return np.where(turns <= np.pi / 2, np.tan(np.minimum(turns, np.pi / 2) / 2), turns * (2 / np.pi))


def _previous(following: NDArray[np.intp]) -> NDArray[np.intp]:
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    return before


def _following(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """For points in ring order: the index of the next point of the same ring."""
    following = np.arange(1, sizes.sum() + 1)
    ends = np.cumsum(sizes)
    following[ends - 1] = ends - sizes
    return following
