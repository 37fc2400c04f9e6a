"""Projects geometries to a local plane in metres and measures there; also at 180 degrees and at the poles.

Geometries in degrees are cut at 180 degrees, and an area with a pole inside follows -180, +-90 and 180 (RFC 7946). On the plane
such parts are joined again.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon

from t2s_agent.scene.georeference import WGS84, Floats, in_space

# Metres from a plane's centre up to which it is used for several geometries. At this distance a length across the direction to
# the centre is too long by 0.07 % (a sixth of the square of the angle at the Earth's centre).
SHARED_REACH_M = 400_000.0
SINGLE_REACH_M = 1_000_000.0  # the same for the shape of a single geometry: 0.4 %
_EARTH_M = 6_371_007.0
_CUT_DEG = 180.0
_STRAIGHT_DEG = 0.1  # up to this length a side that is straight in degrees is straight on a plane within 1.2 m
_SAME_DEG = 1e-9


class LocalPlane:
    """Metres east and north of a centre: distances and directions from it are exact (azimuthal equidistant, WGS 84)."""

    def __init__(self, lon: float, lat: float) -> None:
        self._lon, self._lat = lon, lat

    @classmethod
    def around(cls, geometries: Sequence[shapely.Geometry]) -> "LocalPlane":
        """The plane with its centre in the middle of geometries in degrees."""
        return cls(*middle_of(geometries))

    def flat(self, lonlat: shapely.Geometry) -> shapely.Geometry:
        """A geometry in degrees projected to metres. Long sides become curves. Areas cut at 180 degrees or at a pole are joined."""
        moved = shapely.transform(shapely.segmentize(lonlat, _STRAIGHT_DEG), self._to_metres)
        return _join_parts(moved) if isinstance(lonlat, Polygon | MultiPolygon) and is_cut(lonlat) else moved

    def lonlat(self, flat: shapely.Geometry) -> shapely.Geometry:
        """A geometry in metres converted back to degrees."""
        return shapely.transform(flat, self._to_degrees)

    def _to_metres(self, points: Floats) -> Floats:
        lon, lat = points[:, 0], points[:, 1]
        # equal positions get equal coordinates: at the poles, and at -180 and 180 degrees
        lon = np.where(np.abs(lat) >= 90, 0.0, np.where(lon <= -_CUT_DEG, _CUT_DEG, lon))
        azimuth, _, metres = WGS84.inv(np.full_like(lon, self._lon), np.full_like(lat, self._lat), lon, lat)
        turned = np.radians(azimuth)
        return np.stack([metres * np.sin(turned), metres * np.cos(turned)], axis=1)

    def _to_degrees(self, points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        centre = np.full_like(x, self._lon), np.full_like(x, self._lat)
        lon, lat, _ = WGS84.fwd(*centre, np.degrees(np.arctan2(x, y)), np.hypot(x, y))
        return np.stack([lon, lat], axis=1)


def is_cut(lonlat: shapely.Geometry) -> bool:
    """Whether a geometry in degrees touches both -180 and 180 degrees, or a pole."""
    west, south, east, north = lonlat.bounds
    return bool((west <= -_CUT_DEG and east >= _CUT_DEG) or south <= -90 or north >= 90)


def middle_of(geometries: Sequence[shapely.Geometry]) -> tuple[float, float]:
    """Longitude and latitude of the middle of geometries in degrees: the middle of their corners' geocentric coordinates."""
    places = _places(shapely.get_coordinates(list(geometries)))
    x, y, z = (places.min(0) + places.max(0)) / 2
    if np.hypot(np.hypot(x, y), z) < 1.0:  # spread around the whole Earth: any position will do
        x, y, z = places[0]
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def flat_together(geometries: Sequence[shapely.Geometry]) -> list[shapely.Geometry] | None:
    """Geometries on one plane in metres; None where they are too far apart for one plane (`SHARED_REACH_M`)."""
    plane = LocalPlane.around(geometries)
    flat = [plane.flat(each) for each in geometries]
    return flat if _reach(flat) <= SHARED_REACH_M else None


def flat_alone(geometry: shapely.Geometry) -> shapely.Geometry | None:
    """One geometry on a plane in metres around its middle; None where it is too large for one (`SINGLE_REACH_M`)."""
    flat = LocalPlane.around([geometry]).flat(geometry)
    return flat if _reach([flat]) <= SINGLE_REACH_M else None


