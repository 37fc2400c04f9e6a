"""Builds the page's view of results: lists, outlines in picture pixels, lineage, pictures. Synchronous functions."""

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.instance import Point
from t2s_agent.pipeline import Engine
from t2s_agent.pipeline.loading import view_of
from t2s_agent.regions.rounding import Rounding
from t2s_agent.results.catalogue import Summary
from t2s_agent.results.files import MEDIA_TYPES, PREVIEW, WINDOWS, public_facts
from t2s_agent.results.record import Record
from t2s_agent.scene import Window
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.not_overhead import among
from t2s_agent.server.page.pyramid import TILE, Pyramid
from t2s_agent.server.page.region_features import features_in
from t2s_agent.server.page.region_index import Indexes
from t2s_agent.server.page.remarks import corrections_of, on_the_page

_GRID = 17  # points per side with known longitude and latitude; the page interpolates between them
_RELATIVES = 200  # results in one tree
_THUMBNAIL = 176  # px
_IN_APP = 500  # regions with outlines in the MCP App, which gets everything at once
_LARGEST = 2048  # px: a larger View is shown smaller
_QUALITY = 92  # of JPEG: outlines are compared with edges in the picture


def result_view(engine: Engine, result: Record, others: Sequence[Summary]) -> dict[str, Any]:
    """Returns the page's data of a result except its picture and its regions. `others` are all results of the owner, with this one.

    `grid` is lon/lat at 17 x 17 places of the scene, or None where the image cannot be opened any more or has no ground.
    `decimals` are those that a position deserves. `count` is the number of regions; `levels` and `tile` are those of the scene's tiles.
    `remarks` are the record's warnings in the words of the page, `alerts` those that say that the picture is no overhead image, and `corrections` says which corrections work.
    """
    scene = result.scene
    folder = engine.store.folder / result.id
    place, remark = _place_of(engine, result)
    gsd = None if place is None else place.typical_gsd_m(scene.width, scene.height)
    return {
        "record": {name: value for name, value in public_facts(result).items() if name != "regions"},
        "count": result.region_count,
        "levels": Pyramid(scene.width, scene.height).levels,
        "tile": TILE,
        "name": engine.store.name_of(result.id),
        "alerts": [on_the_page(remark) for remark in among(result.warnings)],
        "remarks": [on_the_page(remark, result.prompter.name) for remark in result.warnings],
        "corrections": corrections_of(result),
        "windows": (folder / WINDOWS).is_file(),
        "grid": None if place is None else lonlat_grid(place, scene.width, scene.height),
        "base": _base_map(engine) if place is not None else None,
        "gsd_m": gsd,
        "decimals": Rounding.of(gsd or 1.0, result.units).places,
        "remark": remark,
        "lineage": [summary.model_dump(mode="json") for summary in relatives(result.id, others)],
        "files": [
            {"name": name, "bytes": (folder / name).stat().st_size} for name in MEDIA_TYPES if (folder / name).is_file()
        ],
        "would_use": {"prompter": engine.settings.prompter, "segmenter": engine.settings.segmenter},
    }


def _base_map(engine: Engine) -> dict[str, str] | None:
    url = engine.settings.basemap_url
    return {"url": url, "attribution": engine.settings.basemap_attribution} if url else None


def _place_of(engine: Engine, result: Record) -> tuple[Georeference | None, str]:
    """Returns the georeference of the scene, or why it is unknown: the image may have been deleted."""
    if not result.units.on_earth:
        return None, ""
    try:
        with engine.scene_of(result) as scene:
            return scene.georeference, ""
    except T2SError as error:
        return None, str(error)


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
    """Returns the picture that the models saw, as JPEG; its longer side at most 2,048 px.

    Raises `image_unreadable` if the image has changed since, `image_not_found` if it was deleted.
    """
    reference = result.scene
    if result.tiling is None and max(reference.view_size) <= _LARGEST:
        return _jpeg(Image.fromarray(view_of(engine, result).rgb))
    with engine.scene_of(result) as scene:
        view = scene.view(window=Window(*reference.window), bands=list(reference.bands), max_size=_LARGEST)
    return _jpeg(Image.fromarray(view.rgb))


def thumbnail(engine: Engine, result: Record) -> bytes:
    """Returns a small JPEG of the picture with its outlines, without the legend."""
    with Image.open(engine.store.artifact(result.id, PREVIEW)) as preview:
        width, height = result.scene.view_size
        small = preview.convert("RGB").crop((0, 0, preview.width, round(preview.width * height / width)))
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return _jpeg(small)


def view_json(engine: Engine, result_id: str, indexes: Indexes | None = None) -> str:
    """Returns a result's view as one JSON text for the MCP App.

    The picture is a data URL, empty if the image was deleted. `features` are the outlines at the picture's resolution, and `rows` the
    facts of at most 500 regions. `indexes` keeps those of earlier calls.
    """
    result = engine.store.load(result_id, regions=False)
    view = result_view(engine, result, engine.store.listed().results)
    index = (indexes or Indexes()).of(result, engine.store.folder / result.id)
    x, y, width, height = result.scene.window
    resolution = max(1.0, max(width, height) / _LARGEST)
    view["features"] = features_in(index, (x, y, x + width, y + height), resolution, _IN_APP)
    view["known"], view["unsure"] = index.known, index.unsure_count
    view["rows"] = [index.row(int(position)) for position in index.ordered()[:_IN_APP]]
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
    """Converts pixels of the scene to the coordinates of a refinement: lon/lat, or the same pixels without georeference.

    Raises `bbox_outside` for a point outside of the window that the result is about.
    """
    if not points:
        return ()
    left, top, width, height = result.scene.window
    for x, y in points:
        if not (left <= x <= left + width and top <= y <= top + height):
            raise T2SError(
                "bbox_outside",
                f"the point {[x, y]} is outside of what {result.id} is about",
                f"That is {width} x {height} pixels of the image from {left}, {top}",
            )
    if not result.units.on_earth:
        return tuple(points)
    xs, ys = np.array(points, dtype=np.float64).T
    with engine.scene_of(result) as scene:
        lon, lat = scene.georeference.to_lonlat(xs, ys)
    if not np.isfinite(lon).all():
        raise T2SError("bbox_outside", "a point is outside the Earth", "Click on the ground")
    return tuple(zip(lon.tolist(), lat.tolist(), strict=True))
