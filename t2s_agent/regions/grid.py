"""Which pixels of a View lie in areas on the ground.

Pixels are put on the ground, and not outlines on the pixels: then neither 180 degrees, nor a pole, nor the edge of a map of the
whole Earth matters.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.mask import Mask, joined
from t2s_agent.regions.plane import balls
from t2s_agent.regions.region import Geometry
from t2s_agent.scene.georeference import Floats, in_space
from t2s_agent.scene.view import View

_BLOCK_PX = 64  # pixels are looked at in blocks of that size, and only where an area is near
_ON_CUT_DEG = 1e-9


def masks_in_view(geometries: Sequence[Geometry], view: View) -> list[Mask]:
    """Of each of some areas in degrees the pixels of a located View of which the centre lies in it."""
    if not geometries:
        return []
    for geometry in geometries:
        shapely.prepare(geometry)
    centres, radii = balls(geometries)
    parts: list[list[Mask]] = [[] for _ in geometries]
    for y in range(0, view.height, _BLOCK_PX):
        for x in range(0, view.width, _BLOCK_PX):
            width, height = min(_BLOCK_PX, view.width - x), min(_BLOCK_PX, view.height - y)
            centre, radius = _ball_of_block(view, x, y, width, height)
            near = np.flatnonzero(np.linalg.norm(centres - centre, axis=1) <= radii + radius).tolist()
            for k, inside in zip(near, _inside([geometries[k] for k in near], view, x, y, width, height), strict=True):
                if inside.any():
                    parts[k].append(Mask.of(inside, x, y))
    return [joined(each) for each in parts]


def _ball_of_block(view: View, x: int, y: int, width: int, height: int) -> tuple[Floats, float]:
    """Centre and radius in metres of a ball in space that holds a block of pixels; without bound where it leaves the Earth."""
    xs, ys = np.meshgrid(np.linspace(x, x + width, 5), np.linspace(y, y + height, 5))
    lon, lat = view.georeference.to_lonlat(xs.ravel(), ys.ravel())
    if not np.isfinite(lon).all():
        return np.zeros(3), np.inf
    places = in_space(lon, lat)
    centre = places.mean(0)
    return centre, 1.5 * float(np.linalg.norm(places - centre, axis=1).max())  # half more: 25 places are not all of it


def _inside(
    geometries: Sequence[Geometry], view: View, x: int, y: int, width: int, height: int
) -> list[NDArray[np.bool_]]:
    """Of each area which pixels of a block lie in it."""
    if not geometries:
        return []
    xs, ys = np.meshgrid(np.arange(x, x + width) + 0.5, np.arange(y, y + height) + 0.5)
    lon, lat = view.georeference.to_lonlat(xs.ravel(), ys.ravel())
    seen = np.isfinite(lon)
    on_cut = seen & ((np.abs(lon) >= 180 - _ON_CUT_DEG) | (np.abs(lat) >= 90 - _ON_CUT_DEG))
    found = []
    for geometry in geometries:
        inside = np.zeros(len(lon), bool)
        inside[seen] = shapely.contains_xy(geometry, lon[seen], lat[seen])
        if on_cut.any():  # that an area is cut there does not take those pixels from it
            inside[on_cut] |= shapely.intersects_xy(geometry, np.round(lon[on_cut], 8), np.round(lat[on_cut], 8))
        found.append(inside.reshape(xs.shape))
    return found