def distance_m(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """The shortest distance in metres between two geometries in degrees, within 0.1 % at any distance; 0 where they intersect.

    The centre of the plane is the middle of the shortest line found so far; this is repeated until the line does not change.
    """
    ways = shapely.get_coordinates(a), shapely.get_coordinates(b)
    near = ways[0][:1]
    for _ in range(2):
        other = _nearest(ways[1], near[0])
        near = _nearest(ways[0], other[0])
    start, end = near[0], other[0]
    metres = np.inf
    for _ in range(5):
        azimuth, _, length = WGS84.inv(*start, *end)
        lon, lat, _ = WGS84.fwd(start[0], start[1], azimuth, length / 2)
        plane = LocalPlane(lon, lat)
        flat = plane.flat(a), plane.flat(b)
        way = shapely.shortest_line(*flat)
        if way.length < SHARED_REACH_M / 100:
            return float(way.length)
        start, end = shapely.get_coordinates(plane.lonlat(way))
        length = float(WGS84.inv(*start, *end)[2])
        if abs(metres - length) <= 1e-5 * length:
            break
        metres = length
    return float(min(metres, length))


def min_distances_m(geometries: Sequence[shapely.Geometry], others: Sequence[shapely.Geometry]) -> Floats:
    """Lower bounds (n, m) of the distances in metres between geometries in degrees, from their bounding spheres."""
    (centres, radii), (other_centres, other_radii) = bounding_spheres(geometries), bounding_spheres(others)
    between = np.linalg.norm(centres[:, None] - other_centres[None], axis=2)
    return np.asarray(np.maximum(between - radii[:, None] - other_radii[None], 0.0))


def centroid_of(geometry: shapely.Geometry) -> Point:
    """The centroid of an area in degrees, on the ground."""
    lon, lat = middle_of([geometry])
    for _ in range(3):
        plane = LocalPlane(lon, lat)
        flat = plane.flat(geometry)
        if _reach([flat]) > SINGLE_REACH_M or flat.is_empty:
            return _centroid_in_space(geometry)
        place = plane.lonlat(flat.centroid)
        moved = flat.centroid.x**2 + flat.centroid.y**2
        lon, lat = place.x, place.y
        if moved < 1e-6 * max(flat.area, 1e-12):
            break
    return Point(lon, lat)


def centroids_of(geometries: Sequence[shapely.Geometry], pixels_m: Sequence[float]) -> list[Point]:
    """The centroids on the ground of areas in degrees, each within a hundredth of its pixel.

    In a small area meridians are almost parallel, so the centroid in degrees is used. Its error is at most the square of the
    diagonal times the tangent of the latitude, divided by eight times the Earth's radius.
    """
    areas = np.asarray(geometries, object)
    west, south, east, north = np.radians(shapely.bounds(areas)).T
    wide = (east - west) * np.cos(np.minimum(np.abs(south), np.abs(north)))
    latitude = np.minimum(np.maximum(np.abs(south), np.abs(north)), 1.57)
    off_m = (wide**2 + (north - south) ** 2) * np.tan(latitude) * WGS84.a / 8
    small = (off_m < np.asarray(pixels_m) / 100) & (wide < 0.01)
    near = shapely.centroid(areas)
    return [each if flat else centroid_of(area) for each, flat, area in zip(near, small, areas, strict=True)]


def bbox_of(geometry: shapely.Geometry) -> tuple[float, float, float, float]:
    """West, south, east, north of an area in degrees; west > east across 180 degrees, -180 to 180 for all longitudes or a pole."""
    _, south, _, north = geometry.bounds
    spans = sorted((part.bounds[0], part.bounds[2]) for part in shapely.get_parts(geometry))
    joined = [list(spans[0])]
    for west, east in spans[1:]:
        if west <= joined[-1][1] + _SAME_DEG:
            joined[-1][1] = max(joined[-1][1], east)
        else:
            joined.append([west, east])
    gaps = [after[0] - before[1] for before, after in itertools.pairwise(joined)]
    gaps.append(joined[0][0] + 360 - joined[-1][1])
    widest = int(np.argmax(gaps))
    if gaps[widest] <= _SAME_DEG:
        return -180.0, south, 180.0, north
    return joined[(widest + 1) % len(joined)][0], south, joined[widest][1], north


def _join_parts(flat: shapely.Geometry) -> shapely.Geometry:
    """The union of parts on a plane that touch along a cut."""
    grid = max(1e-7, 1e-10 * _reach([flat]))
    parts = [shapely.make_valid(part) for part in shapely.get_parts(flat)]
    areas = [each for part in parts for each in shapely.get_parts(part) if isinstance(each, Polygon)]
    whole = shapely.union_all(areas, grid_size=grid)
    return whole if not whole.is_empty else flat


def _reach(flat: Sequence[shapely.Geometry]) -> float:
    points = shapely.get_coordinates(list(flat))
    return float(np.hypot(points[:, 0], points[:, 1]).max()) if len(points) else 0.0


def _places(lonlat: Floats) -> Floats:
    return in_space(lonlat[:, 0], lonlat[:, 1])


def _nearest(lonlat: Floats, place: Floats) -> Floats:
    """Of corners in degrees (n, 2) the one (1, 2) nearest to a position, in a straight line through the Earth."""
    ways = _places(lonlat) - _places(place[None])
    return lonlat[[int(np.argmin((ways**2).sum(1)))]]


def bounding_spheres(geometries: Sequence[shapely.Geometry]) -> tuple[Floats, Floats]:
    """Centres (n, 3; geocentric) and radii (n,) in metres of spheres that contain areas in degrees."""
    centres, radii = np.zeros((len(geometries), 3)), np.zeros(len(geometries))
    for i, geometry in enumerate(geometries):
        places = _places(shapely.get_coordinates(geometry))
        centres[i] = (places.min(0) + places.max(0)) / 2
        radii[i] = np.linalg.norm(places - centres[i], axis=1).max()
    radii[radii > 0.7 * _EARTH_M] = (
        3 * _EARTH_M
    )  # an area larger than a hemisphere is not inside the sphere around its corners
    return centres, radii


def _centroid_in_space(geometry: shapely.Geometry) -> Point:
    """The centroid of a large area: the mean of its geocentric coordinates, projected onto the surface of the Earth."""
    total = np.zeros(3)
    for part in shapely.get_parts(geometry):
        for index, ring in enumerate((part.exterior, *part.interiors)):
            path = np.radians(shapely.get_coordinates(ring.segmentize(1.0)))
            step = np.diff(path[:, 0])
            lam, phi = (path[1:] + path[:-1]).T / 2
            around = -np.stack(
                [
                    (phi / 2 + np.sin(2 * phi) / 4) * np.cos(lam),
                    (phi / 2 + np.sin(2 * phi) / 4) * np.sin(lam),
                    np.sin(phi) ** 2 / 2,
                ]
            )
            moment = (around * step).sum(1)
            total += moment * (1 if ring.is_ccw == (index == 0) else -1)
    if np.linalg.norm(total) < 1e-9:
        return geometry.representative_point()
    x, y, z = total
    return Point(float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y)))))
