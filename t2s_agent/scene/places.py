"""Converts boxes and points in any coordinate reference system to pixels of a scene, and detects exchanged axes."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from t2s_agent.errors import T2SError
from t2s_agent.scene.georeference import Floats, format_extent
from t2s_agent.scene.scene import Scene
from t2s_agent.scene.view import Window
from t2s_agent.text import one_line

IMAGE, PIXELS = "image", "pixels"  # the image's coordinate reference system; its pixels, x right, y down
_AUTHORITY = re.compile(r"([A-Za-z]{2,12}):([A-Za-z0-9]{1,12})")
_EDGE = 21  # points along each edge of a box, since a straight edge in one system is curved in another
_NOISE_PX = 1e-6  # a box that ends at a pixel's edge does not include the next pixel

Extent = tuple[float, float, float, float]  # smallest x, smallest y, largest x, largest y


def crs_named(name: str) -> pyproj.CRS:
    """A coordinate reference system by its code: `EPSG:32631`, `32631`, `ESRI:54009`. Raises `argument_invalid`.

    Definitions (WKT, PROJ strings) are not accepted: they may name files.
    """
    text = f"EPSG:{name.strip()}" if name.strip().isdigit() else name.strip()
    parts = _AUTHORITY.fullmatch(text)
    fix = "Give its code, for example EPSG:32631, 'image' for that of the image, or 'pixels'"
    if not parts:
        raise T2SError("argument_invalid", f"{one_line(name, 60)!r} is not the code of a reference system", fix)
    try:
        return pyproj.CRS.from_authority(parts[1].upper(), parts[2])
    except CRSError as error:
        raise T2SError("argument_invalid", f"there is no reference system {text!r}", fix) from error


def pixels_of(
    scene: Scene, x: Sequence[float] | Floats, y: Sequence[float] | Floats, crs: str
) -> tuple[Floats, Floats]:
    """Pixel positions in a scene of coordinates (x east or longitude, y north or latitude) in a reference system.

    `crs` is a code, `image` for the scene's own system, or `pixels`. Not finite where a position cannot be expressed in the scene's system.
    Raises `argument_invalid` for an unknown system and `no_georeference`.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if _special_crs(crs) == PIXELS:
        return x, y
    if _special_crs(crs) == IMAGE:
        return scene.georeference.to_pixel(x, y)
    lon, lat = _to_degrees(crs).transform(x, y)
    return scene.georeference.from_lonlat(lon, lat)


