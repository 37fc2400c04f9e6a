"""Finds the pixels of a View inside areas on the ground.

Pixels are converted to degrees, not outlines to pixels, so 180 degrees, the poles and the edge of a world map need no special
treatment.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.mask import Mask, joined
from t2s_agent.regions.plane import bounding_spheres
from t2s_agent.regions.region import Geometry
from t2s_agent.scene.georeference import Floats, in_space
from t2s_agent.scene.view import View

_BLOCK_PX = 64  # pixels are processed in blocks of this size, and only near an area
_ON_CUT_DEG = 1e-9


def masks_in_view(geometries: Sequence[Geometry], view: View) -> list[Mask]:
    """For each area in degrees the pixels of a located View with their centres inside it."""
    if not geometries:
        return []
    for geometry in geometries:
        shapely.prepare(geometry)
    centres, radii = bounding_spheres(geometries)
    parts: list[list[Mask]] = [[] for _ in geometries]
    for y in range(0, view.height, _BLOCK_PX):
        for x in range(0, view.width, _BLOCK_PX):
            width, height = min(_BLOCK_PX, view.width - x), min(_BLOCK_PX, view.height - y)
            centre, radius = _bounding_sphere(view, x, y, width, height)
            near = np.flatnonzero(np.linalg.norm(centres - centre, axis=1) <= radii + radius).tolist()
            for k, inside in zip(near, _inside([geometries[k] for k in near], view, x, y, width, height), strict=True):
                if inside.any():
                    parts[k].append(Mask.of(inside, x, y))
    return [joined(each) for each in parts]


def _bounding_sphere(view: View, x: int, y: int, width: int, height: int) -> tuple[Floats, float]:
    """Centre (geocentric) and radius in metres of a sphere around a block of pixels; the radius is infinite off the Earth."""
    xs, ys = np.meshgrid(np.linspace(x, x + width, 5), np.linspace(y, y + height, 5))
    lon, lat = view.georeference.to_lonlat(xs.ravel(), ys.ravel())
    if not np.isfinite(lon).all():
        return np.zeros(3), np.inf
    places = in_space(lon, lat)
    centre = places.mean(0)
    return centre, 1.5 * float(
        np.linalg.norm(places - centre, axis=1).max()
    )  # 1.5 times: 25 positions are only a sample


def _inside(
    geometries: Sequence[Geometry], view: View, x: int, y: int, width: int, height: int
) -> list[NDArray[np.bool_]]:
    """For each area the pixels of a block inside it."""
    if not geometries:
        return []
    xs, ys = np.meshgrid(np.arange(x, x + width) + 0.5, np.arange(y, y + height) + 0.5)
    lon, lat = view.georeference.to_lonlat(xs.ravel(), ys.ravel())
    on_earth = np.isfinite(lon)
    on_cut = on_earth & ((np.abs(lon) >= 180 - _ON_CUT_DEG) | (np.abs(lat) >= 90 - _ON_CUT_DEG))
    found = []
    for geometry in geometries:
        inside = np.zeros(len(lon), bool)
        inside[on_earth] = shapely.contains_xy(geometry, lon[on_earth], lat[on_earth])
        if on_cut.any():  # pixels on the cut of an area are inside too
            inside[on_cut] |= shapely.intersects_xy(geometry, np.round(lon[on_cut], 8), np.round(lat[on_cut], 8))
        found.append(inside.reshape(xs.shape))
    return found
