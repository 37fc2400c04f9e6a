"""A local plane in metres, and what is measured on one: the same at 180 degrees and over the poles as anywhere else.

Geometries in degrees are cut at 180 degrees and run along -180, +-90 and 180 around a pole (RFC 7946). On the plane such parts
are joined again, so that no step that needs a plane sees the cuts.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon

from t2s_agent.scene.georeference import WGS84, Floats, in_space

# Metres from a plane's centre up to which it is used for several geometries at once. There a length across is too long by
# 0.07 % (a sixth of the square of the angle at the Earth's centre).
SHARED_REACH_M = 400_000.0
SINGLE_REACH_M = 1_000_000.0  # and for the shape of one geometry: 0.4 %
_EARTH_M = 6_371_007.0
_CUT_DEG = 180.0
_STRAIGHT_DEG = 0.1  # up to which a side that is straight in degrees is straight on a plane, to 1.2 m
_SAME_DEG = 1e-9


class LocalPlane:
    """Metres east and north of a place: distances and directions from it are exact (azimuthal equidistant on WGS 84)."""

    def __init__(self, lon: float, lat: float) -> None:
        self._lon, self._lat = lon, lat

    @classmethod
    def around(cls, geometries: Sequence[shapely.Geometry]) -> "LocalPlane":
        """The plane of which the centre lies in the middle of geometries in degrees."""
        return cls(*middle_of(geometries))

    def flat(self, lonlat: shapely.Geometry) -> shapely.Geometry:
        """Lon/lat to metres. Sides are straight in degrees, so that a long one along a parallel is curved here. Areas that were cut at 180 degrees or at a pole are whole."""
        moved = shapely.transform(shapely.segmentize(lonlat, _STRAIGHT_DEG), self._to_metres)
        return _joined(moved) if isinstance(lonlat, Polygon | MultiPolygon) and is_cut(lonlat) else moved

    def lonlat(self, flat: shapely.Geometry) -> shapely.Geometry:
        """Metres to lon/lat."""
        return shapely.transform(flat, self._to_degrees)

    def _to_metres(self, points: Floats) -> Floats:
        lon, lat = points[:, 0], points[:, 1]
        lon = np.where(
            np.abs(lat) >= 90, 0.0, np.where(lon <= -_CUT_DEG, _CUT_DEG, lon)
        )  # one place, one pair of numbers
        azimuth, _, metres = WGS84.inv(np.full_like(lon, self._lon), np.full_like(lat, self._lat), lon, lat)
        turned = np.radians(azimuth)
        return np.stack([metres * np.sin(turned), metres * np.cos(turned)], axis=1)

    def _to_degrees(self, points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        centre = np.full_like(x, self._lon), np.full_like(x, self._lat)
        lon, lat, _ = WGS84.fwd(*centre, np.degrees(np.arctan2(x, y)), np.hypot(x, y))
        return np.stack([lon, lat], axis=1)


def is_cut(lonlat: shapely.Geometry) -> bool:
    """Whether a geometry in degrees lies at 180 degrees on both sides, or at a pole."""
    west, south, east, north = lonlat.bounds
    return bool((west <= -_CUT_DEG and east >= _CUT_DEG) or south <= -90 or north >= 90)


def middle_of(geometries: Sequence[shapely.Geometry]) -> tuple[float, float]:
    """Longitude and latitude of the middle of geometries in degrees: of their corners, taken in space."""
    places = _places(shapely.get_coordinates(list(geometries)))
    x, y, z = (places.min(0) + places.max(0)) / 2
    if np.hypot(np.hypot(x, y), z) < 1.0:  # on all sides of the Earth: any place is as good
        x, y, z = places[0]
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def flat_together(geometries: Sequence[shapely.Geometry]) -> list[shapely.Geometry] | None:
    """Geometries on one plane in metres; None where they lie too far apart for a plane to be true (`SHARED_REACH_M`)."""
    plane = LocalPlane.around(geometries)
    flat = [plane.flat(each) for each in geometries]
    return flat if _reach(flat) <= SHARED_REACH_M else None


def flat_alone(geometry: shapely.Geometry) -> shapely.Geometry | None:
    """One geometry on a plane in metres around its middle; None where it is too large for one (`SINGLE_REACH_M`)."""
    flat = LocalPlane.around([geometry]).flat(geometry)
    return flat if _reach([flat]) <= SINGLE_REACH_M else None


def distance_m(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """The shortest distance between two geometries in degrees, metres; 0 where they meet. At any distance within 0.1 %.

    The plane is laid around the middle of the shortest way that is known so far, until that does not change any more.
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


def apart(geometries: Sequence[shapely.Geometry], others: Sequence[shapely.Geometry]) -> Floats:
    """Distances in metres (n, m) that geometries in degrees are at least apart, from the balls in space that hold them."""
    (centres, radii), (other_centres, other_radii) = balls(geometries), balls(others)
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
    """The centroids of areas in degrees, on the ground, to a hundredth of a pixel of each.

    In a small area meridians are so nearly parallel that its centroid in degrees is that on the ground. Off by at most the square
    of its diagonal times the tangent of its latitude, by eight times the Earth's radius.
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
    """West, south, east, north of an area in degrees; west > east across 180 degrees, -180 to 180 around the Earth or a pole."""
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


def _joined(flat: shapely.Geometry) -> shapely.Geometry:
    """Parts on a plane that touch each other along a cut, or themselves, as whole areas."""
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
    """Of corners in degrees (n, 2) the one (1, 2) that is nearest to a place, straight through the Earth."""
    ways = _places(lonlat) - _places(place[None])
    return lonlat[[int(np.argmin((ways**2).sum(1)))]]


def balls(geometries: Sequence[shapely.Geometry]) -> tuple[Floats, Floats]:
    """Centres (n, 3) and radii (n,) in metres of balls that hold areas in degrees."""
    centres, radii = np.zeros((len(geometries), 3)), np.zeros(len(geometries))
    for i, geometry in enumerate(geometries):
        places = _places(shapely.get_coordinates(geometry))
        centres[i] = (places.min(0) + places.max(0)) / 2
        radii[i] = np.linalg.norm(places - centres[i], axis=1).max()
    radii[radii > 0.7 * _EARTH_M] = 3 * _EARTH_M  # more than a hemisphere bulges out of the ball around its edge
    return centres, radii


def _centroid_in_space(geometry: shapely.Geometry) -> Point:
    """The centroid of a large area: of its points in space, and below the surface of the Earth, put up onto it."""
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
