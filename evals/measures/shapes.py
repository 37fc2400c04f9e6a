"""Draws ideal shapes of known length and area on a grid: a pixel is in a shape if its centre is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.polygons import rasterised


@dataclass(frozen=True, slots=True, eq=False)
class ShapeMask:
    """A mask (H, W) with the true length and area of its shape, in pixels."""

    mask: NDArray[np.bool_]
    length: float
    area: float


Shape = Callable[
    [float, float, np.random.Generator], ShapeMask
]  # of a size in pixels (the short side), degrees, and the shift


def disc(size: float, degrees: float, rng: np.random.Generator) -> ShapeMask:
    """Returns a disc with the diameter `size`; the angle has no effect."""
    return ellipse(1.0)(size, degrees, rng)


def rectangle(ratio: float) -> Shape:
    """Returns a function that draws rectangles; the long side is `ratio` times the short one."""

    def draw(size: float, degrees: float, rng: np.random.Generator) -> ShapeMask:
        along, across = _frame(size * ratio, size, degrees, rng)
        mask = (np.abs(along) <= size * ratio / 2) & (np.abs(across) <= size / 2)
        return ShapeMask(mask, 2 * size * (1 + ratio), size * size * ratio)

    return draw


def ellipse(ratio: float) -> Shape:
    """Returns a function that draws ellipses; the long axis is `ratio` times the short one."""

    def draw(size: float, degrees: float, rng: np.random.Generator) -> ShapeMask:
        along, across = _frame(size * ratio, size, degrees, rng)
        turn = np.linspace(0, 2 * np.pi, 100_001) if ratio != 1 else np.zeros(1)
        x, y = size * ratio / 2 * np.cos(turn), size / 2 * np.sin(turn)
        length = float(np.hypot(np.diff(x), np.diff(y)).sum()) if ratio != 1 else np.pi * size
        return ShapeMask((along / ratio) ** 2 + across**2 <= (size / 2) ** 2, length, np.pi * ratio * size**2 / 4)

    return draw


def ring(size: float, degrees: float, rng: np.random.Generator) -> ShapeMask:
    """Returns a disc with a hole of half its diameter; `size` is the width of the ring."""
    along, across = _frame(4 * size, 4 * size, degrees, rng)
    squared = along**2 + across**2
    mask = (squared <= (2 * size) ** 2) & (squared >= size**2)
    return ShapeMask(mask, 6 * np.pi * size, 3 * np.pi * size**2)


def polygon(corners: list[tuple[float, float]], rounding: float = 0.0) -> Shape:
    """Returns a function that draws a polygon; `corners` are for size 1, `rounding` is the radius of rounded corners."""
    outline = shapely.Polygon(corners)
    if rounding:
        outline = outline.buffer(-rounding).buffer(rounding, quad_segs=64)

    def draw(size: float, degrees: float, rng: np.random.Generator) -> ShapeMask:
        turned = shapely.affinity.rotate(shapely.affinity.scale(outline, size, size), degrees)
        x, y, right, bottom = turned.bounds
        shift = rng.random(2) + 1
        moved = shapely.affinity.translate(turned, shift[0] - np.floor(x), shift[1] - np.floor(y))
        height, width = int(np.ceil(bottom - y)) + 4, int(np.ceil(right - x)) + 4
        return ShapeMask(rasterised(moved, height, width), moved.length, moved.area)

    return draw


def _frame(
    length: float, width: float, degrees: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns pixel centres along and across a shape of that size, rotated and shifted at random by less than a pixel."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    reach_x, reach_y = (int(np.ceil((length * abs(a) + width * abs(b)) / 2)) + 2 for a, b in ((cos, sin), (sin, cos)))
    shift = rng.random(2)
    x, y = np.arange(-reach_x, reach_x + 1) - shift[0], np.arange(-reach_y, reach_y + 1)[:, None] - shift[1]
    return x * cos + y * sin, y * cos - x * sin


L_SHAPE = polygon([(0, 0), (2.5, 0), (2.5, 1), (1, 1), (1, 2.5), (0, 2.5)])
U_SHAPE = polygon([(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)])
TRIANGLE = polygon([(0, 0), (1.1547, 0), (0.57735, 1)])
HEXAGON = polygon([(np.cos(t) / 1.732, np.sin(t) / 1.732) for t in np.arange(6) * np.pi / 3])
ROUNDED = polygon([(0, 0), (1.5, 0), (1.5, 1), (0, 1)], rounding=0.25)

ANGLES = (0.0, 5.0, 10.0, 15.0, 22.5, 26.57, 30.0, 40.0, 45.0)
MAIN_SHAPES: dict[str, Shape] = {"square": rectangle(1), "2:1": rectangle(2), "10:1": rectangle(10)}
# "fitted": the constants of the estimate were fitted to shapes of this kind with other seeds
OTHER_SHAPES: dict[str, Shape] = {
    "ellipse 2:1 (fitted)": ellipse(2),
    "rounded 3:2 (fitted)": ROUNDED,
    "L (fitted)": L_SHAPE,
    "U": U_SHAPE,
    "triangle": TRIANGLE,
    "ring": ring,
}
