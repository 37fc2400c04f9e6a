"""Finds the window of pixels that a box in degrees touches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.scene.georeference import Floats, Georeference, format_extent
from t2s_agent.scene.view import Window

Bbox = Sequence[float]  # west, south, east, north in degrees
_TOUCH_PX = 1e-5  # a box that overlaps a pixel by less than this does not touch it


@dataclass(frozen=True, slots=True)
class _Grid:
    """Pixel positions x, y (rows, columns) of a grid of a box; its longitudes go from its west over `span` degrees."""

    x: Floats
    y: Floats
    bbox: tuple[float, float, float, float]
    span: float


def window_of(georeference: Georeference, width: int, height: int, name: str, bbox: Bbox) -> Window:
    """The window of pixels that a box (west, south, east, north, degrees) touches, clipped to a scene of `width` x `height` pixels.

    `name` is the scene's, for messages. Raises `bbox_invalid`, `bbox_outside` or `no_georeference`.
    """
    west, south, east, north = _checked_bbox(bbox)
    bounds = georeference.bounds_lonlat(width, height)
    if bounds is None:
        raise T2SError("no_georeference", georeference.unlocated_because, "Give a window in pixels instead")
    span = east - west + (360 if west > east else 0)
    # without the edges of the box: a box that only touches the picture's edge is outside
    along = np.linspace(1e-9, 1 - 1e-9, 361)
    lon, lat = np.meshgrid(west + span * along, south + (north - south) * along[::20])
    lon = np.where(lon > 180, lon - 360, lon)
    x, y = georeference.from_lonlat(lon.ravel(), lat.ravel())
    grid = _Grid(x.reshape(lon.shape), y.reshape(lon.shape), (west, south, east, north), span)
    _check_one_window(georeference, width, height, name, grid)
    own_x, own_y = georeference.points_in((west, south, east, north), width, height)
    x, y = np.concatenate([x, own_x]), np.concatenate([y, own_y])
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.any():
        x0, x1 = max(0.0, float(x[finite].min())), min(float(width), float(x[finite].max()))
        y0, y1 = max(0.0, float(y[finite].min())), min(float(height), float(y[finite].max()))
        if x0 < x1 and y0 < y1:
            left, top = math.floor(x0 + _TOUCH_PX), math.floor(y0 + _TOUCH_PX)
            right, bottom = math.ceil(x1 - _TOUCH_PX), math.ceil(y1 - _TOUCH_PX)
            return Window(left, top, max(1, right - left), max(1, bottom - top))
    shown = format_extent(bounds)
    swapped = south < bounds[2] and north > bounds[0] and west < bounds[3] and east > bounds[1]
    hint = "; latitude and longitude look swapped" if swapped else ""
    raise T2SError(
        "bbox_outside",
        f"the box {[west, south, east, north]} does not meet {name}{hint}",
        f"The image covers west, south, east, north = {shown}",
        extent=tuple(bounds),
        axes_swapped=swapped,
    )


def _check_one_window(georeference: Georeference, width: int, height: int, name: str, grid: "_Grid") -> None:
    """Raises `bbox_outside` where a box is at both ends of a picture of the Earth: one window cannot contain it."""
    x, y, span = grid.x, grid.y, grid.span
    west, south, east, north = grid.bbox
    inside = np.isfinite(x) & np.isfinite(y) & (x >= -1) & (x <= width + 1) & (y >= -1) & (y <= height + 1)
    both = inside[:, 1:] & inside[:, :-1]
    far = both & (np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) > max(2.0, width / 4))
    if span >= 360 or not far.any():
        return
    row, column = (int(v[0]) for v in np.nonzero(far))
    middle_x = (x[row, column] + x[row, column + 1]) / 2
    middle_y = (y[row, column] + y[row, column + 1]) / 2
    between = float(georeference.to_lonlat(middle_x, middle_y)[0][0])
    if math.isfinite(between) and (between - west) % 360 <= span:
        return  # the position between them is in the box too: they are far apart only because pixels are large
    edge_x = 0.0 if x[row, column] > x[row, column + 1] else float(width)
    cut = float(georeference.to_lonlat(edge_x, middle_y)[0][0])
    cut = round(cut, 6) if math.isfinite(cut) else 180.0
    ends = (180.0, -180.0) if abs(cut) == 180 else (cut, cut)
    raise T2SError(
        "bbox_outside",
        f"the box {[west, south, east, north]} lies at both ends of {name}, which is cut at {cut:g} degrees",
        f"Ask for its two parts: {[west, south, ends[0], north]} and {[ends[1], south, east, north]}",
    )


def _checked_bbox(bbox: Bbox) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(v) for v in bbox)
    except (TypeError, ValueError) as error:
        raise T2SError(
            "bbox_invalid", f"the box {bbox!r} is not four numbers", "Give west, south, east, north in degrees"
        ) from error
    fix = "Give west, south, east, north in degrees, south below north"
    if not all(math.isfinite(v) for v in (west, south, east, north)):
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} has numbers that are not finite", fix)
    if south >= north or west == east:
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} is empty or upside down", fix)
    if abs(south) > 90 or abs(north) > 90 or abs(west) > 180 or abs(east) > 180:
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} is not in degrees", fix)
    return west, south, east, north
