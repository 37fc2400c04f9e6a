"""Writes the mask of a large result from blocks of labels, which come in any order, and holds one block at a time.

Blocks go into a tiled GeoTIFF beside the final file, in which tiles without a region take no space, and GDAL makes the cloud-optimised
file of it. Pixels, overviews and digest are those of `write_mask` and `mask_digest` for the same labels as one array.
"""

import errno
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from t2s_agent.regions.frame import place_of
from t2s_agent.regions.raster import add_facts, cog_options, profile_of
from t2s_agent.regions.region import Labels
from t2s_agent.scene import PINNED, ignore_not_georeferenced
from t2s_agent.scene.view import Picture

BLOCK_PX = 2048  # side of blocks; a multiple of a tile's side, so that no tile is written twice
_TILE_PX = 512  # side of tiles in files: the default of GDAL's COG driver
_SPARSE = {"SPARSE_OK": "TRUE", "BIGTIFF": "IF_SAFER"}  # tiles without a region are left out, in a seventh of the time


class LabelBlock(NamedTuple):
    """A part of a mask: `labels` (h, w) int32 of region ids, 0 = none; its upper left pixel is pixel (`x`, `y`) of the mask."""

    x: int
    y: int
    labels: Labels


def write_mask_blocks(blocks: Iterable[LabelBlock], view: Picture, most_id: int, path: Path) -> str:
    """Writes a mask (H, W) of ids up to `most_id` in the place of `view`, and returns its digest, that of `mask_digest`.

    Only width, height and place of `view` are read, never its pixels. Blocks lie inside of it and do not overlap; those without a
    region may be left out. They should start at multiples of `BLOCK_PX`. The type is the smallest for `most_id`. A temporary file
    lies beside `path` meanwhile. Raises OSError where the disk is full, ValueError for a block outside or an id above `most_id`.
    """
    raw = path.with_name(f"{path.stem}-blocks.tif")
    written = _Written(view.width, view.height, most_id)
    try:
        with rasterio.Env(**PINNED), ignore_not_georeferenced():
            with _blocks_file(raw, view, most_id) as file:
                for block in blocks:
                    with _as_os_error():
                        written.add(file, block)
            with _as_os_error():
                rasterio.shutil.copy(raw, path, **cog_options(view.width, view.height), **_SPARSE)
                with rasterio.open(path) as whole:
                    return written.digest(whole)
    finally:
        raw.unlink(missing_ok=True)


@contextmanager
def _blocks_file(path: Path, view: Picture, most_id: int) -> Iterator[DatasetWriter]:
    crs, transform = place_of(view)
    tiles = {"tiled": True, "blockxsize": _TILE_PX, "blockysize": _TILE_PX, "compress": "deflate", "zlevel": 1}
    profile = profile_of(view.width, view.height, most_id, crs, transform)
    with _as_os_error():
        file = rasterio.open(path, "w", driver="GTiff", **profile, **tiles, **_SPARSE)
    try:
        with _as_os_error():
            add_facts(file, most_id, crs, transform, view.georeference.gcps)
        yield file
    finally:
        with _as_os_error():
            file.close()


class _Written:
    """Which tiles hold a region. The others are neither written nor read."""

    def __init__(self, width: int, height: int, most_id: int) -> None:
        self._width, self._height, self._most_id = width, height, most_id
        self._tiles: dict[int, set[int]] = {}  # columns by row
        self._most = 0

    def add(self, file: DatasetWriter, block: LabelBlock) -> None:
        x, y, labels = block
        height, width = labels.shape
        if not (0 <= x <= self._width - width and 0 <= y <= self._height - height):
            raise ValueError(f"a block of {width} x {height} px at {x}, {y} is not inside the mask")
        most = int(labels.max(initial=0))
        if most > self._most_id or labels.min(initial=0) < 0:
            raise ValueError(f"a block at {x}, {y} has an id that is not from 0 to {self._most_id}")
        if not most:
            return
        self._most = max(self._most, most)
        for row in range(y // _TILE_PX, -(-(y + height) // _TILE_PX)):
            strip = labels[max(0, row * _TILE_PX - y) : (row + 1) * _TILE_PX - y].any(axis=0)
            self._tiles.setdefault(row, set()).update(np.unique((np.flatnonzero(strip) + x) // _TILE_PX).tolist())
        file.write(labels.astype(file.dtypes[0]), 1, window=Window(x, y, width, height))

    def digest(self, file: DatasetReader) -> str:
        """The digest of the pixels in a file. Reading also finds what a full disk has cut off: GDAL may not tell it."""
        dtype = np.uint16 if self._most <= np.iinfo(np.uint16).max else np.uint32
        sha = hashlib.sha256(f"{(self._height, self._width)}".encode())
        for row in range(0, self._height, _TILE_PX):
            strip = np.zeros((min(_TILE_PX, self._height - row), self._width), dtype)
            for column in self._tiles.get(row // _TILE_PX, ()):
                x = column * _TILE_PX
                window = Window(x, row, min(_TILE_PX, self._width - x), len(strip))
                strip[:, x : x + _TILE_PX] = file.read(1, window=window)
            sha.update(strip.data)
        return sha.hexdigest()


@contextmanager
def _as_os_error() -> Iterator[None]:
    """GDAL tells a full disk by errors of its own."""
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        raise OSError(errno.EIO, f"GDAL says: {error}") from error
