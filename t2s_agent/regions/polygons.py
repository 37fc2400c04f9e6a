"""Converts masks to polygons: traces them along pixel edges, simplifies them by less than a pixel, converts them to degrees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.polygon import orient

from t2s_agent.mask import EMPTY, Mask
from t2s_agent.regions.neighbours import simplified_together, touching
from t2s_agent.regions.region import Geometry, Labels
from t2s_agent.scene.georeference import Floats, Georeference

SIMPLIFY_PX = 0.5  # the corners of a staircase are half a pixel from the true edge
_DENSE_PX = 16.0  # where the conversion to degrees is not linear, a straight edge gets a corner at this spacing
_DENSE_M = 200_000.0  # and at this spacing in pictures with very large pixels
# Near the poles corners are closer: the largest distance of a straight line in degrees from the edge, for files and for measuring.
_BULGE_PX = (0.002, 0.0002)
_WIDEST_STEP_DEG = 60.0  # largest step between corners, so that the direction around the Earth is unambiguous
_ROUNDS = 14  # most rounds of splitting edges; only edges next to a pole need so many
_NEAR_POLE_DEG = 80.0
_BESIDE_POLE_PX = 1e-6
GLOBE = box(-180, -90, 180, 90)


@dataclass(frozen=True, slots=True)
class Placed:
    """A geometry in View pixels and in degrees (None where the View is not located)."""

    pixels: Geometry
    lonlat: Geometry | None


def trace(mask: NDArray[np.bool_]) -> Geometry:
    """The outline of a mask (H, W) along pixel edges, with holes, in View pixels. Pixels that touch only at a corner are separate."""
    return traced_all(mask.astype(np.int32)).get(1, MultiPolygon())


def traced_all(labels: Labels) -> dict[int, Geometry]:
    """The outline of each value above 0 in labels (H, W), as from `trace`, in one pass over the picture."""
    rows, columns = np.flatnonzero(labels.any(1)), np.flatnonzero(labels.any(0))
    if not len(rows):
        return {}
    x, y = int(columns[0]), int(rows[0])
    near = labels[y : rows[-1] + 1, x : columns[-1] + 1].astype(np.int32)
    found = rasterio.features.shapes(near, mask=near > 0, connectivity=4, transform=Affine.translation(x, y))
    values, polygons = [], []
    for geometry, value in found:
        values.append(int(value))
        polygons.append(geometry["coordinates"])
    parts: dict[int, list[Polygon]] = {}
    for value, part in zip(values, _polygons_of(polygons), strict=True):
        parts.setdefault(value, []).append(part)
    return {value: _multi(each) for value, each in sorted(parts.items())}


def _polygons_of(found: list[list[list[tuple[float, float]]]]) -> NDArray[np.object_]:
    """Shapely polygons from GeoJSON coordinates, built together: one by one takes as long as tracing them."""
    rings = [ring for polygon in found for ring in polygon]
    of_ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    of_polygon = np.repeat(np.arange(len(found)), [len(polygon) for polygon in found])
    corners = np.array([corner for ring in rings for corner in ring], np.float64)
    lines = shapely.linearrings(corners, indices=of_ring)
    return np.asarray(shapely.polygons(lines, indices=of_polygon))


def simplified(outline: Geometry, tolerance_px: float = SIMPLIFY_PX) -> Geometry:
    """The outline with fewer corners, within the tolerance; valid, and not empty unless the outline is."""
    return simplified_all([outline], tolerance_px)[0]


def simplified_all(outlines: Sequence[Geometry], tolerance_px: float = SIMPLIFY_PX) -> list[Geometry]:
    """Simplifies several outlines of one picture; outlines that touch are simplified together (`neighbours`)."""
    if tolerance_px <= 0 or not outlines:
        return list(outlines)
    simple = shapely.simplify(np.asarray(outlines, object), tolerance_px, preserve_topology=True)
    if len(near := touching(outlines)):
        simple[near] = simplified_together([outlines[i] for i in near], tolerance_px)
    odd = ~shapely.is_valid(simple)
    simple[odd] = shapely.make_valid(simple[odd])
    areas = shapely.area(simple)
    found: list[Geometry] = []
    for outline, each, area in zip(outlines, simple, areas, strict=True):
        kept = _polygons(each)
        found.append(_multi(kept) if kept and area > 0 else outline)
    return found


def to_lonlat(outline: Geometry, georeference: Georeference, decimals: int | None = None) -> Geometry:
    """A geometry in View pixels converted to degrees as in RFC 7946.

    Outer rings are counter-clockwise; areas that cross 180 degrees are cut there; areas with a pole inside follow -180, +-90 and
    180. Straight edges get more corners where a straight line in degrees would be more than a five-hundredth of a pixel away. Empty
    where a corner is off the Earth. Without `decimals` nothing is rounded and the tolerance is ten times smaller, for measuring.
    """
    polygons = _polygons(outline)
    rings = [(i, ring) for i, polygon in enumerate(polygons) for ring in (polygon.exterior, *polygon.interiors)]
    paths = _paths([np.asarray(ring.coords)[:, :2] for _, ring in rings], georeference, _BULGE_PX[decimals is None])
    if paths is None:
        return MultiPolygon()
    of_polygon: list[list[Floats]] = [[] for _ in polygons]
    for (i, _), path in zip(rings, paths, strict=True):
        of_polygon[i].append(path)
    parts: list[Polygon] = []
    for polygon, own in zip(polygons, of_polygon, strict=True):
        if all(_is_plain(path) for path in own):
            parts.append(Polygon(own[0], own[1:]))
        else:
            parts += _cut(polygon, own, georeference)
    if decimals is not None:
        rounded = [shapely.transform(part, lambda p: np.round(p, decimals)) for part in parts]
        kept = [part for part in rounded if part.area > 0]
        parts = kept or parts
    whole = [each for part in parts for each in ([part] if part.is_valid else _polygons(shapely.make_valid(part)))]
    return _multi([orient(part, 1.0) for part in whole if part.area > 0])


def to_lonlat_all(
    outlines: Sequence[Geometry], georeference: Georeference, decimals: Sequence[int] | None = None
) -> list[Geometry]:
    """Each outline as from `to_lonlat`, with `decimals` for each; all corners are transformed together.

    Outlines at a pole, across 180 degrees, off the Earth, or invalid after rounding are converted one by one with `to_lonlat`.
    """
    if not outlines:
        return []
    places = [None] * len(outlines) if decimals is None else list(decimals)
    polygons = [_polygons(outline) for outline in outlines]
    rings = [ring for each in polygons for polygon in each for ring in (polygon.exterior, *polygon.interiors)]
    paths = _paths([shapely.get_coordinates(ring) for ring in rings], georeference, _BULGE_PX[decimals is None])
    if paths is None or (
        not georeference.linear_in_degrees and np.abs(np.concatenate(paths)[:, 1]).max() > _NEAR_POLE_DEG
    ):
        return [to_lonlat(each, georeference, own) for each, own in zip(outlines, places, strict=True)]
    rings_of = np.repeat(np.arange(len(outlines)), [sum(1 + len(p.interiors) for p in each) for each in polygons])
    plain = np.bincount(rings_of, ~_are_plain(paths), len(outlines)) == 0
    plain &= [bool(each) for each in polygons]
    if not plain.any():
        return [to_lonlat(each, georeference, own) for each, own in zip(outlines, places, strict=True)]
    own_paths = [path for path, own in zip(paths, plain[rings_of].tolist(), strict=True) if own]
    own_places = None if decimals is None else np.asarray(decimals)[rings_of][plain[rings_of]]
    sizes = [1 + len(p.interiors) for each, own in zip(polygons, plain, strict=True) if own for p in each]
    parts = _oriented(own_paths, sizes, own_places)
    good = shapely.is_valid(parts) & (shapely.area(parts) > 0)
    found: list[Geometry] = []
    at = 0
    for index, (outline, own) in enumerate(zip(polygons, plain, strict=True)):
        until = at + len(outline) if own else at
        if own and good[at:until].all():
            found.append(_multi(list(parts[at:until])))
        else:
            found.append(to_lonlat(outlines[index], georeference, places[index]))
        at = until
    return found


def _oriented(paths: list[Floats], sizes: list[int], places: NDArray[np.int_] | None) -> NDArray[np.object_]:
    """Polygons from rings: `sizes` is the number of rings of each polygon (outer ring first), `places` the decimals of each ring.

    Outer rings are counter-clockwise, holes clockwise.
    """
    corners, of_ring = np.concatenate(paths), np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    if places is not None:
        for number in np.unique(places):
            own = places[of_ring] == number
            corners[own] = np.round(corners[own], int(number))
    rings = shapely.linearrings(corners, indices=of_ring)
    outer = np.zeros(len(rings), bool)
    outer[np.cumsum([0, *sizes[:-1]])] = True
    turned = shapely.is_ccw(rings) != outer
    rings[turned] = shapely.reverse(rings[turned])
    return np.asarray(shapely.polygons(rings, indices=np.repeat(np.arange(len(sizes)), sizes)))


def rasterised(outline: Geometry, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels (H, W) with their centres inside a geometry in View pixels."""
    if outline.is_empty:
        return np.zeros((height, width), bool)
    burned = rasterio.features.rasterize([(outline, 1)], out_shape=(height, width), dtype="uint8")
    return np.asarray(burned, dtype=bool)


