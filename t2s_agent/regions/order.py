"""Sorts regions by a measure."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.regions.region import Region
from t2s_agent.regions.units import METRES, PIXELS, Units

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
    positions = list(range(len(regions)))
    if sort_by:
        values = _values(regions, sort_by, distances or {}, units)
        sign = -1 if descending else 1
        known = [value is not None and math.isfinite(value) for value in values]
        positions.sort(key=lambda i: (not known[i], sign * (values[i] or 0.0) if known[i] else 0.0))
    return positions[:first] if first else positions


def _values(
    regions: Sequence[Region], sort_by: str, distances: Mapping[int, float], units: Units
) -> list[float | None]:
    if sort_by in (*METRES.axes, *PIXELS.axes):
        if sort_by not in units.axes:
            raise T2SError(
                "argument_invalid" if units.on_earth else "no_georeference",
                f"regions cannot be sorted by {sort_by}: the image has {'a' if units.on_earth else 'no'} place on Earth",
                f"Sort by {' or '.join(units.axes)}",
            )
        axis = units.axes.index(sort_by)
        values = np.array([region.centroid[axis] for region in regions])
        return list(from_middle(values) if sort_by == "lon" else values)
    if sort_by == "nearest":
        return [distances.get(region.id) for region in regions]
    if sort_by == "orientation":
        return [region.orientation_deg for region in regions]
    found = []
    for region in regions:
        value = getattr(region, sort_by)
        found.append(value if value is None or isinstance(value, int | float) else value.value)
    return found


def from_middle(lon: np.ndarray) -> np.ndarray:
    """Longitudes relative to their middle, in degrees east, -180 to 180."""
    if not len(lon):
        return lon
    turned = np.radians(lon)
    middle = np.degrees(np.arctan2(np.sin(turned).mean(), np.cos(turned).mean()))
    return np.asarray((lon - middle + 180) % 360 - 180)
