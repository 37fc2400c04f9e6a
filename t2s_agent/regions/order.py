"""Sorts regions by a measure."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.units import METRES, PIXELS, Units

_DECIMALS = 3  # of compactness, as records have it
SORT_BY = (
    "area",
    "length",
    "width",
    "orientation",
    "perimeter",
    "compactness",
    "score",
    "agreement",
    "probability",
    "nearest",
    *METRES.axes,  # of the centroid
    *PIXELS.axes,
    "id",
)


def require_order(sort_by: str, descending: bool, first: int) -> None:
    """Raises `argument_invalid` for an unknown order."""
    if sort_by and sort_by not in SORT_BY:
        raise T2SError(
            "argument_invalid", f"regions cannot be sorted by {sort_by!r}", f"Choose from {', '.join(SORT_BY)}"
        )
    if descending and not sort_by:
        raise T2SError("argument_invalid", "descending without sort_by", "Say what to sort by, or leave descending out")
    if first < 0:
        raise T2SError("argument_invalid", f"first = {first} is negative", "Give a number from 1, or 0 for all")


def ordered(
    regions: Sequence[Region],
    sort_by: str = "",
    *,
    descending: bool = False,
    first: int = 0,
    distances: Mapping[int, float] | None = None,
    units: Units = METRES,
) -> list[int]:
    """Indexes of regions sorted by a measure, the smallest first unless `descending`; at most `first` of them (0: all).

    Regions without that measure come last; equal ones keep their order. `distances` to the nearest other region, by id, are for
    `nearest`. Longitudes are relative to the middle of the regions, so the order is right across 180 degrees. Raises
    `argument_invalid` for an unknown order, and `no_georeference` for degrees without a georeference.
    """
    require_order(sort_by, descending, first)
    require_axis(sort_by, units)
    values = [value_of(region, sort_by, units, distances) for region in regions]
    return order_of(values, sort_by, descending=descending, first=first)


def order_of(values: Sequence[float | None], sort_by: str, *, descending: bool, first: int) -> list[int]:
    """`ordered`, of what `value_of` gives for each region."""
    positions = list(range(len(values)))
    if sort_by:
        if sort_by == "lon":
            values = list(from_middle(np.array(values)))
        sign = -1 if descending else 1
        known = [value is not None and math.isfinite(value) for value in values]
        positions.sort(key=lambda i: (not known[i], sign * (values[i] or 0.0) if known[i] else 0.0))
    return positions[:first] if first else positions


def require_axis(sort_by: str, units: Units) -> None:
    """Raises `no_georeference` or `argument_invalid` for an order by an axis that regions of these units do not have."""
    if sort_by in (*METRES.axes, *PIXELS.axes) and sort_by not in units.axes:
        raise T2SError(
            "argument_invalid" if units.on_earth else "no_georeference",
            f"regions cannot be sorted by {sort_by}: the image has {'a' if units.on_earth else 'no'} place on Earth",
            f"Sort by {' or '.join(units.axes)}",
        )


def value_of(region: Region, sort_by: str, units: Units, distances: Mapping[int, float] | None = None) -> float | None:
    """What a region is sorted by, as it is kept (rounded by the size of a pixel); None where it is not known."""
    if not sort_by:
        return None
    if sort_by in units.axes:
        return region.centroid[units.axes.index(sort_by)]
    if sort_by == "nearest":
        return (distances or {}).get(region.id)
    value = region.orientation_deg if sort_by == "orientation" else getattr(region, sort_by)
    if isinstance(value, Measure):
        return region.rounding.area(value.value) if sort_by == "area" else region.rounding.length(value.value)
    return round(value, _DECIMALS) if value is not None and sort_by == "compactness" else value


def from_middle(lon: np.ndarray) -> np.ndarray:
    """Longitudes relative to their middle, in degrees east, -180 to 180."""
    if not len(lon):
        return lon
    turned = np.radians(lon)
    middle = np.degrees(np.arctan2(np.sin(turned).mean(), np.cos(turned).mean()))
    return np.asarray((lon - middle + 180) % 360 - 180)
