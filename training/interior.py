"""Points inside areas: those that lie deepest, and the connected parts of a mask."""

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes
from shapely.geometry import shape

from t2s_agent.instance import Point
from t2s_agent.mask import Mask, masks_in

Area = NDArray[np.bool_]  # (H, W)


def depth(area: Area) -> NDArray[np.int32]:
    """How far each pixel of an area (H, W) lies from the nearest one outside, counted along rows and columns; beyond the edge is outside."""
    height, width = area.shape
    found = np.where(np.pad(area, 1), np.int32(height + width + 2), np.int32(0))
    for axis in (0, 1):
        along = np.arange(found.shape[axis], dtype=np.int32).reshape((-1, 1) if axis == 0 else (1, -1))
        before = np.minimum.accumulate(found - along, axis=axis) + along
        after = np.flip(np.minimum.accumulate(np.flip(found + along, axis), axis=axis), axis) - along
        found = np.minimum(before, after)
    return found[1:-1, 1:-1].astype(np.int32)


def interior_points(area: Area, count: int) -> tuple[Point, ...]:
    """The centres of `count` pixels of an area (H, W): the deepest one, then each deep and far from those before.

    Of equal ones the one nearest to the centroid. They are distinct where the area has so many pixels, else they are repeated.
    Raises ValueError for an area without a pixel.
    """
    y, x = np.nonzero(area)
    if not len(y):
        raise ValueError("an area without pixels has no point inside")
    deep = depth(area)[y, x].astype(np.float64)
    from_centre = np.hypot(x - x.mean(), y - y.mean()) / (1.0 + sum(area.shape))  # under 1: only among equal ones
    chosen: list[int] = []
    apart = np.full(len(y), np.inf)
    for _ in range(count):
        if len(chosen) == len(y):
            chosen.append(chosen[0])
            continue
        worth = np.minimum(deep, apart / 2)
        worth[chosen] = -1.0
        worth[worth < worth.max()] = -2.0
        at = int(np.argmin(np.where(worth > -2.0, from_centre, np.inf)))
        chosen.append(at)
        apart = np.minimum(apart, np.abs(x - x[at]) + np.abs(y - y[at]))
    return tuple((float(x[at]) + 0.5, float(y[at]) + 0.5) for at in chosen)


def parts_of(area: Area) -> list[Mask]:
    """The connected parts of an area (H, W), largest first; pixels that touch at a corner belong together."""
    outlines = [shape(geometry) for geometry, _ in shapes(area.astype(np.uint8), mask=area, connectivity=8)]
    if not outlines:
        return []
    numbered = [(outline, number) for number, outline in enumerate(outlines, 1)]
    labels = rasterize(numbered, out_shape=area.shape, dtype=np.int32)
    return sorted(masks_in(labels).values(), key=lambda part: (-part.area, part.y, part.x))