def pixel_points(scene: Scene, points: Sequence[tuple[float, float]], crs: str) -> tuple[tuple[float, float], ...]:
    """Points (x, y) of another system in scene pixels.

    Raises `bbox_outside` for a point that cannot be expressed in the scene's system, and the errors of `pixels_of`.
    """
    if not points:
        return ()
    x, y = pixels_of(scene, [point[0] for point in points], [point[1] for point in points], crs)
    for px, py, point in zip(x, y, points, strict=True):
        if not (math.isfinite(px) and math.isfinite(py)):
            extent = format_extent(extent_in(scene, crs))
            raise T2SError(
                "bbox_outside",
                f"the point {list(point)} in {crs} does not lie in {scene.name}",
                f"In {crs}, the image covers xmin, ymin, xmax, ymax = {extent}",
            )
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def pixel_box(scene: Scene, box: Sequence[float], crs: str) -> Extent:
    """The smallest box in scene pixels (x1, y1, x2, y2, not clipped to the scene) that contains a box of another system.

    `box` is smallest x, smallest y, largest x, largest y. Raises `bbox_invalid` where it is empty or not finite, `bbox_outside`
    (with the extent of the scene in that system) where it does not overlap the scene, and the errors of `pixels_of`.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    fix = "Give xmin, ymin, xmax, ymax, the smaller ones first"
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise T2SError("bbox_invalid", f"the box {[x1, y1, x2, y2]} has numbers that are not finite", fix)
    if x1 >= x2 or y1 >= y2:
        raise T2SError("bbox_invalid", f"the box {[x1, y1, x2, y2]} is empty or upside down", fix)
    x, y = pixels_of(scene, *_around(x1, y1, x2, y2), crs)
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.any():
        left, top, right, bottom = _extent(x[finite], y[finite])
        if left < scene.width and top < scene.height and right > 0 and bottom > 0:
            return left, top, right, bottom
    extent = format_extent(extent_in(scene, crs))
    raise T2SError(
        "bbox_outside",
        f"the box {[x1, y1, x2, y2]} in {crs} does not meet {scene.name}",
        f"In {crs}, the image covers xmin, ymin, xmax, ymax = {extent}",
    )


def box_window(scene: Scene, box: Sequence[float], crs: str) -> Window:
    """The window of pixels that a box of another system touches, clipped to the scene. Raises the errors of `pixel_box`."""
    left, top, right, bottom = pixel_box(scene, box, crs)
    x0, y0 = max(0, math.floor(left + _NOISE_PX)), max(0, math.floor(top + _NOISE_PX))
    x1, y1 = min(scene.width, math.ceil(right - _NOISE_PX)), min(scene.height, math.ceil(bottom - _NOISE_PX))
    return Window(min(x0, scene.width - 1), min(y0, scene.height - 1), max(1, x1 - x0), max(1, y1 - y0))


def extent_in(scene: Scene, crs: str) -> Extent:
    """The extent of a scene in a reference system, from points along its edges. Raises the errors of `pixels_of`."""
    x, y = _around(0, 0, scene.width, scene.height)
    if _special_crs(crs) == PIXELS:
        return 0.0, 0.0, float(scene.width), float(scene.height)
    if _special_crs(crs) == IMAGE:
        return _extent(*scene.georeference.to_world(x, y))
    there = _to_degrees(crs).transform(*scene.georeference.to_lonlat(x, y), direction="INVERSE")
    return _extent(*(np.asarray(values)[np.isfinite(values)] for values in there))


def swapped(place: Sequence[float], bounds: Sequence[float]) -> bool:
    """Whether a point or box overlaps an image's bounds only after its axes are exchanged.

    `place` is x, y or x1, y1, x2, y2; `bounds` are west, south, east, north in degrees, west > east across 180 degrees.
    """
    west, south, east, north = bounds
    turns = (0.0,) if west <= east else (0.0, 360.0)
    east = east if west <= east else east + 360

    def meets(xs: Sequence[float], ys: Sequence[float]) -> bool:
        along = any(min(xs) + turn <= east and max(xs) + turn >= west for turn in turns)
        return along and min(ys) <= north and max(ys) >= south

    first, second = place[::2], place[1::2]
    return bool(first) and len(first) == len(second) and meets(second, first) and not meets(first, second)


def meets(place: Sequence[float], extent: Sequence[float]) -> bool:
    """Whether a point or box (x, y or x1, y1, x2, y2) touches an extent (x1, y1, x2, y2)."""
    xs, ys = place[::2], place[1::2]
    return min(xs) <= extent[2] and max(xs) >= extent[0] and min(ys) <= extent[3] and max(ys) >= extent[1]


def _special_crs(crs: str) -> str:
    """`image` or `pixels` where `crs` is one of these, else empty."""
    name = crs.strip().lower()
    return name if name in (IMAGE, PIXELS) else ""


def _to_degrees(crs: str) -> pyproj.Transformer:
    source = crs_named(crs)
    try:
        return pyproj.Transformer.from_crs(source, pyproj.CRS.from_epsg(4326), always_xy=True)
    except ProjError as error:
        raise T2SError(
            "argument_invalid",
            f"positions in {one_line(crs, 60)} cannot be converted to degrees",
            "Name a geographic or projected reference system, for example EPSG:32631",
        ) from error


def _around(x1: float, y1: float, x2: float, y2: float) -> tuple[Floats, Floats]:
    """Points along the four edges of a box."""
    x, y = np.linspace(x1, x2, _EDGE), np.linspace(y1, y2, _EDGE)
    xs = np.concatenate([x, x, np.full(_EDGE, x1), np.full(_EDGE, x2)])
    return xs, np.concatenate([np.full(_EDGE, y1), np.full(_EDGE, y2), y, y])


def _extent(x: Floats, y: Floats) -> Extent:
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())
