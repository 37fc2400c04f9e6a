"""The mask of a result as a cloud-optimised GeoTIFF: uint16, region ids, 0 for none."""

from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray

from t2s_agent.scene import PINNED, ignore_not_georeferenced
from t2s_agent.scene.georeference import Georeference, placed
from t2s_agent.scene.view import View


def write_mask(labels: NDArray[np.uint16], view: View, path: Path) -> None:
    """Writes labels (H, W) with the View's georeference (transform or control points)."""
    place = view.georeference
    profile = {"height": view.height, "width": view.width, "count": 1, "dtype": "uint16", "nodata": 0}
    if place.transform is not None:
        profile |= {"crs": place.crs, "transform": place.transform}
    with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", **profile) as plain:
            plain.write(labels, 1)
            plain.set_band_description(1, "region id, 0 = none")
            if place.gcps:
                plain.gcps = (list(place.gcps), place.crs)
        with memory.open() as plain:
            rasterio.shutil.copy(plain, path, driver="COG", compress="deflate", overview_resampling="nearest")


def place_of_mask(path: Path) -> Georeference:
    """Where the pixels of such a file lie."""
    with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(path) as file:
        gcps, crs_of_gcps = file.gcps
        transform = None if gcps or file.transform.is_identity else file.transform
        return placed(crs_of_gcps if gcps else file.crs, transform, gcps, file.width, file.height)


def read_mask(path: Path) -> NDArray[np.uint16]:
    """The labels (H, W) of a file that `write_mask` wrote."""
    with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(path) as file:
        return np.asarray(file.read(1), dtype=np.uint16)
