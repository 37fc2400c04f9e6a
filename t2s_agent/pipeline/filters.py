"""Says which regions a refinement takes away by their ids, sizes and probability, and in which order the others are left."""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from t2s_agent.pipeline.refinement import Refinement
from t2s_agent.regions.build import subset
from t2s_agent.regions.order import ordered
from t2s_agent.regions.region import Region, RegionSet


def taken_by_id(ids: AbstractSet[int], keep: AbstractSet[int], drop: AbstractSet[int]) -> str:
    """Returns `drop` or `keep` where that takes a region away whose pixels come from these ids of the parent; "" otherwise.

    Regions that are not from the parent stay.
    """
    if not ids.isdisjoint(drop):
        return "drop"
    return "keep" if ids and keep and ids.isdisjoint(keep) else ""


def taken_by_size(region: Region, how: Refinement) -> str:
    """Returns the name of the first limit that takes a region away; "" where none does.

    Measures count as they are kept, rounded by the size of a pixel: 6.0 m is not less than 6 m because it was 5.9999 m.
    """
    rounding = region.rounding
    area, length = rounding.area(region.area.value), rounding.length(region.length.value) if region.length else math.nan
    limits = {
        "min_area_m2": area < how.min_area_m2,
        "max_area_m2": how.max_area_m2 is not None and area > how.max_area_m2,
        "min_length_m": how.min_length_m > 0 and not length >= how.min_length_m,
        "max_length_m": how.max_length_m is not None and not length <= how.max_length_m,
        "min_probability": region.probability is not None and region.probability < how.min_probability,
    }
    return next((name for name, taken in limits.items() if taken), "")


def by_ids(regions: RegionSet, parent: str, how: Refinement, left_out: dict[str, int]) -> list[Region]:
    """Returns the regions that are left by the ids of the parent, and counts the others in `left_out`."""
    found = []
    keep, drop = frozenset(how.keep), frozenset(how.drop)
    for region in regions.regions:
        ids = {source.id for source in region.sources if source.result == parent}
        if name := taken_by_id(ids, keep, drop):
            left_out[name] = left_out.get(name, 0) + 1
        else:
            found.append(region)
    return found


def filtered(regions: RegionSet, how: Refinement, distances: Mapping[int, float]) -> RegionSet:
    """Filters regions by size, length and probability, sorts them, keeps the first ones; counts those that are left out."""
    left_out = dict(regions.left_out)
    chosen = []
    for position, region in enumerate(regions.regions):
        if name := taken_by_size(region, how):
            left_out[name] = left_out.get(name, 0) + 1
        else:
            chosen.append(position)
    left = [regions.regions[i] for i in chosen]
    order = ordered(
        left,
        how.sort_by,
        descending=how.descending,
        first=how.first,
        distances=distances,
        units=regions.units,
    )
    if len(order) < len(left):
        left_out["first"] = left_out.get("first", 0) + len(left) - len(order)
    positions = [chosen[i] for i in order]
    changed = positions != list(range(len(regions.regions)))
    return replace(subset(regions, positions) if changed else regions, left_out=left_out)
