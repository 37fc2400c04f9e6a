"""How long the boundary of a mask really is: an estimate from its pixels, and a plus/minus for it.

The outline along pixel edges is a staircase: up to 41 % longer than the edge that was drawn on the grid. The estimate here takes
three steps, each in linear time.

1. **The shortest closed line between the pixels inside and those outside.** Each pixel edge of the outline is a gate between
   two pixel centres, one inside, one outside. The shortest line through all gates is the minimum-length polygon (Sloboda, Zatko
   and Stoer 1998; Klette and Rosenfeld 2004, chapter 10). Its corners are pixel centres; for a convex mask it is the convex hull
   of the centres inside.
2. **Each side is moved to where the true edge is expected.** Parallel to a side with the direction (p, q) in lowest terms, pixel
   centres lie on lines that are 1 / hypot(p, q) apart. The true edge lies between the line of the side (the last centres inside)
   and the next one, so a side between two corners inside moves outwards by half of that distance, and one between two corners
   outside moves inwards. A side from a corner inside to one outside is the steepest line that the pixels allow: its first end
   moves outwards and its last end inwards. A side that is short beside a long neighbour is what the grid leaves of a sharp
   corner: it moves further. By how much (`CUT_CORNER`) was fitted on drawn ellipses, rectangles of 1.2:1 to 5:1, hexagons, L-shapes
   and rounded rectangles (`python -m evals.measures fit`), and is checked on other shapes, angles and seeds (`python -m
   evals.measures perimeter`). At each corner the length grows by the shifts of both sides times the tangent of half the turn.
3. **Plus/minus.** A side's position is uncertain, and a shift changes the length by the turns at both of its ends: the plus/minus
   grows with the root of the summed squares of the turns. A systematic part is added for each ring (`PLUS_MINUS`).

Lengths and turns may be measured in any frame: in pixels, or on the ground, where pixels need not be square.
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
PLUS_MINUS = (0.4, 1.2)  # pixels for each ring; pixels for the root of the summed squares of the turns' tangents


@dataclass(frozen=True, slots=True)
class Boundary:
    """The minimum-length polygon of a mask, ring by ring; side i runs from corner i to corner `following[i]`."""

    corners: Floats  # (n, 2) x, y of pixel centres, in pixels from the outer corner of the first pixel
    following: NDArray[np.intp]  # (n,) the next corner of the same ring
    bend: NDArray[np.int8]  # (n,) 1 where a ring bends around a pixel that it encloses, -1 around one beside it
    shift: Floats  # (n,) how far both ends of a side move away from the pixels that they bend around, times its length
    rings: int

    def length(
        self, lengths: Floats, departures: Floats, arrivals: Floats, pixel_area: float | Floats
    ) -> tuple[float, float]:
        """Estimated length and plus/minus, of sides (n,) that were measured in a frame where a pixel has `pixel_area`.

        `lengths` and both directions (radians, of each side at its first and at its last corner) are of that frame.
        """
        before = _before(self.following)
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
    """The boundary that an outline along pixel edges (`polygons.trace`) stands for. Linear in the number of its corners."""
    return boundaries_of([outline])[0]


def boundaries_of(outlines: Sequence[Geometry]) -> list[Boundary]:
    """The boundary of each of several outlines that have rings: what is computed with arrays, for all of them at once."""
    parts, outline_of_part = shapely.get_parts(np.asarray(outlines, object), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    corners: Points = []
    bends: list[int] = []
    sizes: list[int] = []
    for ring, turned in zip(rings, (~shapely.is_ccw(rings)).tolist(), strict=True):
        points = shapely.get_coordinates(ring).tolist()
        path, bend = _shortest(*_gates(points[::-1] if turned else points))
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
    """Pixel centres inside and outside of the first and of the last pixel edge of each straight run of a closed ring.

    "Inside" is what the ring encloses, of holes too. A line that passes the first and the last gate of a run passes all between.
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


