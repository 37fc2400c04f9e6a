"""Small pictures for agents: a whole result, one region with what is around it, or a part of an image."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from t2s_agent.pipeline import Workshop
    from t2s_agent.results.record import RegionRecord, Result

_MARGIN = 0.5  # of a region's longer side, shown around it
_LEAST_PX = 32  # scene pixels that a crop shows at least
_OUTLINE = (255, 230, 0)


def result_picture(shop: "Workshop", result_id: str) -> bytes:
    """A result's picture, small. Nothing where pictures are off."""
    if not shop.settings.previews:
        return b""
    from PIL import Image

    drawn = (shop.pictures or {}).pop(result_id, None)
    if drawn is not None:
        return _jpeg(shop, drawn)
    with Image.open(shop.store.artifact(result_id, "preview.png", shop.owner)) as picture:
        return _jpeg(shop, picture)


def image_picture(shop: "Workshop", image: "str | Path", bbox: Sequence[float]) -> bytes:
    """An image, or a box (degrees) of it, as models see it."""
    if not shop.settings.previews:
        return b""
    from PIL import Image

    with shop.scene(image) as scene:
        view = scene.view(bbox=bbox or None, max_size=shop.settings.preview_size)
    return _jpeg(shop, Image.fromarray(view.rgb))


def region_picture(shop: "Workshop", result: "Result", region: "RegionRecord") -> bytes:
    """A region with its outline and what is around it."""
    if not shop.settings.previews:
        return b""
    from PIL import Image, ImageDraw

    from t2s_agent.pipeline.workshop import region_set
    from t2s_agent.regions.polygons import simplified, trace
    from t2s_agent.scene import Window

    labels = region_set(shop, result).labels
    outline = simplified(trace(labels == region.id))
    left, top, width, height = result.scene.window
    scale = width / labels.shape[1], height / labels.shape[0]
    rings = [[(left + x * scale[0], top + y * scale[1]) for x, y in ring.coords] for ring in _rings(outline)]
    with shop.scene(result.scene.path) as scene:
        xs, ys = [x for ring in rings for x, _ in ring], [y for ring in rings for _, y in ring]
        margin = max(_MARGIN * max(max(xs) - min(xs), max(ys) - min(ys)), _LEAST_PX / 2)
        left, top = int(min(xs) - margin), int(min(ys) - margin)
        window = Window(left, top, int(max(xs) + margin) - left + 1, int(max(ys) + margin) - top + 1)
        view = scene.view(window=window, max_size=shop.settings.preview_size, bands=list(result.scene.bands))
    factor = max(1, shop.settings.preview_size // max(view.width, view.height))
    picture = Image.fromarray(view.rgb).resize((view.width * factor, view.height * factor))
    sx, sy = (picture.width / view.window.width, picture.height / view.window.height)
    pen = ImageDraw.Draw(picture)
    for ring in rings:
        pen.line([((x - view.window.x) * sx, (y - view.window.y) * sy) for x, y in ring], fill=_OUTLINE, width=2)
    return _jpeg(shop, picture)


def _rings(geometry: Any) -> list[Any]:
    parts = getattr(geometry, "geoms", [geometry])
    return [ring for part in parts for ring in (part.exterior, *part.interiors)]


def _jpeg(shop: "Workshop", picture: "Image") -> bytes:
    factor = max(picture.size) // shop.settings.preview_size
    small = picture.reduce(factor) if factor > 1 else picture.copy()
    small.thumbnail((shop.settings.preview_size,) * 2)
    out = io.BytesIO()
    small.convert("RGB").save(out, "JPEG", quality=80)
    return out.getvalue()
