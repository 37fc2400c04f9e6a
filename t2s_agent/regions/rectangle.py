"""Length, width and orientation: the smallest rectangle around the shape that a mask most probably stands for.

A rectangle around the pixels themselves is too large: at a slanted edge pixels stick out of the shape by up to 0.7 of a pixel on each
side. A rectangle around their centres is too small. The smallest one has a side along a side of the centres' convex hull (Freeman and
Shapira 1975). Parallel to a hull's side with the direction (p, q) in lowest terms pixel centres lie on lines that are
1 / hypot(p, q) apart, and the true edge lies between the last line with centres inside and the next one: each of the four sides
is moved outwards by half of that distance.

**Plus/minus.** An end is seen less well the fewer lines of pixels run into it: `PLUS_MINUS` was fitted on drawn rectangles of 3 to
200 pixels at any angle and place and holds for nine of ten of them (`tests/regions/test_rectangle.py` checks it on others, and on
ellipses). It speaks of pixels only, as those of area and perimeter do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.boundary import Boundary
from t2s_agent.regions.plane import SINGLE_REACH_M
from t2s_agent.regions.region import Measure
from t2s_agent.scene.georeference import WGS84, Floats, Georeference, in_space

PLUS_MINUS = (0.3, 2.0, 1.0)  # pixels; the second divided by the pixels across; at most the third
_PAIRS = 1_000_000  # of a hull's side and corner that are looked at together
Indexes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The smallest rectangle around a region.

    `orientation_deg` is the direction of the long side, 0 to 180, clockwise from north (from the top of the image where there is no
    ground); None where the long side cannot be told from the short one.
    """

    length: Measure
    width: Measure
    orientation_deg: float | None


def rectangles_in_pixels(boundaries: Sequence[Boundary], width: float, height: float) -> list[Rectangle]:
    """Of each boundary the rectangle in pixels of the scene, of which a View pixel has `width` x `height`."""
    if not boundaries:
        return []
    corners, starts = _hulls(boundaries)
    pixel = np.full(len(boundaries), np.sqrt(width * height))
    return [_rectangle(row, "px") for row in _smallest(corners, corners * (width, -height), starts, pixel)]


def rectangles_on_ground(
    boundaries: Sequence[Boundary], georeference: Georeference, pixels_m: Sequence[float]
) -> list[Rectangle | None]:
    """Of each boundary (View pixels) the rectangle in metres; `pixels_m` is the size of a pixel there.

    Each is laid on a plane of its own: north is that of the region's middle. None for a region of more than 2,000 km, and for one of
    which a corner lies beside the Earth.
    """
    if not boundaries:
        return []
    corners, starts = _hulls(boundaries)
    owner = np.repeat(np.arange(len(boundaries)), np.diff(starts))
    lon, lat = georeference.to_lonlat(corners[:, 0], corners[:, 1])
    seen = np.isfinite(lon)
    lon, lat = np.where(seen, lon, 0.0), np.where(seen, lat, 0.0)
    places = in_space(lon, lat)
    middle = (np.minimum.reduceat(places, starts[:-1]) + np.maximum.reduceat(places, starts[:-1])) / 2
    x, y, z = middle.T
    centre_lon, centre_lat = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    azimuth, _, metres = WGS84.inv(centre_lon[owner], centre_lat[owner], lon, lat)
    turned = np.radians(azimuth)
    flat = np.stack([metres * np.sin(turned), metres * np.cos(turned)], 1)
    reach = np.maximum.reduceat(np.where(seen, metres, np.inf), starts[:-1])
    rows = _smallest(corners, flat, starts, np.asarray(pixels_m))
    return [
        _rectangle(row, "m") if far <= SINGLE_REACH_M else None for row, far in zip(rows, reach.tolist(), strict=True)
    ]


