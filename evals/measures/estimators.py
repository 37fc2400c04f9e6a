"""Estimators of the boundary length of a mask: ours, that of the outline, and those of libraries if they are installed."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from t2s_agent.regions.boundary import boundary_of
from t2s_agent.regions.measure import perimeter_in_pixels
from t2s_agent.regions.polygons import simplified, trace
from t2s_agent.regions.region import Measure

Estimator = Callable[[NDArray[np.bool_]], float]


def ours(mask: NDArray[np.bool_]) -> Measure:
    """Returns the perimeter as a result states it, in pixels."""
    return perimeter_in_pixels(boundary_of(trace(mask)), 1.0, 1.0)


def available() -> dict[str, Estimator]:
    """Returns the alternatives by name; those of scikit-image and OpenCV only if they are installed."""
    found: dict[str, Estimator] = {
        "outline along pixel edges": lambda mask: float(trace(mask).length),
        "the same, simplified within half a pixel": lambda mask: float(simplified(trace(mask)).length),
    }
    if find_spec("skimage"):
        measure = import_module("skimage.measure")
        found["scikit-image perimeter"] = lambda mask: float(measure.perimeter(mask))
        found["scikit-image perimeter_crofton"] = lambda mask: float(measure.perimeter_crofton(mask, directions=4))
    if find_spec("cv2"):
        cv2 = import_module("cv2")

        def arc_length(mask: NDArray[np.bool_]) -> float:
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            return float(sum(cv2.arcLength(contour, True) + np.pi for contour in contours))

        found["OpenCV arcLength + pi"] = arc_length
    return found
