"""Masks to polygons: traced along pixel edges, simplified by less than a pixel, put on the ground."""

import math
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Polygon, box
from shapely.geometry.polygon import orient

from t2s_agent.mask import EMPTY, Mask
from t2s_agent.regions.region import Geometry
from t2s_agent.scene.georeference import Georeference

SIMPLIFY_PX = 0.5  # a staircase's corners lie half a pixel from the edge that it stands for
_DENSE_PX = 16.0  # where pixels to degrees is curved, a straight edge gets a corner this often


@dataclass(frozen=True, slots=True)
class Placed:
    """A geometry in both frames: View pixels, and lon/lat (None where the View is not located)."""

    pixels: Geometry
    lonlat: Geometry | None


def trace(mask: NDArray[np.bool_]) -> Geometry:
    """The outline of a mask (H, W) along pixel edges, holes kept, in View pixels. Pixels that touch at a corner are apart."""
    return traced_all(mask.astype(np.int32)).get(1, MultiPolygon())


def traced_all(labels: NDArray[np.int32] | NDArray[np.uint16]) -> dict[int, Geometry]:
    """Of each value above 0 in labels (H, W) its outline, as `trace` gives it: one pass over the picture for all of them."""
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
    """GeoJSON's coordinates of many polygons as shapely's, all at once: one by one takes as long as tracing them."""
    rings = [ring for polygon in found for ring in polygon]
    of_ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    of_polygon = np.repeat(np.arange(len(found)), [len(polygon) for polygon in found])
    corners = np.array([corner for ring in rings for corner in ring], np.float64)
    lines = shapely.linearrings(corners, indices=of_ring)
    return np.asarray(shapely.polygons(lines, indices=of_polygon))


def simplified(outline: Geometry, tolerance_px: float = SIMPLIFY_PX) -> Geometry:
    """Fewer corners, none moved further than the tolerance; valid, and never empty where the outline was not."""
    if tolerance_px <= 0:
        return outline
    simple = outline.simplify(tolerance_px, preserve_topology=True)
    if not simple.is_valid:
        simple = shapely.make_valid(simple)
    kept = _polygons(simple)
    return _multi(kept) if kept and simple.area > 0 else outline


def to_lonlat(outline: Geometry, georeference: Georeference, decimals: int) -> Geometry:
    """A geometry in View pixels on the ground: RFC 7946 (counter-clockwise, cut at the antimeridian)."""
    curved = bool(georeference.gcps) or not (georeference.crs is not None and georeference.crs.is_geographic)
    dense = outline.segmentize(_DENSE_PX) if curved and outline.length > 4 * _DENSE_PX else outline

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = georeference.to_lonlat(points[:, 0], points[:, 1])
        return np.stack([lon, lat], axis=1)

    ground = shapely.transform(dense, move)
    west, _, east, _ = ground.bounds
    if east - west > 180:
        ground = _cut_at_antimeridian(ground)
    ground = shapely.transform(ground, lambda p: np.round(p, decimals))
    if not ground.is_valid:
        ground = shapely.make_valid(ground)
    parts = [orient(part, 1.0) for part in _polygons(ground) if part.area > 0]
    return _multi(parts)


def decimals_for(gsd_m: float | None) -> int:
    """Decimals of a degree that are finer than a tenth of a pixel: 7 (a centimetre) below one metre a pixel, else 6."""
    return 7 if gsd_m is not None and gsd_m < 1.0 else 6


def rasterised(outline: Geometry, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels (H, W) whose centres lie in a geometry in View pixels."""
    if outline.is_empty:
        return np.zeros((height, width), bool)
    burned = rasterio.features.rasterize([(outline, 1)], out_shape=(height, width), dtype="uint8")
    return np.asarray(burned, dtype=bool)


def mask_within(outline: Geometry, height: int, width: int) -> Mask:
    """The same as a Mask: what lies in a View of (`height`, `width`), computed near the geometry only."""
    if outline.is_empty:
        return EMPTY
    x1, y1, x2, y2 = outline.bounds
    left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
    right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
    if left >= right or top >= bottom:
        return EMPTY
    moved = affinity.translate(outline, -left, -top)
    return Mask.of(rasterised(moved, bottom - top, right - left), left, top)


def _cut_at_antimeridian(ground: Geometry) -> Geometry:
    """Two parts, one on either side of 180 degrees, of a geometry whose longitudes jump there."""
    lifted = shapely.transform(ground, lambda p: np.stack([np.where(p[:, 0] < 0, p[:, 0] + 360, p[:, 0]), p[:, 1]], 1))
    if not lifted.is_valid:
        lifted = shapely.make_valid(lifted)
    west_side = lifted.intersection(box(0, -90, 180, 90))
    east_side = affinity.translate(lifted.intersection(box(180, -90, 360, 90)), xoff=-360)
    return _multi([*_polygons(west_side), *_polygons(east_side)])


def _polygons(geometry: shapely.Geometry) -> list[Polygon]:
    if isinstance(geometry, Polygon):
        return [] if geometry.is_empty else [geometry]
    if isinstance(geometry, LineString):
        return []
    return [part for each in getattr(geometry, "geoms", ()) for part in _polygons(each)]


def _multi(parts: list[Polygon]) -> Geometry:
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
