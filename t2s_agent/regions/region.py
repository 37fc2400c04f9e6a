"""What comes out: a place on the ground, with measures that say how sure they are."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from t2s_agent.instance import Instance
from t2s_agent.regions.plus_minus import CalibrationUsed, method_of
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.units import Units

Geometry: TypeAlias = Polygon | MultiPolygon
Labels: TypeAlias = NDArray[
    np.int32
]  # (H, W) of region ids; int32, not uint32, because rasterio.features.shapes takes no uint32
MOST_REGIONS = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number and how far off it can be: `value` +- `plus_minus`, both in `unit`. The method is said once, by `METHOD`."""

    value: float
    plus_minus: float
    unit: str


@dataclass(frozen=True, slots=True)
class Source:
    """A region of an earlier result."""

    result: str
    id: int


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One region. On Earth: `geometry` in lon/lat WGS 84 (RFC 7946), areas in m2, lengths in m. Otherwise: scene pixels.

    `centroid` is (lon, lat) or (x, y); `bbox` is west, south, east, north (west > east across 180 degrees) or x1, y1, x2, y2.
    `pixel` is the size of a View pixel there, the root of its area, in the unit of lengths: numbers are rounded by it. `was` is
    the region's id in the result that this one was refined from, where its pixels are the same; `sources` are all the regions
    that it was made of, also where its pixels are others now.

    `score` is the segmenter's own estimate of the mask, `agreement` how far several sampled answers agree on the object: 0 to 1,
    None where there was none, or one answer.

    `length`, `width` and `orientation_deg` are those of the smallest rectangle around the estimated outline: None for a region
    of more than 2,000 km, and in results from before they were kept. `orientation_deg` is the direction of the long side,
    degrees clockwise from north (from the top of the image where there is no ground), 0 to 180; None where the long side cannot
    be told from the short one. `parts` counts pieces that do not share a pixel's side. `overlaps` are ids of regions of the
    same result of which the masks shared pixels with this one's before each pixel was given to one region. `softness` is the share
    of the mask's area that its soft edge takes (`Masks.softness`); None where the segmenter gives none.

    `seams` says why windows of a large scene do not agree on the object (`tiling.seams.REASONS`): it may be a part of one, or several.

    `calibrated`: whether the plus/minus of its measures held the true value in 90 % of cases (`plus_minus`), else they speak of pixels
    only. `probability` is that of being what was asked for; `unsure` where it is below the calibration's cut. None: not known.

    >>> import t2s_agent
    >>> region = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?").regions[0]
    >>> region.id, region.area.unit, region.length.unit, region.geometry.is_valid
    (1, 'm2', 'm', True)
    """

    id: int
    geometry: Geometry
    area: Measure
    perimeter: Measure
    centroid: tuple[float, float]
    bbox: tuple[float, float, float, float]
    score: float | None = None
    label: str = ""
    agreement: float | None = None
    was: int | None = None
    pixel: float = 1.0
    length: Measure | None = None
    width: Measure | None = None
    orientation_deg: float | None = None
    touches_edge: bool | None = None  # of the View; None in results from before it was kept
    parts: int | None = None
    overlaps: tuple[int, ...] = ()
    sources: tuple[Source, ...] = ()
    instance: Instance | None = None  # what the segmenter was prompted with; None for a region of a stored result
    softness: float | None = None
    calibrated: bool = False
    probability: float | None = None
    unsure: bool | None = None
    seams: tuple[str, ...] = ()

    @property
    def compactness(self) -> float | None:
        """4 pi A / P^2 (Polsby and Popper 1991): 1 for a disc, 0.785 for a square, near 0 for a line; None where length is."""
        if self.length is None or not self.perimeter.value:
            return None
        return 4 * math.pi * self.area.value / self.perimeter.value**2

    @property
    def units(self) -> Units:
        """Metres or pixels."""
        return Units.of_area(self.area.unit)

    @property
    def rounding(self) -> Rounding:
        """How many decimals the region's numbers deserve."""
        rounding = Rounding.of(self.pixel, self.units)
        return rounding.shown(
            (self.area.value, self.area.plus_minus), (self.perimeter.value, self.perimeter.plus_minus)
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionSet:
    """The regions of one result, and `labels` (H, W): the id of the region that each View pixel belongs to, 0 = none.

    `left_out` counts the regions that each filter took away, by the filter's name. Where a calibration speaks of the whole answer,
    `total` is the area with a plus/minus that counts missed and false regions, and `count_range` the lowest and highest true count.
    `calibration` is the one that the regions' plus/minus come from.
    """

    regions: tuple[Region, ...]
    labels: Labels
    units: Units
    warnings: tuple[str, ...] = field(default=())
    left_out: Mapping[str, int] = field(default_factory=dict)
    calibration: CalibrationUsed | None = None
    total: Measure | None = None
    count_range: tuple[int, int] | None = None

    def total_area(self) -> Measure:
        """The sum of the areas. Their errors may all point one way, so they add, unless a calibration speaks of the total."""
        if self.total is not None:
            return self.total
        value, plus_minus = sum(r.area.value for r in self.regions), sum(r.area.plus_minus for r in self.regions)
        return Measure(value, plus_minus, self.units.area)

    def rounding(self) -> Rounding:
        """How many decimals numbers of the whole set deserve: as many as those of its finest region."""
        return finest_rounding(self.regions, self.units)

    def method(self) -> str:
        """How everything was measured, and what the plus/minus cover."""
        return method_of(
            self.units,
            calibrated={region.id: region.calibrated for region in self.regions},
            used=self.calibration,
            total=self.total is not None,
        )

    def by_ids(self, ids: Sequence[int]) -> tuple[Region, ...]:
        """The regions with these ids, in the order of the set."""
        return tuple(region for region in self.regions if region.id in ids)


def finest_rounding(regions: Iterable[Region], units: Units) -> Rounding:
    """As many decimals as the finest of the regions deserves."""
    finest: Rounding | None = None
    for region in regions:
        finest = region.rounding if finest is None else finest.finer(region.rounding)
    return Rounding.of(1.0, units) if finest is None else finest


def ids_in_words(ids: Sequence[int]) -> str:
    """Which regions there are, for an error: at most twenty ids and the last one."""
    if not ids:
        return "The result has no regions"
    shown = ", ".join(map(str, ids[:20]))
    return f"The regions are {shown}" + (f" ... {ids[-1]}" if len(ids) > 20 else "")
