"""Defines a Refinement: what is to be done to a result, as a value that is checked, named and kept in a record."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from t2s_agent.bounds import (
    LARGEST_AREA_M2,
    LARGEST_LENGTH_M,
    LONGEST_QUERY,
    MOST_IDS,
    MOST_POINTS,
    require_amount,
    require_at_most,
)
from t2s_agent.errors import T2SError
from t2s_agent.instance import Box, Point
from t2s_agent.regions.order import require_order

Operation = Literal["union", "intersection", "difference"]


@dataclass(frozen=True, slots=True)
class Refinement:
    """What to do to a result. Points and box are in lon/lat, or in scene pixels where `pixels` says so. Where the image has no
    place on Earth there are only pixels: what is named `_m` then means pixels of the scene, `_m2` square pixels, and the result
    says so in a warning.

    The order of the work:

    1. `instruction`: computed where it is one of the few that need no model (`instructions.understood`), else a model looks again.
    2. `box` adds an object. Points correct the region that they lie in or next to; a positive one that lies in none adds one.
    3. `keep` and `drop`, ids of the parent's regions.
    4. `within_m` and `beyond_m`: keep what lies at most, or more than, so far from the nearest region of `other`, edge to edge.
       Where `other` is the result itself, distances are those between neighbours: a region is never its own.
    5. `operation` with `other`: union, intersection, difference.
    6. `smooth_m`.
    7. `min_area_m2` to `max_area_m2`, `min_length_m` to `max_length_m`, both ends included; `min_probability`: what a calibration
       gives a lower probability of being what was asked for goes, and what has none stays (a person added it, or it was changed).
    8. `sort_by` (`order.SORT_BY`; `nearest`: the distance to `other`) numbers the regions in that order, the smallest first
       unless `descending`; `first` keeps so many of them (0: all). Regions without that measure come last.
    """

    instruction: str = ""
    positive: tuple[Point, ...] = ()
    negative: tuple[Point, ...] = ()
    box: Box | None = None
    keep: tuple[int, ...] = ()
    drop: tuple[int, ...] = ()
    other: str = ""
    operation: Operation | None = None
    within_m: float | None = None
    beyond_m: float | None = None
    min_area_m2: float = 0.0
    max_area_m2: float | None = None
    min_length_m: float = 0.0
    max_length_m: float | None = None
    smooth_m: float = 0.0
    min_probability: float = 0.0
    sort_by: str = ""
    descending: bool = False
    first: int = 0
    pixels: bool = False


NOTHING = Refinement()


def require_sense(how: Refinement) -> None:
    """Raises `argument_invalid` for a refinement of which the parts do not go together, and `limit_exceeded` for one with too many."""
    compares = how.within_m is not None or how.beyond_m is not None or how.sort_by == "nearest"
    if (how.operation or compares) and not how.other:
        raise T2SError(
            "argument_invalid",
            "an operation or a distance without another result",
            "Name the other result by its id (or the result itself, for distances between neighbours)",
        )
    if how.other and not how.operation and not compares:
        raise T2SError(
            "argument_invalid",
            f"nothing is to be done with {how.other}",
            "Give an operation, within_m, beyond_m, or sort_by nearest",
        )
    require_order(how.sort_by, how.descending, how.first)
    for name, most in (("positive", MOST_POINTS), ("negative", MOST_POINTS), ("keep", MOST_IDS), ("drop", MOST_IDS)):
        require_at_most(name, getattr(how, name), most)
    require_at_most("instruction", how.instruction, LONGEST_QUERY)
    for name in ("within_m", "beyond_m", "min_length_m", "max_length_m", "smooth_m"):
        require_amount(name, getattr(how, name) or 0.0, LARGEST_LENGTH_M, "metres")
    for name in ("min_area_m2", "max_area_m2"):
        require_amount(name, getattr(how, name) or 0.0, LARGEST_AREA_M2, "square metres")
    if not 0 <= how.min_probability <= 1:
        raise T2SError(
            "argument_invalid", f"min_probability = {how.min_probability:g} is not a probability", "Give 0 to 1"
        )
    for least, largest, name in (
        (how.min_area_m2, how.max_area_m2, "area_m2"),
        (how.min_length_m, how.max_length_m, "length_m"),
        (how.beyond_m or 0.0, how.within_m, "distance"),
    ):
        if largest is not None and least > largest:
            raise T2SError(
                "argument_invalid",
                f"no {name} is from {least:g} to {largest:g}",
                "Give the smaller number as the least",
            )
    for point in (*how.positive, *how.negative):
        if len(point) != 2 or not all(map(math.isfinite, point)):
            raise T2SError("argument_invalid", f"the point {list(point)} is not two numbers", "Give it as lon, lat")
    if how.box is not None and (len(how.box) != 4 or not all(map(math.isfinite, how.box))):
        raise T2SError(
            "bbox_invalid", f"the box {list(how.box)} is not four numbers", "Give west, south, east, north in degrees"
        )
    if replace(how, pixels=False) == NOTHING:
        raise T2SError(
            "argument_invalid",
            "there is nothing to do",
            "Give points, a box, ids, an operation, a size or an instruction",
        )


def name_of(how: Refinement, computed: bool) -> str:
    """Returns the operation for a record. `computed`: its instruction needed no model."""
    names = [name for name in given_in(how) if name != "pixels"]
    return "refine " + " ".join(
        "computed instruction" if computed and name == "instruction" else name for name in names
    )


def given_in(how: Refinement) -> dict[str, Any]:
    """Returns the fields of a refinement that differ from their defaults; `refinement_of` restores it from them."""
    given = {field.name: getattr(how, field.name) for field in fields(how)}
    return {name: value for name, value in given.items() if value != getattr(NOTHING, name)}


def refinement_of(parameters: Mapping[str, Any]) -> Refinement:
    """Returns the refinement for a record's parameters; lists from JSON become tuples."""
    return Refinement(**{name: _tuples(value) for name, value in parameters.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list | tuple) else value
