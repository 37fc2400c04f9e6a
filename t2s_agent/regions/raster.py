"""Writes the mask of a result as a cloud-optimised GeoTIFF: region ids, 0 for none; with colours for up to 255 regions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from t2s_agent.errors import T2SError
from t2s_agent.regions.frame import place_of
from t2s_agent.regions.picture import COLOURS
from t2s_agent.regions.region import Labels
from t2s_agent.scene import PINNED, ignore_not_georeferenced
from t2s_agent.scene.georeference import Georeference, georeference_of
from t2s_agent.scene.view import View

MOST_COLOURS = 255  # largest id in an 8-bit colour table
MOST_MASK_PX = 100_000_000  # as one array of labels: 400 MB
_LARGE = 2048  # px of the longer side above which overviews are written


def write_mask(labels: Labels, view: View, path: Path) -> None:
    """Writes labels (H, W) in the coordinates of the result's outlines (`frame`), with the smallest type for all ids.

    Overviews use the nearest pixel (a majority that ignores nodata would enlarge each object); a small mask has none.
    """
    crs, transform = place_of(view)
    write_labels(labels, path, crs, transform, view.georeference.gcps)


def write_labels(
    labels: Labels,
    path: Path,
    crs: CRS | None,
    transform: Affine | None,
    gcps: Sequence[GroundControlPoint] = (),
) -> None:
    """`write_mask` with a transform (pixels to coordinates of `crs`), or, where it is None, ground control points."""
    height, width = labels.shape
    most = int(labels.max(initial=0))
    profile = profile_of(width, height, most, crs, transform)
    with (
        rasterio.Env(**PINNED),
        ignore_not_georeferenced(),
        rasterio.MemoryFile() as memory,
        rasterio.MemoryFile() as whole,
    ):
        with memory.open(driver="GTiff", **profile) as plain:
            plain.write(labels.astype(profile["dtype"]), 1)
            add_facts(plain, most, crs, transform, gcps)
        with memory.open() as plain:
            rasterio.shutil.copy(plain, whole.name, **cog_options(width, height))
        path.write_bytes(whole.read())  # GDAL tells a full disk by other errors than OSError, or not at all


def profile_of(width: int, height: int, most: int, crs: CRS | None, transform: Affine | None) -> dict[str, Any]:
    """Size, type and place of a mask with ids up to `most`, as rasterio opens files with."""
    profile: dict[str, Any] = {"height": height, "width": width, "count": 1, "dtype": _dtype(most), "nodata": 0}
    return profile if transform is None else profile | {"crs": crs, "transform": transform}


def add_facts(
    file: DatasetWriter,
    most: int,
    crs: CRS | None,
    transform: Affine | None,
    gcps: Sequence[GroundControlPoint],
) -> None:
    """Writes what a mask says besides its pixels: the meaning of its band, its colours, and ground control points."""
    file.set_band_description(1, "region id, 0 = none")
    if most <= MOST_COLOURS:
        file.write_colormap(1, _colours())
    if transform is None and gcps:
        file.gcps = (list(gcps), crs)


def cog_options(width: int, height: int) -> dict[str, str]:
    """How a mask of this size becomes a cloud-optimised GeoTIFF."""
    overviews = "AUTO" if max(width, height) > _LARGE else "NONE"
    return {"driver": "COG", "compress": "deflate", "overviews": overviews, "overview_resampling": "nearest"}


def place_of_mask(path: Path) -> Georeference:
    """The georeference of a file of `write_mask`. Raises `result_damaged` where it cannot be read."""
    with open_mask(path) as file:
        gcps, crs_of_gcps = file.gcps
        transform = None if gcps or file.transform.is_identity else file.transform
        return georeference_of(crs_of_gcps if gcps else file.crs, transform, gcps, file.width, file.height)


def read_mask(path: Path, part: tuple[int, int, int, int] | None = None) -> Labels:
    """The labels (H, W) of a file of `write_mask`, or of a part of it: left, top, width, height in pixels.

    Raises `result_damaged` where it cannot be read, `limit_exceeded` for more than `MOST_MASK_PX` pixels.
    """
    with open_mask(path) as file:
        window = Window(*part) if part else Window(0, 0, file.width, file.height)
        if window.width * window.height > MOST_MASK_PX:
            raise T2SError(
                "limit_exceeded",
                f"the mask of {path.parent.name} has {file.width} x {file.height} px, too many for one array",
                f"Read parts of {path.name} (with rasterio, for example), or its overviews",
            )
        return np.asarray(file.read(1, window=window), dtype=np.int32)


@contextmanager
def open_mask(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Opens a file of `write_mask`. Raises `result_damaged` where it, or what is read of it, cannot be read."""
    try:
        with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(path) as file:
            yield file
    except RasterioIOError as error:
        raise T2SError(
            "result_damaged", f"the mask of {path.parent.name} cannot be read", "Make the result again"
        ) from error


def _dtype(most: int) -> str:
    return next(name for name in ("uint8", "uint16", "uint32") if most <= np.iinfo(name).max)


def _colours() -> dict[int, tuple[int, int, int, int]]:
    """The picture's colours by region id; 0 is transparent."""
    return {0: (0, 0, 0, 0)} | {id_: (*COLOURS[(id_ - 1) % len(COLOURS)], 255) for id_ in range(1, MOST_COLOURS + 1)}
