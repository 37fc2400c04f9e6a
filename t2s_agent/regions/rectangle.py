"""Measures length, width and orientation with the smallest rectangle around the estimated true shape of a mask.

A rectangle around the pixels is too large: at a slanted edge pixels extend beyond the shape by up to 0.7 of a pixel on each
side. A rectangle around their centres is too small. The smallest rectangle has a side along a side of the centres' convex hull
(Freeman and Shapira 1975). Pixel centres form lines parallel to a side of the hull; for a side with the direction (p, q) in lowest
terms these lines are 1 / hypot(p, q) apart. The true edge is between the last line with centres inside and the next line, so each
of the four sides is moved outwards by half of that distance.

**Plus/minus.** The error is larger at narrow ends. `PLUS_MINUS` was fitted on drawn rectangles and ellipses of 3 to 200
pixels at any angle and position, and covers nine of ten of them (`tests/regions/test_rectangle.py` checks it on others). Pointed
ends need this size: the error of rectangles is a third of it. It is the error from pixels only, as for area and perimeter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.boundary import Boundary
from t2s_agent.regions.plane import SINGLE_REACH_M, LocalPlane, flat_alone
from t2s_agent.regions.region import Measure
from t2s_agent.regions.units import METRES, PIXELS
from t2s_agent.scene.georeference import WGS84, Floats, Georeference, in_space

PLUS_MINUS = (0.6, 4.0, 1.2)  # pixels: constant; divided by the size across in pixels; maximum of their sum
_PAIRS = 1_000_000  # pairs of a hull's side and corner in memory at a time
_FLAT_M = 10_000.0  # up to this distance from the middle, a side that is straight in pixels is straight on the ground
_STRAIGHT_PX = 0.25  # largest distance of the middle of a side from the straight line, in pixels
_STEPS = 2_000  # points along the hull of a region with curved sides
_PIXEL = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)])
Indexes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The smallest rectangle around a region.

    `orientation_deg` is the direction of the long side, 0 to 180, clockwise from north (from the top of the image without a
    georeference); None where length and width differ by less than their plus/minus.
    """

    length: Measure
    width: Measure
    orientation_deg: float | None


def rectangles_in_pixels(boundaries: Sequence[Boundary], width: float, height: float) -> list[Rectangle]:
    """The rectangle of each boundary in pixels of the scene; a View pixel has `width` x `height` of them."""
    if not boundaries:
        return []
    corners, starts = _hulls(boundaries)
    pixels = np.broadcast_to(np.diag([width, -height]), (len(boundaries), 2, 2))
    return [_rectangle(row, PIXELS.length) for row in _smallest(corners, corners * (width, -height), starts, pixels)]


def rectangles_on_ground(boundaries: Sequence[Boundary], georeference: Georeference) -> list[Rectangle | None]:
    """The rectangle of each boundary (in View pixels) in metres.

    Each is measured on a separate plane; north is that of the region's middle. None for a region of more than 2,000 km, and for one
    with a corner off the Earth.
    """
    if not boundaries:
        return []
    corners, starts = _hulls(boundaries)
    firsts = starts[:-1]
    owner = np.repeat(np.arange(len(boundaries)), np.diff(starts))
    middle = (np.minimum.reduceat(corners, firsts) + np.maximum.reduceat(corners, firsts)) / 2
    ends = (middle[:, None] + _PIXEL).reshape(-1, 2)  # edges of a pixel there: left, right, top, bottom
    lon, lat = georeference.to_lonlat(*np.concatenate([corners, ends]).T)
    on_earth = np.isfinite(lon)
    lon, lat = np.where(on_earth, lon, 0.0), np.where(on_earth, lat, 0.0)
    places = in_space(lon[: len(owner)], lat[: len(owner)])
    x, y, z = (np.minimum.reduceat(places, firsts) + np.maximum.reduceat(places, firsts)).T
    centre_lon = np.degrees(np.arctan2(y, x))
    centre_lat = np.degrees(np.arctan2(z, (1 - WGS84.es) * np.hypot(x, y)))  # the geodetic latitude
    every = np.concatenate([owner, np.repeat(np.arange(len(boundaries)), 4)])
    azimuth, _, metres = WGS84.inv(centre_lon[every], centre_lat[every], lon, lat)
    flat = np.stack([metres * np.sin(np.radians(azimuth)), metres * np.cos(np.radians(azimuth))], 1)
    left, right, top, bottom = flat[len(owner) :].reshape(-1, 4, 2).swapaxes(0, 1)
    pixels = np.stack([right - left, bottom - top], 2)
    reach = np.maximum.reduceat(np.where(on_earth, metres, np.inf)[: len(owner)], firsts)
    reach = np.where(on_earth[len(owner) :].reshape(-1, 4).all(1), reach, np.inf)
    found: list[Rectangle | None] = [
        _rectangle(row, METRES.length) for row in _smallest(corners, flat[: len(owner)], starts, pixels)
    ]
    for index in np.flatnonzero(reach > _FLAT_M).tolist():
        own = slice(starts[index], starts[index + 1])
        if reach[index] > SINGLE_REACH_M:
            found[index] = None
        elif _is_curved(corners[own], flat[own], georeference, centre_lon[index], centre_lat[index], pixels[index]):
            found[index] = _curved_rectangle(corners[own], georeference)
    return found


