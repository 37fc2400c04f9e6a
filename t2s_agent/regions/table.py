"""Regions as a table of plain values: what tools, the command line and files print, with units in the names of the columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.regions.order import ordered, require_order
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.relations import Nearest
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.units import Units
from t2s_agent.text import plain

# What may be asked for beside id, area, its plus/minus and the place
COLUMNS = (
    "length",
    "width",
    "orientation",
    "perimeter",
    "compactness",
    "bbox",
    "nearest",
    "edge",
    "parts",
    "overlaps",
    "seams",
    "from",
    "was",
    "label",
    "score",
    "agreement",
    "probability",
)


@dataclass(frozen=True, slots=True)
class Table:
    """Names of columns, and rows of numbers, words, None, or lists of them. `total` regions there are, `rows` may be fewer."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def require_columns(columns: Sequence[str]) -> None:
    """Raises `argument_invalid` for a column that there is not."""
    for name in columns:
        if name not in COLUMNS:
            raise T2SError(
                "argument_invalid", f"there is no column {plain(str(name), 60)!r}", f"Choose from {', '.join(COLUMNS)}"
            )


def table_of(
    regions: Sequence[Region],
    units: Units,
    *,
    columns: Sequence[str] = (),
    sort_by: str = "",
    descending: bool = False,
    first: int = 0,
    skip: int = 0,
    most: int = 0,
    nearest: Mapping[int, Nearest] | None = None,
) -> Table:
    """One row a region: id, area with `pm` (its plus/minus), lon and lat (x and y where there is no ground), then `columns`.

    `nearest`, by id, adds its columns without being asked for. Sorted and cut as `order.ordered` does; of what is left, the first
    `skip` rows are left out and at most `most` (0: all) made. `regions` may be read from a file: only those in rows are made twice. Raises `argument_invalid`
    for a column or an order that there is not, and for `nearest` where no other result is named.
    """
    require_columns(columns)
    require_order(sort_by, descending, first)
    if nearest is None and ("nearest" in columns or sort_by == "nearest"):
        raise T2SError(
            "argument_invalid", "nearest of what is not said", "Name the other result, or the same one again"
        )
    wanted = list(dict.fromkeys([*columns, *(["nearest"] if nearest is not None else [])]))
    known = nearest or {}
    distances = {id_: each.distance.value for id_, each in known.items()}
    chosen = ordered(regions, sort_by, descending=descending, first=first, distances=distances, units=units)
    names = ["id", f"area_{units.area}", "pm", *units.centroid]
    parts = [_column(name, units, known) for name in wanted]
    names += [name for each, _ in parts for name in each]
    rows = []
    for region in (regions[i] for i in chosen[skip:][: most or None]):
        rounding = region.rounding
        row: list[Any] = [
            region.id,
            rounding.area(region.area.value),
            rounding.area(region.area.plus_minus),
            *region.centroid,
        ]
        for _, values in parts:
            row += values(region, rounding)
        rows.append(tuple(row))
    return Table(tuple(names), tuple(rows), len(regions))


_Values = Callable[[Region, Rounding], Sequence[Any]]


def _column(name: str, units: Units, nearest: Mapping[int, Nearest]) -> tuple[tuple[str, ...], _Values]:
    """Names of the columns that one wish makes, and the values of a region in them."""

    def size(measure: Measure | None, rounding: Rounding) -> tuple[float | None, float | None]:
        if measure is None:
            return None, None
        return rounding.length(measure.value), rounding.length(measure.plus_minus)

    def distance(region: Region, rounding: Rounding) -> tuple[Any, ...]:
        found = nearest.get(region.id)
        return (*size(found.distance, rounding), found.other_id) if found else (None, None, None)

    unit = units.length
    columns: dict[str, tuple[tuple[str, ...], _Values]] = {
        "length": ((f"length_{unit}", "length_pm"), lambda r, by: size(r.length, by)),
        "width": ((f"width_{unit}", "width_pm"), lambda r, by: size(r.width, by)),
        "orientation": (("orientation_deg",), lambda r, _: (r.orientation_deg,)),
        "perimeter": ((f"perimeter_{unit}", "perimeter_pm"), lambda r, by: size(r.perimeter, by)),
        "compactness": (
            ("compactness",),
            lambda r, _: (None if r.compactness is None else round(r.compactness, 3),),
        ),
        "bbox": (units.corners, lambda r, by: [by.place(value) for value in r.bbox]),
        "nearest": ((f"nearest_{unit}", "nearest_pm", "nearest_id"), distance),
        "edge": (("edge",), lambda r, _: (r.touches_edge,)),
        "parts": (("parts",), lambda r, _: (r.parts,)),
        "overlaps": (("overlaps",), lambda r, _: (list(r.overlaps),)),
        "seams": (("seams",), lambda r, _: (list(r.seams),)),
        "from": (("from",), lambda r, _: ([[each.result, each.id] for each in r.sources],)),
        "was": (("was",), lambda r, _: (r.was,)),
        "label": (("label",), lambda r, _: (plain(r.label, 80),)),
        "score": (("score",), lambda r, _: (None if r.score is None else round(r.score, 3),)),
        "agreement": (("agreement",), lambda r, _: (None if r.agreement is None else round(r.agreement, 3),)),
        "probability": (
            ("probability", "unsure"),
            lambda r, _: (None if r.probability is None else round(r.probability, 3), r.unsure),
        ),
    }
    return columns[name]
