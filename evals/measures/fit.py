"""Fits the two constants of `regions/boundary.py` by least squares, without discs, squares, 2:1 and 10:1 rectangles."""

from typing import TYPE_CHECKING

import numpy as np

from evals.measures.estimators import ours
from evals.measures.shapes import HEXAGON, L_SHAPE, ROUNDED, ShapeMask, ellipse, rectangle
from t2s_agent.regions import boundary

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_shapes(seed: int, count: int) -> list[ShapeMask]:
    """Returns shapes of random kind, proportion, angle and size (4 to 120 px, log-uniform)."""
    rng = np.random.default_rng(seed)
    shapes = []
    for index in range(count):
        size, degrees = float(np.exp(rng.uniform(np.log(4), np.log(120)))), float(rng.uniform(0, 90))
        draw = (
            ellipse(float(rng.uniform(1.05, 1.5))),
            rectangle(float(rng.choice([1.2, 1.5, 3.0, 5.0]))),
            ellipse(float(rng.uniform(1.5, 4))),
            rectangle(1.2),
            L_SHAPE,
            HEXAGON,
            ROUNDED,
            rectangle(1.4),
        )[index % 8]
        shapes.append(draw(size, degrees, rng))
    return shapes


def fit_constants(shapes: list[ShapeMask]) -> tuple[float, float]:
    """Returns CUT_CORNER with the smallest squared error / length. A length is linear in both constants."""
    kept = boundary.CUT_CORNER
    lengths: list[NDArray[np.float64]] = []
    try:
        for constants in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
            boundary.CUT_CORNER = constants
            lengths.append(np.array([ours(shape.mask).value for shape in shapes]))
    finally:
        boundary.CUT_CORNER = kept
    true = np.array([shape.length for shape in shapes])
    base, first, second = lengths
    weight = 1 / np.sqrt(true)
    slopes = np.stack([first - base, second - base], 1) * weight[:, None]
    constant, cut = np.linalg.lstsq(slopes, (true - base) * weight, rcond=None)[0]
    return float(constant), float(cut)