def _is_curved(
    corners: Floats, flat: Floats, georeference: Georeference, lon: float, lat: float, pixel: Floats
) -> bool:
    """Whether the sides of a hull are curved on the plane with its centre at (lon, lat)."""
    middles = (corners + np.roll(corners, -1, 0)) / 2
    there = np.stack(georeference.to_lonlat(middles[:, 0], middles[:, 1]), 1)
    if not np.isfinite(there).all():
        return True
    on_plane = shapely.get_coordinates(LocalPlane(lon, lat).flat(shapely.MultiPoint(there)))
    off = np.hypot(*(on_plane - (flat + np.roll(flat, -1, 0)) / 2).T)
    return bool(off.max() > _STRAIGHT_PX * np.sqrt(abs(np.linalg.det(pixel))))


def _curved_rectangle(corners: Floats, georeference: Georeference) -> Rectangle | None:
    """The rectangle of a region with curved sides on the plane: follows the sides of its hull (n, 2) in small steps."""
    outline = shapely.LineString([*corners, corners[0]])
    along = shapely.get_coordinates(outline.segmentize(max(outline.length / _STEPS, 1e-6)))
    lon, lat = georeference.to_lonlat(along[:, 0], along[:, 1])
    if not np.isfinite(lon).all():
        return None
    path = shapely.MultiPoint(np.stack([lon, lat], 1))
    flat = flat_alone(path)
    if flat is None:
        return None
    around = shapely.get_coordinates(flat.minimum_rotated_rectangle)
    if len(around) != 5:
        return None
    edges = np.diff(around, axis=0)[:2]
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    dx, dy = edges[lengths.argmax()]
    middle = (corners.min(0) + corners.max(0)) / 2
    areas = georeference.pixel_areas_m2([middle[0]], [middle[1]])
    pixel = float(np.sqrt(areas[0])) if np.isfinite(areas[0]) else 0.0
    length, width = lengths.max() + pixel / 2, lengths.min() + pixel / 2
    off = PLUS_MINUS[2] * pixel
    return _rectangle(np.array([length, width, off, off, np.degrees(np.arctan2(dx, dy)) % 180]), METRES.length)


def _hulls(boundaries: Sequence[Boundary]) -> tuple[Floats, Indexes]:
    """Corners (n, 2) of the convex hulls of the pixel centres inside, in View pixels, and the start index of each hull.

    The last index is the end of the last hull. The hull of a line of pixels has two corners, that of one pixel has one.
    """
    inside = [each.corners[each.bend > 0] for each in boundaries]
    owner = np.repeat(np.arange(len(boundaries)), [len(each) for each in inside])
    hulls = shapely.convex_hull(shapely.multipoints(np.concatenate(inside), indices=owner))
    corners, owner = shapely.get_coordinates(hulls, return_index=True)
    last = np.append(owner[1:] != owner[:-1], True)
    kept = ~(last & (shapely.get_dimensions(hulls) == 2)[owner])  # a ring's last corner is its first
    return corners[kept], np.searchsorted(owner[kept], np.arange(len(boundaries) + 1))


def _smallest(corners: Floats, flat: Floats, starts: Indexes, pixels: Floats) -> Floats:
    """The smallest rectangle around each hull: (hulls, 5) length, width, their plus/minus, direction of the long side in degrees.

    `corners` are in View pixels; `flat` are the same corners in the measured frame, x right and y up. `pixels` (hulls, 2, 2) has as
    columns the steps of one pixel to the right and one pixel down in that frame.
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
    point = lengths == 0  # the hull of one pixel
    step[point] = 1, 0
    unit = step / np.gcd(step[:, 0], step[:, 1])[:, None]
    frame = np.repeat(pixels, counts, 0)
    areas = abs(np.linalg.det(pixels))
    # distances between the lines of pixel centres parallel to a side, and between those at right angles to it
    along, across = ((frame @ each[:, :, None])[:, :, 0] for each in (unit, unit[:, ::-1] * (-1, 1)))
    area = np.repeat(areas, counts)
    between = [area / np.hypot(*each.T) for each in (across, along)]
    along /= np.hypot(*along.T)[:, None]
    along = np.where(point[:, None], along, side / np.where(point, 1, lengths)[:, None])
    # each side of a hull with each of its corners
    per_side = np.repeat(counts, counts)
    first = np.cumsum(per_side) - per_side
    sides = np.repeat(np.arange(len(corners)), per_side)
    points = np.arange(len(sides)) - np.repeat(first, per_side) + np.repeat(np.repeat(starts, counts), per_side)
    x, y = flat[points].T
    dx, dy = along[sides].T
    extents = [
        np.maximum.reduceat(places, first) - np.minimum.reduceat(places, first) + more
        for places, more in ((x * dx + y * dy, between[0]), (y * dx - x * dy, between[1]))
    ]
    around = extents[0] * extents[1]
    owner = np.repeat(np.arange(len(counts)), counts)
    best = np.lexsort((np.arange(len(around)), around, owner))[starts]
    one, other = extents[0][best], extents[1][best]
    dx, dy = along[best].T
    degrees = np.degrees(np.where(one >= other, np.arctan2(dx, dy), np.arctan2(-dy, dx))) % 180
    length, width = np.maximum(one, other), np.minimum(one, other)
    base, ends, most = PLUS_MINUS
    pixel = np.sqrt(areas)
    off = [pixel * np.minimum(base + ends * pixel / size, most) for size in (width, length)]
    return np.stack([length, width, *off, degrees], 1)


def _rectangle(row: Floats, unit: str) -> Rectangle:
    length, width, length_off, width_off, degrees = row.tolist()
    is_elongated = length - width > length_off + width_off
    return Rectangle(
        Measure(length, length_off, unit),
        Measure(width, width_off, unit),
        round(degrees, 1) % 180 if is_elongated else None,
    )
