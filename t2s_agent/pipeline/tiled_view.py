"""Names the pixels that were looked at in windows, and reads them again as one View where they are few enough."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2s_agent.errors import T2SError
from t2s_agent.results.record import Record, TilingRecord
from t2s_agent.scene import Scene, View, Window
from t2s_agent.tiling.windows import Tiling

MOST_PIXELS = 64 * 2**20  # of a grid that is read as one View


def digest_of_windows(width: int, height: int, windows: Iterable[tuple[int, str]]) -> str:
    """The SHA-256 of a grid's size and of the digests of its windows by their indexes; "" for a window that failed."""
    sha = hashlib.sha256(f"{width}x{height}".encode())
    for index, digest in sorted(windows):
        sha.update(f"{index}:{digest};".encode())
    return sha.hexdigest()


def looked_at(result: Record, windows: Path, height: int, width: int) -> NDArray[np.bool_]:
    """Where a picture (height, width) of a result was looked at: all but the cells of windows that failed or were not reached."""
    seen = np.ones((height, width), bool)
    tiling = result.tiling
    if tiling is None or tiling.looked_at == tiling.windows:
        return seen
    tiles = Tiling(*tiling.grid, tiling.tile, tiling.overlap)
    across, down = width / tiles.width, height / tiles.height
    for feature in json.loads(windows.read_text(encoding="utf-8"))["features"]:
        if feature["properties"]["status"] in ("failed", "not_reached"):
            x1, y1, x2, y2 = tiles.cell(feature["properties"]["window"])
            seen[int(y1 * down) : math.ceil(y2 * down), int(x1 * across) : math.ceil(x2 * across)] = False
    return seen


def require_few_pixels(result: Record) -> None:
    """Raises `limit_exceeded` for a result that is too large to be read as one View."""
    width, height = result.scene.view_size
    if width * height > MOST_PIXELS:
        raise T2SError(
            "limit_exceeded",
            f"{result.id} has {width} x {height} px, and corrections work on at most {MOST_PIXELS // 10**6} million",
            "Segment a part of the image with bbox and correct that, or filter the regions of regions.geojson",
        )


def tiled_view(scene: Scene, result: Record, windows: Path) -> View:
    """The View of all pixels of a result that was made from windows. `windows` is its windows.geojson.

    Raises `limit_exceeded` where they are too many, `image_unreadable` where the image is no longer the same.
    """
    require_few_pixels(result)
    reference, tiling = result.scene, result.tiling
    assert tiling is not None  # noqa: S101 (the caller's)
    width, height = reference.view_size
    bands = list(reference.bands)
    found = digest_of_windows(width, height, _digests(scene, result, tiling, windows))
    if found != reference.pixels_sha256:
        raise T2SError(
            "image_unreadable",
            f"{reference.name} is no longer the image that {result.id} was made from",
            "Segment it again",
        )
    return scene.view(window=Window(*reference.window), bands=bands, max_size=max(width, height))


def _digests(scene: Scene, result: Record, tiling: TilingRecord, windows: Path) -> Iterator[tuple[int, str]]:
    """The digests of the windows that were looked at, read again; "" for those that failed."""
    x, y, across, _ = result.scene.window
    step = across // tiling.grid[0]
    for feature in json.loads(windows.read_text(encoding="utf-8"))["features"]:
        each = feature["properties"]
        if each["status"] == "failed":
            yield each["window"], ""
        elif each["status"] != "not_reached":
            size = each["width"], each["height"]
            part = Window(x + each["x"] * step, y + each["y"] * step, size[0] * step, size[1] * step)
            view = scene.view(window=part, bands=list(result.scene.bands), max_size=max(size))
            yield each["window"], view.digest()