def mask_within(outline: Geometry, height: int, width: int) -> Mask:
    """`rasterised` as a Mask, clipped to a View of `height` x `width` pixels; computed only near the geometry."""
    if outline.is_empty:
        return EMPTY
    x1, y1, x2, y2 = outline.bounds
    left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
    right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
    if left >= right or top >= bottom:
        return EMPTY
    moved = affinity.translate(outline, -left, -top)
    return Mask.of(rasterised(moved, bottom - top, right - left), left, top)


def _paths(rings: list[Floats], georeference: Georeference, bulge_px: float) -> list[Floats] | None:
    """Closed rings (n, 2) in View pixels converted to closed paths (m, 2) in degrees, with longitudes continuous beyond 180.

    A path around a pole ends 360 degrees from its start. None where a corner is off the Earth.
    """
    points = np.concatenate(rings)
    ring = np.repeat(np.arange(len(rings)), [len(r) for r in rings])
    linear = georeference.linear_in_degrees
    piece = _DENSE_PX * _DENSE_M / max(_DENSE_M, _DENSE_PX * georeference.step_m)
    if not linear or piece < _DENSE_PX:
        points, ring = _split(points, ring, np.ceil(_lengths(points) / piece).astype(int))
    lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
    if not np.isfinite(lon).all():
        return None
    if np.abs(lat).max() > _NEAR_POLE_DEG and not linear:
        points = _moved_off_poles(points, ring, georeference)
        lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
    for _ in range(_ROUNDS):
        same = ring[1:] == ring[:-1]
        steps = np.where(same, _shorter_turn(np.diff(lon)), 0.0)
        lengths = _lengths(points)
        # distance in pixels between a straight line on the ground and one in degrees: meridian convergence times length / 8
        bulge = np.abs(np.radians(steps) * np.sin(np.radians((lat[1:] + lat[:-1]) / 2))) * lengths / 8
        parts = np.ceil(np.sqrt(bulge / bulge_px))
        parts = np.where(np.abs(steps) > _WIDEST_STEP_DEG, np.maximum(parts, 8), parts)
        parts = np.where(same & (lengths > 1e-9), np.clip(parts, 1, 16), 1).astype(int)
        if (parts == 1).all():
            break
        points, ring = _split(points, ring, parts)
        lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
        if not np.isfinite(lon).all():
            return None
    ends = np.flatnonzero(np.diff(ring)) + 1
    jumps = np.unique(ring[1:][(ring[1:] == ring[:-1]) & (np.abs(np.diff(lon)) >= 180)])
    paths = np.split(np.stack([lon, lat], axis=1), ends)
    for index in jumps:
        paths[index][:, 0] = _unwrap_lon(paths[index][:, 0])
    return paths


