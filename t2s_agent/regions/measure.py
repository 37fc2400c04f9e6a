"""Measures with a warrant. On Earth everything is geodesic on the WGS 84 ellipsoid (Karney 2013, by way of PROJ).

**Plus/minus.** A mask knows a boundary to about half a pixel: the true edge runs somewhere between the centres of the last
pixel inside and the first one outside. Moving the whole boundary by half a pixel changes the area by half a pixel times the
perimeter; that is the bound that we state for areas. A perimeter drawn on pixels is less certain than an area: its bound is the
difference between the traced staircase and the smoothed outline, and at least one pixel for each part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, Polygon

from t2s_agent.regions.region import Geometry, Measure
from t2s_agent.scene.georeference import Georeference

WGS84 = Geod(ellps="WGS84")
METHOD_EARTH = "geodesic on the WGS 84 ellipsoid; plus/minus: half a pixel along the boundary"
METHOD_PIXELS = "pixels of the scene, which has no place on Earth; plus/minus: half a pixel along the boundary"


def area_m2(geometry: Geometry) -> float:
    """Geodesic area in square metres of a lon/lat geometry, holes subtracted."""
    return float(
        abs(sum(WGS84.geometry_area_perimeter(shapely.geometry.polygon.orient(p, 1.0))[0] for p in _parts(geometry)))
    )


def perimeter_m(geometry: Geometry) -> float:
    """Geodesic length in metres of all rings of a lon/lat geometry."""
    return float(
        sum(WGS84.geometry_length(ring) for part in _parts(geometry) for ring in (part.exterior, *part.interiors))
    )


def area_of(lonlat: Geometry, gsd_m: float) -> Measure:
    """The area of a lon/lat geometry that was traced at `gsd_m` metres a pixel."""
    return Measure(area_m2(lonlat), perimeter_m(lonlat) * gsd_m / 2, "m2")


def perimeter_of(smooth: float, staircase: float, parts: int, pixel: float, unit: str) -> Measure:
    """The length of a smoothed outline whose traced staircase is longer, of so many parts, at `pixel` units a pixel."""
    return Measure(smooth, max(abs(staircase - smooth) / 2, pixel * max(1, parts)), unit)


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