def _hulls(boundaries: Sequence[Boundary]) -> tuple[Floats, Indexes]:
    """Corners (n, 2) of the convex hulls of the pixel centres inside, hull by hull, and where each hull starts (and the last ends).

    In View pixels. The hull of a line of pixels has two corners, that of one pixel has one.
    """
    inside = [each.corners[each.bend > 0] for each in boundaries]
    owner = np.repeat(np.arange(len(boundaries)), [len(each) for each in inside])
    hulls = shapely.convex_hull(shapely.multipoints(np.concatenate(inside), indices=owner))
    corners, owner = shapely.get_coordinates(hulls, return_index=True)
    last = np.append(owner[1:] != owner[:-1], True)
    kept = ~(last & (shapely.get_dimensions(hulls) == 2)[owner])  # a ring's last corner is its first
    return corners[kept], np.searchsorted(owner[kept], np.arange(len(boundaries) + 1))


def _smallest(corners: Floats, flat: Floats, starts: Indexes, pixels: Floats) -> Floats:
    """The smallest rectangle around each hull: (hulls, 5) length, width, their plus/minus, degrees of the long side.

    `corners` are in View pixels, `flat` the same in the frame to measure in, x right and y up, where a pixel has the size `pixels`.
    """
    counts = np.diff(starts)
    found = np.empty((len(counts), 5))
    sizes = np.cumsum(counts.astype(np.int64) ** 2)
    begin = 0
    while begin < len(counts):
        spent = sizes[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(sizes, spent + _PAIRS, side="right")))
        part = slice(starts[begin], starts[end])
        found[begin:end] = _smallest_of(corners[part], flat[part], counts[begin:end], pixels[begin:end])
        begin = end
    return found


def _smallest_of(corners: Floats, flat: Floats, counts: Indexes, pixels: Floats) -> Floats:
    starts = np.cumsum(counts) - counts
    following = np.arange(1, len(corners) + 1)
    following[starts + counts - 1] = starts
    side, step = flat[following] - flat, (corners[following] - corners).astype(np.int64)
    lengths = np.hypot(side[:, 0], side[:, 1])
    pixel = np.repeat(pixels, counts)
    point = lengths == 0  # the hull of one pixel
    along = np.where(point[:, None], (1.0, 0.0), side / np.where(point, 1, lengths)[:, None])
    between = np.where(point, pixel, pixel**2 * np.gcd(step[:, 0], step[:, 1]) / np.where(point, 1, lengths))
    # each side of a hull with each of its corners
    per_side = np.repeat(counts, counts)
    first = np.cumsum(per_side) - per_side
    sides = np.repeat(np.arange(len(corners)), per_side)
    points = np.arange(len(sides)) - np.repeat(first, per_side) + np.repeat(np.repeat(starts, counts), per_side)
    x, y = flat[points].T
    dx, dy = along[sides].T
    extents = [
        np.maximum.reduceat(places, first) - np.minimum.reduceat(places, first) + between
        for places in (x * dx + y * dy, y * dx - x * dy)
    ]
    areas = extents[0] * extents[1]
    owner = np.repeat(np.arange(len(counts)), counts)
    best = np.lexsort((np.arange(len(areas)), areas, owner))[starts]
    one, other = extents[0][best], extents[1][best]
    dx, dy = along[best].T
    degrees = np.degrees(np.where(one >= other, np.arctan2(dx, dy), np.arctan2(-dy, dx))) % 180
    length, width = np.maximum(one, other), np.minimum(one, other)
    base, across, most = PLUS_MINUS
    off = [pixels * np.minimum(base + across * pixels / size, most) for size in (width, length)]
    return np.stack([length, width, *off, degrees], 1)


def _rectangle(row: Floats, unit: str) -> Rectangle:
    length, width, length_off, width_off, degrees = row.tolist()
    told_apart = length - width > length_off + width_off
    return Rectangle(
        Measure(length, length_off, unit),
        Measure(width, width_off, unit),
        round(degrees, 1) % 180 if told_apart else None,
    )
