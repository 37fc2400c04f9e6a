"""Summarises regions: count, sum, mean, median, smallest and largest, and their share of the image.

**Plus/minus.** The errors of the regions of one result may have the same sign (a segmenter may draw all masks a little too large).
So the plus/minus of a sum or a mean is the sum of all plus/minus, not that of independent errors. The plus/minus of a median is
its change when all values move up or down by their plus/minus.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from t2s_agent.regions.region import Measure, Region
from t2s_agent.scene.georeference import Floats
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
    def of(cls, regions: Iterable[Region], measure: str = "area") -> "Summary | None":
        """Of `area`, `perimeter`, `length` or `width`; regions without that measure do not count, and without any it is None."""
        return cls.of_each(regions, [measure]).get(measure)

    @classmethod
    def of_each(cls, regions: Iterable[Region], measures: Sequence[str]) -> "dict[str, Summary]":
        """Of several measures by name, in one pass, which keeps 24 bytes a region and measure; those of no region are left out."""
        columns = {name: _Column() for name in measures}
        for region in regions:
            for name, column in columns.items():
                column.add(region.id, getattr(region, name))
        return {name: column.summary() for name, column in columns.items() if column.ids}


class _Column:
    """One measure of the regions that have it."""

    def __init__(self) -> None:
        self.ids, self._values, self._bounds = array("q"), array("d"), array("d")
        self._unit = ""

    def add(self, id_: int, measure: Measure | None) -> None:
        if measure is not None:
            self.ids.append(id_)
            self._values.append(measure.value)
            self._bounds.append(measure.plus_minus)
            self._unit = measure.unit

    def summary(self) -> Summary:
        count, values, bounds = len(self.ids), np.array(self._values), np.array(self._bounds)
        total = Measure(math.fsum(self._values), math.fsum(self._bounds), self._unit)
        return Summary(
            count,
            total,
            Measure(total.value / count, total.plus_minus / count, self._unit),
            _median(values, bounds, self._unit),
            self._extreme(int(values.argmin())),
            self._extreme(int(values.argmax())),
        )

    def _extreme(self, at: int) -> Extreme:
        return Extreme(Measure(self._values[at], self._bounds[at], self._unit), self.ids[at])


def median_of(measures: Sequence[Measure]) -> Measure:
    """The median, and how far it moves where all values move by their plus/minus. Needs at least one."""
    values = np.array([each.value for each in measures])
    bounds = np.array([each.plus_minus for each in measures])
    return _median(values, bounds, measures[0].unit)


def _median(values: Floats, bounds: Floats, unit: str) -> Measure:
    middle = float(np.median(values))
    off = max(float(np.median(values + bounds)) - middle, middle - float(np.median(values - bounds)))
    return Measure(middle, off, unit)


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