def _shortest(inside: Points, outside: Points) -> tuple[Points, list[int]]:
    """Corners of the shortest closed line through all gates, and which way each bends (1: around a pixel inside).

    The funnel method (Lee and Preparata 1984): all that can be seen from the last settled corner through the gates so far lies
    between two chains, which open away from each other; each new end of a gate takes points off a chain's end, or settles a
    corner of the other chain.
    """
    first = inside.index(min(inside, key=itemgetter(1, 0)))  # is a corner of the shortest line
    inside, outside = inside[first:] + inside[: first + 1], outside[first:] + outside[:first] + [inside[first]]
    path, bends = [inside[0]], [1]
    left, right = [inside[0]], [inside[0]]  # the two chains; pixels inside are on the left
    for p, q in zip(inside, outside, strict=True):
        if p != left[-1]:
            _narrow(left, right, p, 1, path, bends)
        if q != right[-1]:
            _narrow(right, left, q, -1, path, bends)
    path += left[1:]
    bends += [1] * (len(left) - 1)
    return path[:-1] or path, bends[: len(path) - 1] or bends


def _narrow(own: Points, other: Points, point: tuple[float, float], sign: int, path: Points, bends: list[int]) -> None:
    """Bring a chain to a new point; `sign` is 1 for the left chain. Corners of the other chain that it passes are settled."""
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
    """Without corners on a straight line, with the shift of each side; and how many corners each ring has now."""
    following = _following(sizes)
    side = corners[following] - corners
    entering = side[_before(following)]
    bent = entering[:, 0] * side[:, 1] != entering[:, 1] * side[:, 0]
    kept = bent | ((entering * side).sum(1) <= 0)
    if not kept.all():
        sizes = np.add.reduceat(kept, np.cumsum(sizes) - sizes, dtype=np.intp)
        corners, bends, following = corners[kept], bends[kept], _following(sizes)
        side = corners[following] - corners
    length = np.hypot(side[:, 0], side[:, 1])
    points = length == 0  # rings of one pixel
    directions = np.arctan2(side[:, 1], side[:, 0])
    before = _before(following)
    turns = _tangents(directions, directions[before])
    longer = np.maximum(length[before], length[following]) / np.where(points, 1, length)
    constant, cut = CUT_CORNER
    # what a corner is cut by has short steps, and no right angle at both ends as the end of a bar has
    corner = np.maximum(1 - turns * turns[following], 0) * (constant + cut * longer**2 / (longer**2 + 9))
    steps = np.maximum(np.gcd(*side.T.astype(np.int64)), 1).astype(np.float64)
    shift = steps * (0.5 + corner / steps**2)
    for index in np.flatnonzero(bends != bends[following]).tolist():
        shift[index] = length[index] / (2 * _step(*side[index].astype(int).tolist()))
    shift[points] = 1.0  # four sides of one pixel
    return Boundary(corners, following, bends, shift, len(sizes)), sizes


def _step(x: int, y: int) -> float:
    """Length of the grid's step that a side (x, y) from a pixel inside to one outside deviates from.

    The shorter one of the two steps without a grid point between them and the side: (1, 0) for (20, 1).
    """
    p, q = max(abs(x), abs(y)), min(abs(x), abs(y))
    divisor = math.gcd(p, q)
    p, q = p // divisor, q // divisor
    if q == 0:
        return 1.0
    a = pow(q, -1, p) if p > 1 else 1  # a * q = 1 modulo p: the step (a, b) lies beside the side
    b = (a * q - 1) // p
    return min(math.hypot(a, b), math.hypot(p - a, q - b) or math.inf)


def _tangents(directions: Floats, before: Floats) -> Floats:
    """Of half the turn between two directions (radians): 1 at a right angle, and up to 2 at a reversal.

    A square's side adds 1 pixel at each end for each pixel that its neighbour moves; the end of a line of pixels adds 2.
    """
    turns = np.abs((directions - before + np.pi) % (2 * np.pi) - np.pi)
    return np.where(turns <= np.pi / 2, np.tan(np.minimum(turns, np.pi / 2) / 2), turns * (2 / np.pi))


def _before(following: NDArray[np.intp]) -> NDArray[np.intp]:
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    return before


def _following(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """For points that stand ring by ring: the index of the next one of the same ring."""
    following = np.arange(1, sizes.sum() + 1)
    ends = np.cumsum(sizes)
    following[ends - 1] = ends - sizes
    return following
