"""Measures, each with a plus/minus. On Earth everything is geodesic on the WGS 84 ellipsoid (Karney 2013, by way of PROJ).

**Plus/minus of an area.** The true edge runs somewhere between the centres of the last pixels inside and the first ones outside.
Moving the whole boundary by half a pixel changes the area by half a pixel times the boundary's length: that is the bound stated.

**Plus/minus of a perimeter.** `boundary` estimates the length and what that estimate can be off by for an ideal shape.

Both speak of pixels only: that a mask misses a part of its object, or takes in something else, is not in them. Where a model has a
calibration (`t2s_agent.calibration`), its plus/minus takes their place.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely

from t2s_agent.regions.boundary import Boundary
from t2s_agent.regions.region import Geometry, Measure
from t2s_agent.regions.units import METRES, PIXELS
from t2s_agent.scene.georeference import WGS84, Floats, Georeference, in_space

_STRAIGHT_PX = 32.0  # a straight line in pixels may be curved on the ground: longer sides are measured in pieces
_ONE_SIZE_M = 50_000.0  # up to which all pixels of a region are taken to be of one size


def areas_m2(geometries: Sequence[Geometry]) -> Floats:
    """`area_m2` of each of several geometries."""
    return np.asarray(shapely.area(shapely.transform(np.asarray(geometries, object), _equal_area)))


def area_m2(geometry: Geometry) -> float:
    """Area on the ellipsoid in square metres of a lon/lat geometry, holes subtracted, also around a pole.

    Edges are straight in longitude and latitude (RFC 7946). Computed on the plane of the cylindrical equal-area projection, which
    keeps areas exactly (Snyder 1987, page 81).
    """
    return float(shapely.transform(geometry, _equal_area).area)


def perimeter_on_ground(boundary: Boundary, georeference: Georeference, gsd_m: float) -> Measure:
    """Geodesic length in metres of a mask's estimated boundary (View pixels); `gsd_m` is the root of a pixel's area there."""
    return perimeters_on_ground([boundary], georeference, [gsd_m])[0]


def perimeters_on_ground(
    boundaries: Sequence[Boundary], georeference: Georeference, gsds_m: Sequence[float]
) -> list[Measure]:
    """The same of several boundaries, all of their sides measured at once.

    Where a boundary bends around the centre of a pixel that lies beside the Earth, a corner of that pixel stands for it.
    """
    if not boundaries:
        return []
    counts = [len(each.corners) for each in boundaries]
    offsets = np.cumsum([0, *counts])
    first = np.concatenate([each.corners for each in boundaries])
    next_corner = np.concatenate([each.following + offset for each, offset in zip(boundaries, offsets, strict=False)])
    side = first[next_corner] - first
    pieces = np.maximum(np.ceil(np.abs(side).max(1) / _STRAIGHT_PX).astype(int), 1)
    starts = np.cumsum(pieces) - pieces
    along = ((np.arange(pieces.sum()) - np.repeat(starts, pieces)) / np.repeat(pieces, pieces))[:, None]
    points = np.repeat(first, pieces, 0) + np.repeat(side, pieces, 0) * along
    lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
    if not np.isfinite(lon).all():
        for dx, dy in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)):
            beside = np.flatnonzero(~np.isfinite(lon))
            lon[beside], lat[beside] = georeference.to_lonlat(points[beside, 0] + dx, points[beside, 1] + dy)
    following = np.arange(1, len(points) + 1)
    following[starts + pieces - 1] = starts[next_corner]
    departing, back, lengths = WGS84.inv(lon, lat, lon[following], lat[following])
    sides = np.add.reduceat(lengths, starts)
    departures, arrivals = np.radians(departing[starts]), np.radians(back[starts + pieces - 1]) + np.pi
    middles = (first + first[next_corner]) / 2
    found = []
    for boundary, gsd_m, at, count in zip(boundaries, gsds_m, offsets, counts, strict=False):
        own = slice(at, at + count)
        pixels = _pixel_areas_m2(middles[own], georeference, gsd_m)
        length, plus_minus = boundary.length(sides[own], departures[own], arrivals[own], pixels)
        found.append(Measure(length, plus_minus, METRES.length))
    return found


def _pixel_areas_m2(places: Floats, georeference: Georeference, gsd_m: float) -> float | Floats:
    """Square metres of pixels at places (n, 2): one number for all, or where they lie far apart one for each."""
    if np.ptp(places, axis=0).max() * gsd_m < _ONE_SIZE_M:
        return gsd_m**2
    areas = georeference.pixel_areas_m2(places[:, 0], places[:, 1])
    return np.where(np.isfinite(areas) & (areas > 0), areas, gsd_m**2)


def seam_m(outline: Geometry, georeference: Georeference, width: int) -> float:
    """Metres of the left edge of a picture along which an outline in its pixels goes on at the right edge: no boundary.

    0 unless the picture goes once around the Earth. The picture has `width` pixels.
    """
    west, south, east, north = outline.bounds
    if west > 0 or east < width:
        return 0.0
    ys = np.linspace(south, north, 5)
    ends = [in_space(*georeference.to_lonlat(np.full_like(ys, x), ys)) for x in (0.0, float(width))]
    if not np.abs(ends[0] - ends[1]).max() < 1.0:  # metres; NaN beside the Earth
        return 0.0
    sides: list[shapely.Geometry] = []
    for x in (0.0, float(width)):
        pieces = []
        for ring in shapely.get_rings(shapely.get_parts(outline)):
            points = shapely.get_coordinates(ring)
            along = np.flatnonzero((points[:-1, 0] == x) & (points[1:, 0] == x))
            pieces += [shapely.LineString([(0, points[i, 1]), (0, points[i + 1, 1])]) for i in along]
        sides.append(shapely.union_all(pieces))
    metres = 0.0
    for part in shapely.get_parts(shapely.intersection(*sides)):
        y = shapely.get_coordinates(part.segmentize(_STRAIGHT_PX))[:, 1]
        metres += float(WGS84.line_length(*georeference.to_lonlat(np.zeros_like(y), y)))
    return metres


def _equal_area(points: Floats) -> Floats:
    """Lon/lat to metres of the cylindrical equal-area projection."""
    a, e = WGS84.a, math.sqrt(WGS84.es)
    sine = np.sin(np.radians(points[:, 1]))
    q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)
    return np.stack([a * np.radians(points[:, 0]), a * q / 2], axis=1)


def perimeter_in_pixels(boundary: Boundary, width: float, height: float) -> Measure:
    """Length of a mask's estimated boundary in pixels of the scene, of which a View pixel has `width` x `height`."""
    side = (boundary.corners[boundary.following] - boundary.corners) * (width, height)
    directions = np.arctan2(side[:, 1], side[:, 0])
    return Measure(
        *boundary.length(np.hypot(side[:, 0], side[:, 1]), directions, directions, width * height), PIXELS.length
    )
