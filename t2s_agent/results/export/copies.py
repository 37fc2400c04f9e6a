"""Copies the stored files of a result: mask, outlines and picture; converts those of earlier versions to the current form."""

import math
import shutil
from pathlib import Path

import numpy as np
from affine import Affine

from t2s_agent.regions.frame import place_of
from t2s_agent.regions.geojson import feature_collection, text_of
from t2s_agent.regions.raster import MOST_COLOURS, MOST_MASK_PX, place_of_mask, read_mask, write_labels
from t2s_agent.regions.region import Labels, RegionSet
from t2s_agent.results.export.style import mask_qml
from t2s_agent.results.export.table import frame_of, stored
from t2s_agent.results.files import MASK, PREVIEW, REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record, about
from t2s_agent.scene import View, Window

_SAME = 1e-9  # largest difference of a pixel's two sides that count as equal


def write_picture(_: Record, folder: Path, path: Path) -> None:
    """Writes the picture of a result, a PNG."""
    shutil.copyfile(folder / PREVIEW, path)


def write_geojson(record: Record, folder: Path, path: Path) -> None:
    """Writes the outlines as GeoJSON (`regions.geojson`)."""
    len(StoredRegions(folder / REGIONS))  # whole, or `result_damaged`
    if _is_of_today(folder):
        shutil.copyfile(folder / REGIONS, path)
        return
    regions, frame = stored(folder)
    found = RegionSet(tuple(regions), np.zeros((0, 0), np.int32), record.units)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(text_of(feature_collection(found, about(record), frame_of(record, frame))))


def write_tiff(record: Record, folder: Path, path: Path) -> None:
    """Writes the mask as GeoTIFF, with square pixels if the image has them; the sides of a reduced view are rounded to whole pixels.

    Where there are more regions than a colour table has entries, a QGIS style lies beside it (.qml); not for a mask too large for
    one array, which is copied as it is. Such a mask without square pixels is refused (`limit_exceeded`).
    """
    view = _view_of(record, folder)
    (crs, transform), gcps = place_of(view), view.georeference.gcps
    x, y = view.window.width / view.width, view.window.height / view.height
    square = abs(x / y - 1) <= _SAME
    if square and view.width * view.height > MOST_MASK_PX:
        shutil.copyfile(folder / MASK, path)
        return
    labels = read_mask(folder / MASK)
    if not square:
        labels, across, down = _square(labels, x, y)
        height, width = labels.shape
        transform = transform and transform @ Affine.scale(across, down)
        gcps = view.georeference.resized((0, 0, width * across, height * down), width, height).gcps
    write_labels(labels, path, crs, transform, gcps)
    most = int(labels.max(initial=0))
    if most > MOST_COLOURS:
        path.with_suffix(".qml").write_text(mask_qml(most), encoding="utf-8")


def _is_of_today(folder: Path) -> bool:
    """Whether the stored files have the form of this version, in which outlines have a layer name."""
    with (folder / REGIONS).open(encoding="utf-8") as file:
        return '"name"' in file.readline()


def _view_of(record: Record, folder: Path) -> View:
    """Returns the View of a stored result without its pixels."""
    width, height = record.scene.view_size
    place, scene = place_of_mask(folder / MASK), record.scene
    return View.without_pixels(width, height, place, Window(*scene.window), scene.view_gsd_m, scene.bands)


def _square(labels: Labels, x: float, y: float) -> tuple[Labels, float, float]:
    """Labels whose pixels are `x` pixels of the image wide and `y` high, on a square grid of which each pixel takes the nearest label.

    Also how many of the old pixels a new one is wide and high. New pixels beyond the last old ones, by less than one, are 0.
    """
    side, (height, width) = min(x, y), labels.shape
    across, down = side / x, side / y
    columns = ((np.arange(math.ceil(width / across - _SAME)) + 0.5) * across).astype(int)
    rows = ((np.arange(math.ceil(height / down - _SAME)) + 0.5) * down).astype(int)
    inside = (rows < height)[:, None] & (columns < width)
    taken = labels[np.minimum(rows, height - 1)[:, None], np.minimum(columns, width - 1)]
    return np.where(inside, taken, 0).astype(labels.dtype), across, down
