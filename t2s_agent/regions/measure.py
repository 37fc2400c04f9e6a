"""Measures, each with a plus/minus. On Earth everything is geodesic on the WGS 84 ellipsoid (Karney 2013, by way of PROJ).

**Plus/minus of an area.** The true edge runs somewhere between the centres of the last pixels inside and the first ones outside.
Moving the whole boundary by half a pixel changes the area by half a pixel times the boundary's length: that is the bound stated.

**Plus/minus of a perimeter.** `boundary` estimates the length and what that estimate can be off by for an ideal shape.

Both speak of pixels only: that a mask misses a part of its object, or takes in something else, is not in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, Polygon

from t2s_agent.regions.boundary import Boundary
from t2s_agent.regions.region import Geometry, Measure
from t2s_agent.scene.georeference import Georeference

WGS84 = Geod(ellps="WGS84")
_STRAIGHT_PX = 32.0  # a straight line in pixels may be curved on the ground: longer sides are measured in pieces
_PLUS_MINUS = "plus/minus of an area: half a pixel along the boundary; of a perimeter: what its estimate from pixels can be off by"
METHOD_EARTH = f"geodesic on the WGS 84 ellipsoid; {_PLUS_MINUS}"
METHOD_PIXELS = f"pixels of the scene, which has no place on Earth; {_PLUS_MINUS}"


def area_m2(geometry: Geometry) -> float:
    """Geodesic area in square metres of a lon/lat geometry, holes subtracted."""
    return float(
        sum(abs(_area(part.exterior)) - sum(abs(_area(hole)) for hole in part.interiors) for part in _parts(geometry))
    )


def _area(ring: shapely.LinearRing) -> float:
    """Square metres within a ring, negative where it runs clockwise."""
    return float(WGS84.polygon_area_perimeter(*shapely.get_coordinates(ring).T)[0])


def perimeter_on_ground(boundary: Boundary, georeference: Georeference, gsd_m: float) -> Measure:
    """Geodesic length in metres of a mask's estimated boundary (View pixels); `gsd_m` is the root of a pixel's area there.

    Where a boundary bends around the centre of a pixel that lies beside the Earth, a corner of that pixel stands for it.
    """
    points, following = boundary.corners, boundary.following
    starts = ends = np.arange(len(points))
    side = points[following] - points
    if np.abs(side).max() > _STRAIGHT_PX:
        pieces = np.maximum(np.ceil(np.abs(side).max(1) / _STRAIGHT_PX).astype(np.intp), 1)
        ends = np.cumsum(pieces) - 1
        starts = ends - pieces + 1
        along = ((np.arange(pieces.sum()) - np.repeat(starts, pieces)) / np.repeat(pieces, pieces))[:, None]
        points = np.repeat(points, pieces, 0) + np.repeat(side, pieces, 0) * along
        following = np.arange(1, len(points) + 1)
        following[ends] = starts[boundary.following]
    lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
    if not np.isfinite(lon).all():
        for dx, dy in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)):
            beside = np.flatnonzero(~np.isfinite(lon))
            lon[beside], lat[beside] = georeference.to_lonlat(points[beside, 0] + dx, points[beside, 1] + dy)
    departing, back, lengths = WGS84.inv(lon, lat, lon[following], lat[following])
    length, plus_minus = boundary.length(
        np.add.reduceat(lengths, starts),
        np.radians(departing[starts]),
        np.radians(back[ends]) + np.pi,
        gsd_m**2,
    )
    return Measure(length, plus_minus, "m")


def perimeter_in_pixels(boundary: Boundary, width: float, height: float) -> Measure:
    """Length of a mask's estimated boundary in pixels of the scene, of which a View pixel has `width` x `height`."""
    side = (boundary.corners[boundary.following] - boundary.corners) * (width, height)
    directions = np.arctan2(side[:, 1], side[:, 0])
    return Measure(*boundary.length(np.hypot(side[:, 0], side[:, 1]), directions, directions, width * height), "px")


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The smallest rectangle around a geometry: metres (or pixels), and degrees clockwise from north of its long side."""

    length: float
    width: float
    orientation_deg: float


class LocalPlane:
    """Metres around a place: east and north of it, exact in distance from it (azimuthal equidistant on WGS 84).

    Good for things some kilometres across; what it says of 10 km is right to about a centimetre.
    """

    def __init__(self, lon: float, lat: float) -> None:
        self._place = lon, lat
        from pyproj import Transformer

        # a PROJ string: there is no code for a plane of one's own
        self._transformer = Transformer.from_crs(
            "OGC:CRS84", f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +datum=WGS84 +units=m", always_xy=True
        )

    def flat(self, lonlat: shapely.Geometry) -> shapely.Geometry:
        """Lon/lat to metres."""
        return self._moved(lonlat, "FORWARD")

    def lonlat(self, flat: shapely.Geometry) -> shapely.Geometry:
        """Metres to lon/lat."""
        return self._moved(flat, "INVERSE")

    def _moved(self, geometry: shapely.Geometry, direction: str) -> shapely.Geometry:
        def move(points: np.ndarray) -> np.ndarray:
            x, y = self._transformer.transform(points[:, 0], points[:, 1], direction=direction)
            return np.stack([x, y], axis=1)

        return shapely.transform(geometry, move)


def smallest_rectangle(geometry: Geometry, *, located: bool) -> Rectangle:
    """Of a lon/lat geometry in metres, or of one in pixels (y down) in pixels."""
    if located:
        centre = geometry.centroid
        flat = LocalPlane(centre.x, centre.y).flat(geometry)
    else:
        flat = shapely.transform(geometry, lambda p: p * (1, -1))
    around = flat.minimum_rotated_rectangle
    if not isinstance(around, Polygon):
        return Rectangle(float(around.length), 0.0, 0.0)
    corners = np.array(around.exterior.coords)
    edges = np.diff(corners, axis=0)[:2]
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    long = edges[int(np.argmax(lengths))]
    return Rectangle(float(lengths.max()), float(lengths.min()), float(np.degrees(np.arctan2(long[0], long[1])) % 180))


def compactness(area: float, perimeter: float) -> float:
    """4 pi A / P^2 (Polsby and Popper 1991): 1 for a disc, 0.785 for a square, near 0 for a line."""
    return float(4 * np.pi * area / perimeter**2) if perimeter else 0.0


def distances(geometries: Sequence[Geometry], *, located: bool) -> list[float]:
    """From each geometry to the nearest other one, edge to edge, metres (or pixels); empty for fewer than two."""
    if len(geometries) < 2:
        return []
    flat = _flat_all(geometries) if located else list(geometries)
    tree = shapely.STRtree(flat)
    nearest = []
    for index, each in enumerate(flat):
        _, gaps = tree.query_nearest(each, exclusive=True, return_distance=True, all_matches=False)
        nearest.append(float(gaps[0]) if len(gaps) else min(each.distance(o) for i, o in enumerate(flat) if i != index))
    return nearest


def distance_m(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """The shortest distance between two lon/lat geometries, metres; 0 where they meet."""
    centre = shapely.union_all([a, b]).centroid
    plane = LocalPlane(centre.x, centre.y)
    return float(plane.flat(a).distance(plane.flat(b)))


def _flat_all(geometries: Sequence[Geometry]) -> list[shapely.Geometry]:
    centre = shapely.union_all(list(geometries)).centroid
    plane = LocalPlane(centre.x, centre.y)
    return [plane.flat(each) for each in geometries]


def centroid_of(geometry: Geometry) -> Point:
    """The centroid; across the antimeridian it lies where it should."""
    return _unwrapped(geometry).centroid


def bbox_of(geometry: Geometry) -> tuple[float, float, float, float]:
    """West, south, east, north; west > east across the antimeridian."""
    west, south, east, north = _unwrapped(geometry).bounds
    return (west, south, east - 360 if east > 180 else east, north)


def _unwrapped(geometry: Geometry) -> Geometry:
    west, _, east, _ = geometry.bounds
    if east - west <= 180:
        return geometry
    return shapely.transform(geometry, lambda p: np.stack([np.where(p[:, 0] < 0, p[:, 0] + 360, p[:, 0]), p[:, 1]], 1))


def gsd_at(georeference: Georeference, x: float, y: float, fallback: float) -> float:
    """Metres a View pixel measures at a place of it."""
    return georeference.gsd_m(x, y) or fallback


def _parts(geometry: Geometry) -> list[Polygon]:
    return list(geometry.geoms) if isinstance(geometry, MultiPolygon) else [geometry]