def _unwrap_lon(lon: Floats) -> Floats:
    """Longitudes along a path without jumps at 180 degrees. (Used only where there are jumps, so that touching rings still touch.)"""
    return np.asarray(lon[0] + np.concatenate([[0.0], np.cumsum(_shorter_turn(np.diff(lon)))]))


def _split(points: Floats, ring: NDArray[np.intp], parts: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Points (n, 2) of rings, with the segment from each to the next of its ring divided into `parts` (n - 1,)."""
    parts = np.append(np.where(ring[1:] == ring[:-1], np.maximum(parts, 1), 1), 1)
    share = (np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)) / np.repeat(parts, parts)
    ways = np.append(np.diff(points, axis=0), [[0.0, 0.0]], axis=0)
    return np.repeat(points, parts, axis=0) + np.repeat(ways, parts, axis=0) * share[:, None], np.repeat(ring, parts)


def _lengths(points: Floats) -> Floats:
    ways = np.diff(points, axis=0)
    return np.asarray(np.hypot(ways[:, 0], ways[:, 1]))


def _shorter_turn(degrees: Floats) -> Floats:
    """Differences of longitude in the shorter direction, -180 to 180."""
    return np.asarray((degrees + 180) % 360 - 180)


def _moved_off_poles(points: Floats, ring: NDArray[np.intp], georeference: Georeference) -> Floats:
    """The points, moved by a millionth of a pixel where an edge goes through a pole, so that it passes on one side."""
    lines = shapely.linestrings(points, indices=ring)
    poles = [Point(pole) for north in (True, False) if (pole := georeference.pole_in_pixels(north))]
    for dx, dy in ((0.0, 0.0), (1.1, 0.7), (-0.7, 1.1), (1.3, -2.1)):
        moved = shapely.transform(lines, lambda p, by=(dx, dy): p + np.multiply(by, _BESIDE_POLE_PX))
        if all(shapely.distance(moved, pole).min() > _BESIDE_POLE_PX / 4 for pole in poles):
            return points + np.multiply((dx, dy), _BESIDE_POLE_PX)
    return points


def _is_plain(path: Floats) -> bool:
    """Whether a path does not go around a pole and stays between -180 and 180 degrees."""
    return bool(_are_plain([path])[0])


def _are_plain(paths: Sequence[Floats]) -> NDArray[np.bool_]:
    lon = np.concatenate([path[:, 0] for path in paths])
    ends = np.cumsum([len(path) for path in paths])
    starts = np.concatenate([[0], ends[:-1]])
    within = (np.minimum.reduceat(lon, starts) >= -180) & (np.maximum.reduceat(lon, starts) <= 180)
    return np.asarray(within & (np.abs(lon[ends - 1] - lon[starts]) < 1))


def _cut(polygon: Polygon, paths: list[Floats], georeference: Georeference) -> list[Polygon]:
    """A polygon in View pixels, with the `paths` of its rings in degrees, as polygons between -180 and 180 degrees.

    The area is to the left of all its rings, when the outer ring is counter-clockwise as seen from above the Earth and holes are
    clockwise.
    """
    unmirrored = georeference.unmirrored_at(*polygon.exterior.coords[0])
    region: shapely.Geometry = GLOBE
    for index, (ring, path) in enumerate(zip((polygon.exterior, *polygon.interiors), paths, strict=True)):
        runs_left = (ring.is_ccw == unmirrored) == (index == 0)
        region = region.intersection(_left_of(path if runs_left else path[::-1]))
    return _polygons(region)


def _left_of(path: Floats) -> shapely.Geometry:
    """The area to the left of a closed path on the globe, between -180 and 180 degrees."""
    turns = round((path[-1, 0] - path[0, 0]) / 360)
    if turns:
        pole = 90.0 if turns > 0 else -90.0  # eastwards the north is on the left, westwards the south
        eastwards = path if turns > 0 else path[::-1]
        start = 360 * round((eastwards[0, 0]) / 360)
        thrice = np.concatenate([eastwards - (start + turn, 0) for turn in (360, 0, -360)])
        closed = np.concatenate([thrice, [(thrice[-1, 0], pole), (thrice[0, 0], pole)]])
        return _valid(Polygon(closed)).intersection(GLOBE)
    patch = Polygon(path)
    signed = float(
        np.sum((path[:-1, 0] - path[0, 0]) * np.diff(path[:, 1]) - np.diff(path[:, 0]) * (path[:-1, 1] - path[0, 1]))
    )
    first, last = (int(np.floor((x + 180) / 360)) for x in (path[:, 0].min(), path[:, 0].max()))
    whole = _valid(patch)
    pieces = [
        affinity.translate(whole.intersection(affinity.translate(GLOBE, 360 * k)), -360 * k)
        for k in range(first, last + 1)
    ]
    area = MultiPolygon([part for piece in pieces for part in _polygons(piece)])
    joined = _valid(area)
    return joined if signed > 0 else GLOBE.difference(joined)


def _valid(geometry: shapely.Geometry) -> shapely.Geometry:
    return geometry if geometry.is_valid else shapely.make_valid(geometry)


def _polygons(geometry: shapely.Geometry) -> list[Polygon]:
    if isinstance(geometry, Polygon):
        return [] if geometry.is_empty else [geometry]
    if isinstance(geometry, LineString):
        return []
    return [part for each in getattr(geometry, "geoms", ()) for part in _polygons(each)]


def _multi(parts: list[Polygon]) -> Geometry:
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def areas_in(geometries: Sequence[shapely.Geometry]) -> Geometry | None:
    """The polygons of several geometries as one geometry; None where there is none."""
    parts = [part for each in geometries for part in _polygons(each)]
    return _multi(parts) if parts else None
