"""Summarises regions: count, sum, mean, median, smallest and largest, and their share of the image.

**Plus/minus.** The errors of the regions of one result may have the same sign (a segmenter may draw all masks a little too large).
So the plus/minus of a sum or a mean is the sum of all plus/minus, not that of independent errors. The plus/minus of a median is
its change when all values move up or down by their plus/minus.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2s_agent.regions.region import Measure, Region
from t2s_agent.scene.view import View

_BLOCKS = 64  # per side: a view's area is summed in blocks with one pixel size each
M2_PER_HECTARE = 10_000.0


@dataclass(frozen=True, slots=True)
class Extreme:
    """A measure and the id of its region."""

    measure: Measure
    id: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of one measure of several regions. Of equal values the first region is the smallest or largest."""

    count: int
    total: Measure
    mean: Measure
    median: Measure
    smallest: Extreme
    largest: Extreme

    @classmethod
    def of(cls, regions: Sequence[Region], measure: str = "area") -> "Summary | None":
        """Of `area`, `perimeter`, `length` or `width`; regions without that measure do not count, and without any it is None."""
        known = [(region.id, value) for region in regions if (value := getattr(region, measure)) is not None]
        if not known:
            return None
        measures = [value for _, value in known]
        unit, values = measures[0].unit, [each.value for each in measures]
        total = Measure(math.fsum(values), math.fsum(each.plus_minus for each in measures), unit)
        low, high = int(np.argmin(values)), int(np.argmax(values))
        return cls(
            len(known),
            total,
            Measure(total.value / len(known), total.plus_minus / len(known), unit),
            median_of(measures),
            Extreme(measures[low], known[low][0]),
            Extreme(measures[high], known[high][0]),
        )


def median_of(measures: Sequence[Measure]) -> Measure:
    """The median, and how far it moves where all values move by their plus/minus. Needs at least one."""
    values = np.array([each.value for each in measures])
    bounds = np.array([each.plus_minus for each in measures])
    middle = float(np.median(values))
    off = max(float(np.median(values + bounds)) - middle, middle - float(np.median(values - bounds)))
    return Measure(middle, off, measures[0].unit)


def image_area(view: View) -> float:
    """The area of the View's valid pixels on the Earth in m2, or in scene pixels without a georeference.

    It is the area of the examined part of the image.
    """
    if not view.georeference.located:
        return float(view.valid.sum()) * view.window.width * view.window.height / (view.width * view.height)
    rows = np.unique(np.linspace(0, view.height, min(_BLOCKS, view.height) + 1).astype(int))
    columns = np.unique(np.linspace(0, view.width, min(_BLOCKS, view.width) + 1).astype(int))
    valid = np.add.reduceat(np.add.reduceat(view.valid, rows[:-1], 0, dtype=np.int64), columns[:-1], 1)
    x, y = np.meshgrid((columns[1:] + columns[:-1]) / 2, (rows[1:] + rows[:-1]) / 2)
    sizes = view.georeference.pixel_areas_m2(x.ravel(), y.ravel())
    return float(np.nansum(np.where(np.isfinite(sizes), sizes, 0.0) * valid.ravel()))


def share_of(total: Measure, whole: float) -> Measure | None:
    """A total area divided by a whole, 0 to 1; None where the whole has no area."""
    return Measure(total.value / whole, total.plus_minus / whole, "") if whole > 0 else None
