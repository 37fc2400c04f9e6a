"""Reads tiles of a result's mask from its file, by window, in the colours of the picture."""

import io
import math
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from t2s_agent.errors import T2SError
from t2s_agent.regions.picture import COLOURS
from t2s_agent.results.record import Record
from t2s_agent.scene import PINNED, Window, ignore_not_georeferenced
from t2s_agent.server.page.open_scenes import Picture
from t2s_agent.server.page.pyramid import TILE, Cell

_OPACITY = 90  # of 255: the picture is seen through the mask


def mask_tile(mask: Path, result: Record, cell: Cell) -> Picture:
    """One tile of the mask as PNG, transparent where there is no region. Raises `result_damaged`."""
    rows, columns, source = _part_of(result, cell)
    labels = np.zeros((TILE, TILE), np.int64)
    if source is not None:
        labels[rows, columns] = _read(mask, source, (rows.stop - rows.start, columns.stop - columns.start))
    return _coloured(labels)


def region_at(mask: Path, result: Record, x: float, y: float) -> int:
    """The id of the region at a point of the scene (pixels); 0 where there is none."""
    left, top, width, height = result.scene.window
    if not (left <= x < left + width and top <= y < top + height):
        return 0
    wide, high = result.scene.view_size
    column, row = int((x - left) * wide / width), int((y - top) * high / height)
    return int(_read(mask, (column, row, 1, 1), (1, 1))[0, 0])


def _part_of(result: Record, cell: Cell) -> tuple[slice, slice, tuple[float, float, float, float] | None]:
    """The rows and columns of a tile that the mask covers, and their window in the mask; None where it covers none."""
    where, tile = Window(*result.scene.window), cell.window
    left, right = max(where.x, tile.x), min(where.x + where.width, tile.x + tile.width)
    top, bottom = max(where.y, tile.y), min(where.y + where.height, tile.y + tile.height)
    if left >= right or top >= bottom:
        return slice(0), slice(0), None
    across, down = result.scene.view_size[0] / where.width, result.scene.view_size[1] / where.height
    rows = slice(math.floor((top - tile.y) / cell.resolution), math.ceil((bottom - tile.y) / cell.resolution))
    columns = slice(math.floor((left - tile.x) / cell.resolution), math.ceil((right - tile.x) / cell.resolution))
    source = ((left - where.x) * across, (top - where.y) * down, (right - left) * across, (bottom - top) * down)
    return rows, columns, source


def _read(mask: Path, source: tuple[float, float, float, float], shape: tuple[int, int]) -> NDArray[np.int64]:
    try:
        with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(mask) as file:
            labels = file.read(1, window=RasterioWindow(*source), out_shape=shape)
    except (RasterioIOError, OSError) as error:
        raise T2SError(
            "result_damaged", f"the mask of {mask.parent.name} cannot be read", "Make the result again"
        ) from error
    return np.asarray(labels, np.int64)


def _coloured(labels: NDArray[np.int64]) -> Picture:
    indexes = np.where(labels > 0, (labels - 1) % len(COLOURS) + 1, 0).astype(np.uint8)
    image = Image.fromarray(indexes, "P")
    image.putpalette([0, 0, 0, *(part for colour in COLOURS for part in colour)])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=bytes([0, *[_OPACITY] * len(COLOURS)]), compress_level=1)
    return Picture(out.getvalue(), "image/png")
