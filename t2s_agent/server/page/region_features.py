"""Makes the GeoJSON of the regions in a part of a scene: outlines where they are few enough, else how many there are where."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from t2s_agent.server.page.region_index import RegionIndex

MOST = 2_000  # features in one answer: more stall a browser
_TINY_PX = 3.0  # of the screen: a smaller region is shown as its box
_TOLERANCE_PX = 0.6  # of the screen: how far a simplified outline may be from the true one
_CELL_PX = 96  # of the screen: the side of a cell in which regions are counted together
_LARGE_PX = 64  # of the screen: a region of this size is shown by its outline among counts too
_MOST_LARGE = 300


def features_in(index: RegionIndex, box: Sequence[float], resolution: float, most: int = MOST) -> dict[str, Any]:
    """The regions whose boxes meet `box` (x1, y1, x2, y2), for a screen where a pixel covers `resolution` scene pixels.

    A FeatureCollection in scene pixels, y down. `total` is the number of regions in the box. Where it is above `most`, regions
    that are small on the screen become points with `count` and the `box` of what they count, and `clustered` is true.
    """
    found = index.within(box)
    total = len(found)
    clustered = total > most
    features = []
    if clustered:
        sizes = _sizes(index, found)
        large = found[sizes >= _LARGE_PX * resolution]
        large = large[np.argsort(-_sizes(index, large), kind="stable")][:_MOST_LARGE]
        features = _clusters(index, np.setdiff1d(found, large), resolution)
        found = large
    features += _outlines(index, found, resolution)
    return {"type": "FeatureCollection", "total": total, "clustered": clustered, "features": features}


def _sizes(index: RegionIndex, found: NDArray[np.intp]) -> NDArray[np.float64]:
    x1, y1, x2, y2 = index.boxes[found].T
    sizes: NDArray[np.float64] = np.maximum(x2 - x1, y2 - y1)
    return sizes


def _outlines(index: RegionIndex, found: NDArray[np.intp], resolution: float) -> list[dict[str, Any]]:
    tiny = _sizes(index, found) < _TINY_PX * resolution
    shapes: dict[int, Any] = {
        int(position): shapely.box(*index.boxes[position].round(2).tolist()) for position in found[tiny]
    }
    whole = [int(position) for position in found[~tiny]]
    simple = shapely.simplify(np.array(index.outlines(whole), object), _TOLERANCE_PX * resolution)
    shapes |= dict(zip(whole, shapely.transform(simple, lambda points: points.round(2)) if whole else [], strict=True))
    return [_feature(index, position, shapes[position]) for position in sorted(shapes)]


def _feature(index: RegionIndex, position: int, outline: Any) -> dict[str, Any]:
    row = index.row(position)
    properties = {name: row[name] for name in ("id", "label", "area", "area_pm")}
    properties["unsure"] = row["unsure"] or bool(row["seams"])
    return {"type": "Feature", "id": row["id"], "geometry": mapping(outline), "properties": properties}


def _clusters(index: RegionIndex, found: NDArray[np.intp], resolution: float) -> list[dict[str, Any]]:
    """One point a cell of the screen: the middle of the regions whose centres are in it."""
    side = _CELL_PX * resolution
    boxes = index.boxes[found]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    # cells are counted from the scene's corner, so that they stay where they are when the picture is moved
    cells, which, counts = np.unique(np.floor(middle / side), axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    low, high = np.full((len(cells), 2), np.inf), np.full((len(cells), 2), -np.inf)
    np.minimum.at(low, which, boxes[:, :2])
    np.maximum.at(high, which, boxes[:, 2:])
    centre = np.column_stack([np.bincount(which, middle[:, axis]) for axis in (0, 1)]) / counts[:, None]
    return [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": centre[i].round(2).tolist()},
            "properties": {"count": int(counts[i]), "box": [*low[i].round(2).tolist(), *high[i].round(2).tolist()]},
        }
        for i in range(len(cells))
    ]
