"""Builds the page's view of results: lists, outlines in picture pixels, lineage, pictures. Synchronous functions."""

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio.features
from PIL import Image
from shapely.geometry import MultiPolygon, Polygon, shape

from t2s_agent.errors import T2SError
from t2s_agent.instance import Point
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.loading import view_of
from t2s_agent.regions.polygons import simplified
from t2s_agent.regions.raster import read_mask
from t2s_agent.regions.region import Labels
from t2s_agent.regions.rounding import Rounding
from t2s_agent.results.catalogue import Summary
from t2s_agent.results.files import MASK, MEDIA_TYPES, PREVIEW, public_facts
from t2s_agent.results.record import Record
from t2s_agent.scene.georeference import Georeference

_GRID = 17  # points per side with known longitude and latitude; the page interpolates between them
_RELATIVES = 200  # results in one tree
_THUMBNAIL = 176  # px
_QUALITY = 92  # of JPEG: outlines are compared with edges in the picture


def result_view(engine: Engine, result: Record, others: Sequence[Summary]) -> dict[str, Any]:
    """Returns the page's data of a result except its picture. `others` are all results of the owner, with this one.

    `outlines` are rings [x, y, x, y ...] in View pixels; `grid` is lon/lat at 17 x 17 places of the View, or None where the
    image cannot be opened any more or has no ground. `decimals` are those that a position deserves.
    """
    width, height = result.scene.view_size
    folder = engine.store.artifact(result.id, MASK).parent
    place, remark = _place_of(engine, result)
    gsd = None if place is None else place.typical_gsd_m(width, height)
    return {
        "record": public_facts(result),
        "outlines": outlines(read_mask(folder / MASK)),
        "grid": None if place is None else lonlat_grid(place, width, height),
        "gsd_m": gsd,
        "decimals": Rounding.of(gsd or 1.0, result.units).places,
        "remark": remark,
        "lineage": [summary.model_dump(mode="json") for summary in relatives(result.id, others)],
        "files": [
            {"name": name, "bytes": (folder / name).stat().st_size} for name in MEDIA_TYPES if (folder / name).is_file()
        ],
        "would_use": {"prompter": engine.settings.prompter, "segmenter": engine.settings.segmenter},
    }


def _place_of(engine: Engine, result: Record) -> tuple[Georeference | None, str]:
    """Returns the georeference of the View, or why it is unknown: the image may have been deleted."""
    if not result.units.on_earth:
        return None, ""
    try:
        return place_of(engine, result), ""
    except T2SError as error:
        return None, str(error)


def place_of(engine: Engine, result: Record) -> Georeference:
    """Returns the transform from a result's View pixels to the ground. Opens the image but reads no pixels."""
    with engine.scene_of(result) as scene:
        return scene.georeference.resized(result.scene.window, *result.scene.view_size)


def outlines(labels: Labels) -> list[dict[str, Any]]:
    """Returns for each region its id, its rings in pixels (with holes; fill rule even-odd) and a point inside for its number."""
    parts: dict[int, list[Polygon]] = {}
    for geometry, value in rasterio.features.shapes(labels, mask=labels > 0, connectivity=4):
        parts.setdefault(int(value), []).append(shape(geometry))
    return [_outline(id_, parts[id_]) for id_ in sorted(parts)]


def _outline(id_: int, parts: list[Polygon]) -> dict[str, Any]:
    smooth = simplified(parts[0] if len(parts) == 1 else MultiPolygon(parts))
    largest = max(parts, key=lambda part: float(part.area))
    inside = largest.centroid if largest.contains(largest.centroid) else largest.representative_point()
    rings = [
        np.round(np.asarray(ring.coords)[:-1], 2).ravel().tolist()
        for part in getattr(smooth, "geoms", (smooth,))
        for ring in (part.exterior, *part.interiors)
    ]
    return {"id": id_, "rings": rings, "inside": [round(inside.x, 1), round(inside.y, 1)]}


