"""Draws small pictures for agents: a whole result, one region with its surroundings, or a part of an image."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from t2s_agent.results.files import PREVIEW

from .grid import with_grid

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from t2s_agent.pipeline import Engine
    from t2s_agent.results.record import Record
    from t2s_agent.scene.georeference import Georeference

_MARGIN = 0.5  # margin around a region, as a fraction of its longer side
_LEAST_PX = 32  # smallest size of a crop in scene pixels
_OUTLINE = (255, 230, 0)


def result_picture(engine: "Engine", result: "Record", drawn: "Image | None" = None) -> bytes:
    """Returns a small JPEG of a result with a grid; empty if previews are switched off.

    `drawn` is the picture of a result that was saved just now; without it, preview.png is read.
    """
    if not engine.settings.previews:
        return b""
    from PIL import Image

    with engine.scene_of(result) as scene:
        place = scene.georeference.resized(result.scene.window, *result.scene.view_size)
    if drawn is not None:
        return _picture_of(engine, result, drawn, place)
    with Image.open(engine.store.artifact(result.id, PREVIEW)) as picture:
        return _picture_of(engine, result, picture, place)


def _picture_of(engine: "Engine", result: "Record", drawn: "Image", place: "Georeference") -> bytes:
    """Returns the picture without its legend, because the answer's table has the same information."""
    width, height = result.scene.view_size
    picture = drawn.crop((0, 0, drawn.width, round(drawn.width * height / width)))
    window = result.scene.window
    return _jpeg(_gridded(engine, picture, place, (width, height), window))


def image_picture(engine: "Engine", image: "str | Path", bbox: Sequence[float]) -> bytes:
    """Returns a small JPEG of an image, or of a box in it (degrees), as models see it, with a grid."""
    if not engine.settings.previews:
        return b""
    from PIL import Image

    with engine.scene(image) as scene:
        view = scene.view(bbox=bbox or None, max_size=engine.settings.preview_size)
    picture = _enlarged(engine, Image.fromarray(view.rgb))
    return _jpeg(_gridded(engine, picture, view.georeference, (view.width, view.height), view.window))


def region_picture(engine: "Engine", result: "Record", region_id: int) -> bytes:
    """Returns a small JPEG of a region with its outline and surroundings, with a grid."""
    if not engine.settings.previews:
        return b""
    from PIL import Image, ImageDraw

    from t2s_agent.pipeline.loading import labels_around
    from t2s_agent.regions.polygons import simplified, trace
    from t2s_agent.scene import Window

    around = labels_around(engine, result, region_id)
    outline = simplified(trace(around.labels == region_id))
    left, top, width, height = result.scene.window
    scale = width / result.scene.view_size[0], height / result.scene.view_size[1]
    rings = [
        [(left + (around.x + x) * scale[0], top + (around.y + y) * scale[1]) for x, y in ring.coords]
        for ring in _rings(outline)
    ]
    with engine.scene_of(result) as scene:
        xs, ys = [x for ring in rings for x, _ in ring], [y for ring in rings for _, y in ring]
        margin = max(_MARGIN * max(max(xs) - min(xs), max(ys) - min(ys)), _LEAST_PX / 2)
        left, top = int(min(xs) - margin), int(min(ys) - margin)
        window = Window(left, top, int(max(xs) + margin) - left + 1, int(max(ys) + margin) - top + 1)
        view = scene.view(window=window, max_size=engine.settings.preview_size, bands=list(result.scene.bands))
    picture = _enlarged(engine, Image.fromarray(view.rgb))
    sx, sy = (picture.width / view.window.width, picture.height / view.window.height)
    pen = ImageDraw.Draw(picture)
    for ring in rings:
        pen.line([((x - view.window.x) * sx, (y - view.window.y) * sy) for x, y in ring], fill=_OUTLINE, width=2)
    return _jpeg(_gridded(engine, picture, view.georeference, (view.width, view.height), view.window))


def _enlarged(engine: "Engine", picture: "Image") -> "Image":
    """Enlarges a small picture by the largest whole factor that keeps it within `preview_size`."""
    factor = max(1, engine.settings.preview_size // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), 0)  # 0: nearest


def _gridded(
    engine: "Engine", picture: "Image", place: "Georeference", view: tuple[int, int], window: Sequence[int]
) -> "Image":
    """Returns the picture of a View, reduced to `preview_size`, with a grid in degrees or in pixels of the image."""

    def at(x: Sequence[float], y: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
        if place.located:
            lon, lat = place.to_lonlat([v * view[0] for v in x], [v * view[1] for v in y])
            return [float(v) for v in lon], [float(v) for v in lat]
        left, top, width, height = window
        return [left + v * width for v in x], [top + v * height for v in y]

    factor = max(picture.size) // engine.settings.preview_size
    small = picture.reduce(factor) if factor > 1 else picture.copy()
    small.thumbnail((engine.settings.preview_size,) * 2)
    return with_grid(small.convert("RGB"), at, located=place.located)


def _rings(geometry: Any) -> list[Any]:
    parts = getattr(geometry, "geoms", [geometry])
    return [ring for part in parts for ring in (part.exterior, *part.interiors)]


def _jpeg(picture: "Image") -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()
