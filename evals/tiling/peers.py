"""What two other packages make of the same windows, where they are installed: segment-geospatial (samgeo) and sahi.

samgeo writes each window's mask, without the objects' borders, into one raster and traces its outlines; sahi merges predictions of
slices by their overlap. Both are called with their defaults, but for the size of the windows.
"""

import importlib.metadata
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon

from evals.tiling.truth import Truth
from t2s_agent.mask import Mask
from t2s_agent.regions.polygons import rasterised, trace

_BOUND = 128  # samgeo reads this much around each window
Peer = Callable[[Truth], NDArray[np.int32]]  # labels (H, W) of the scene


def samgeo(truth: Truth) -> NDArray[np.int32]:
    """Labels from `SamGeo.generate(batch=True)` and `tiff_to_shapes`, with windows that are as large as the tiles with their borders."""
    from samgeo.common import calculate_sample_grid, tiff_to_shapes
    from samgeo.samgeo import SamGeo

    height, width = truth.scene.height, truth.scene.width
    side = truth.tiling.tile - 2 * _BOUND
    windows = iter(enumerate(calculate_sample_grid(height, width, side, side, _BOUND)))
    model = object.__new__(SamGeo)  # without loading a model: the windows' masks are known
    model.mask_generator = _Generator(truth, windows)
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "scene.tif"), Path(folder, "mask.tif")
        profile = {"driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8"}
        with rasterio.open(source, "w", **profile):
            pass
        model.generate(str(source), str(output), batch=True, batch_sample_size=(side, side))
        return _painted(tiff_to_shapes(str(output)), height, width)


class _Generator:
    """Stands for SAM's mask generator: gives the masks of the window that is read next."""

    def __init__(self, truth: Truth, windows: Iterator[tuple[int, dict[str, Any]]]) -> None:
        self._truth = truth
        self._windows = windows

    def generate(self, image: NDArray[np.uint8]) -> list[dict[str, NDArray[np.bool_]]]:
        number, window = next(self._windows)
        x, y, (height, width) = window["x"], window["y"], image.shape[:2]
        size = self._truth.scene.width, self._truth.scene.height
        box = max(0, x), max(0, y), min(size[0], x + width), min(size[1], y + height)
        seen = self._truth.seen(box, number)
        return [{"segmentation": mask.moved(-x, -y).full(height, width)} for _, mask in seen]


def sahi(truth: Truth) -> NDArray[np.int32]:
    """Labels from `GreedyNMMPostprocess`, the default of `get_sliced_prediction`, with its default metric and threshold."""
    from sahi.postprocess.combine import GreedyNMMPostprocess
    from sahi.prediction import ObjectPrediction

    height, width = truth.scene.height, truth.scene.width
    given = [
        ObjectPrediction(
            bbox=list(piece.mask.bounds),
            category_id=0,
            category_name="object",
            segmentation=_rings(piece.mask),
            score=piece.mask.area / truth.tiling.tile**2 / 2 + 0.5,  # pieces that show more are surer
            full_shape=[height, width],
        )
        for tile in truth.tiling
        for piece in truth(tile.index)
    ]
    merge = GreedyNMMPostprocess(match_threshold=0.5, match_metric="IOS", class_agnostic=False)
    outlines = [_polygons(each.mask.segmentation) for each in merge(given)]
    return _painted(outlines, height, width)


PEERS: dict[str, tuple[str, Peer]] = {"samgeo": ("segment-geospatial", samgeo), "sahi": ("sahi", sahi)}


def installed() -> dict[str, str | None]:
    """The version of each peer; None where it is not installed."""
    return {
        name: importlib.metadata.version(package) if find_spec(name) else None for name, (package, _) in PEERS.items()
    }


def _rings(mask: Mask) -> list[list[float]]:
    """COCO polygons, which have no holes."""
    outline = trace(mask.pixels)
    polygons = outline.geoms if isinstance(outline, MultiPolygon) else [outline]
    return [(np.array(each.exterior.coords) + (mask.x, mask.y)).ravel().tolist() for each in polygons]


def _polygons(segmentation: list[list[float]]) -> MultiPolygon:
    return MultiPolygon([Polygon(np.reshape(ring, (-1, 2))) for ring in segmentation if len(ring) >= 8])


def _painted(outlines: list[Any], height: int, width: int) -> NDArray[np.int32]:
    """The outlines as labels, the small ones last."""
    labels = np.zeros((height, width), np.int32)
    for number, outline in enumerate(sorted(outlines, key=lambda each: -each.area), 1):
        x1, y1, x2, y2 = (round(value) for value in outline.bounds) if not outline.is_empty else (0, 0, 0, 0)
        if x1 < x2 and y1 < y2:
            part = labels[y1:y2, x1:x2]
            part[rasterised(affinity.translate(outline, -x1, -y1), *part.shape)] = number
    return labels