def lonlat_grid(place: Georeference, width: int, height: int) -> list[list[list[float] | None]]:
    """Returns [row][column] -> [lon, lat] at evenly spaced points from corner to corner; None for a point outside the Earth.

    Longitudes run on across 180 degrees. At a pole they jump: between places so far apart, interpolate in space.
    """
    x, y = np.meshgrid(np.linspace(0, width, _GRID), np.linspace(0, height, _GRID))
    lon, lat = (v.reshape(x.shape) for v in place.to_lonlat(x.ravel(), y.ravel()))
    seen = np.isfinite(lon) & np.isfinite(lat)
    if seen.all():
        rows = np.unwrap(lon, axis=1, period=360)
        lon = rows + (np.unwrap(lon[:, 0], period=360) - rows[:, 0])[:, None]
    return [
        [[float(a), float(b)] if ok else None for a, b, ok in zip(*row, strict=True)]
        for row in zip(lon, lat, seen, strict=True)
    ]


def relatives(id_: str, summaries: Sequence[Summary]) -> list[Summary]:
    """Returns the ancestors of a result and their descendants, oldest first; at most the 200 closest to it."""
    by_id = {summary.id: summary for summary in summaries}
    children: dict[str, list[str]] = {}
    for summary in reversed(summaries):
        for parent in summary.parents:
            children.setdefault(parent, []).append(summary.id)
    found, edge = [id_], [id_]
    while edge and len(found) < _RELATIVES:
        near = [p for each in edge for p in ((*by_id[each].parents, *children.get(each, ())) if each in by_id else ())]
        edge = [each for each in dict.fromkeys(near) if each in by_id and each not in found]
        found += edge
    kept = [by_id[each] for each in found[:_RELATIVES] if each in by_id]
    return sorted(kept, key=lambda s: (s.created_utc, s.id))


def picture(engine: Engine, result: Record) -> bytes:
    """Returns the picture that the models saw, as JPEG.

    Raises `image_unreadable` if the image has changed since, `image_not_found` if it was deleted.
    """
    return _jpeg(Image.fromarray(view_of(engine, result).rgb))


def thumbnail(engine: Engine, result: Record) -> bytes:
    """Returns a small JPEG of the picture with its outlines, without the legend."""
    with Image.open(engine.store.artifact(result.id, PREVIEW)) as preview:
        width, height = result.scene.view_size
        small = preview.convert("RGB").crop((0, 0, preview.width, round(preview.width * height / width)))
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return _jpeg(small)


def view_json(engine: Engine, result_id: str) -> str:
    """Returns a result's view as one JSON text for the MCP App; the picture is a data URL, empty if the image was deleted."""
    result = engine.store.load(result_id)
    view = result_view(engine, result, engine.store.listed().results)
    try:
        view["picture"] = "data:image/jpeg;base64," + base64.b64encode(picture(engine, result)).decode()
    except T2SError as error:
        view["picture"], view["remark"] = "", str(error)
    return json.dumps(view, separators=(",", ":"), allow_nan=False)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()


def to_refinement_points(engine: Engine, result: Record, points: Sequence[Point]) -> tuple[Point, ...]:
    """Converts View pixels to the coordinates of a refinement: lon/lat, or scene pixels without georeference."""
    if not points:
        return ()
    width, height = result.scene.view_size
    for x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise T2SError(
                "bbox_outside",
                f"the point {[x, y]} is outside the picture",
                f"The picture has {width} x {height} pixels, counted from its upper left corner",
            )
    xs, ys = np.array(points, dtype=np.float64).T
    if result.units.on_earth:
        lon, lat = place_of(engine, result).to_lonlat(xs, ys)
        if not np.isfinite(lon).all():
            raise T2SError("bbox_outside", "a point is outside the Earth", "Click on the ground")
        return tuple(zip(lon.tolist(), lat.tolist(), strict=True))
    left, top, wide, high = result.scene.window
    moved = left + xs * wide / width, top + ys * high / height
    return tuple(zip(moved[0].tolist(), moved[1].tolist(), strict=True))
