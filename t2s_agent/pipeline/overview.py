"""Reads the overview of a scene that cannot be read at once: too large, and without overviews in its file."""

from collections.abc import Sequence

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.scene import Scene, View, Window

_SIDE = 256  # px of the overview that are read at once


def overview_of(
    scene: Scene,
    window: Window | None,
    bbox: Sequence[float] | None,
    bands: str | Sequence[int] | None,
    max_size: int,
    *,
    in_parts: bool,
) -> View:
    """A picture of a window or box of a scene, or of all of it, its longer side at most `max_size` px.

    With `in_parts`, what is above the limit of one read is read part by part; every block of the file is then read. Raises
    `limit_exceeded` without.
    """
    try:
        return scene.view(window=window, bbox=None if window else bbox, bands=bands, max_size=max_size)
    except T2SError as error:
        if error.code != "limit_exceeded" or not in_parts:
            raise
    whole = window or (scene.window_of(bbox) if bbox else Window(0, 0, scene.width, scene.height))
    return _put_together(scene, whole, bands, max_size)


def _put_together(scene: Scene, whole: Window, bands: str | Sequence[int] | None, max_size: int) -> View:
    step = -(-max(whole.width, whole.height) // max_size)  # scene pixels a pixel, rounded up
    width, height = -(-whole.width // step), -(-whole.height // step)
    rgb, valid = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    shown: tuple[int, int, int] | None = None
    for top in range(0, height, _SIDE):
        for left in range(0, width, _SIDE):
            bottom, right = min(height, top + _SIDE), min(width, left + _SIDE)
            part = Window(
                whole.x + left * step,
                whole.y + top * step,
                min(right * step, whole.width) - left * step,
                min(bottom * step, whole.height) - top * step,
            )
            view = scene.view(window=part, bands=bands, max_size=max(bottom - top, right - left))
            rows = np.arange(bottom - top) * view.height // (bottom - top)
            columns = np.arange(right - left) * view.width // (right - left)
            rgb[top:bottom, left:right] = view.rgb[rows][:, columns]
            valid[top:bottom, left:right] = view.valid[rows][:, columns]
            shown = view.bands
    assert shown is not None  # noqa: S101 (a scene has at least one pixel)
    georeference = scene.georeference.resized(whole, width, height)
    return View(rgb, valid, georeference, whole, georeference.typical_gsd_m(width, height), shown)
