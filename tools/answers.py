"""Builds the answers of tools: compact facts, tables of regions, and separate fields for text from files and models.

What is the same in every answer (units, the frame of coordinates, which texts are quoted from files and models) is stated in the
tools' descriptions, in the server's instructions, and in the names of columns.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr

from t2s_agent.text import plain

from .pictures import result_picture
from .words import for_agents

if TYPE_CHECKING:
    from t2s_agent.pipeline import Engine, Saved
    from t2s_agent.regions.region import Region
    from t2s_agent.regions.relations import Nearest
    from t2s_agent.results.record import Record

MOST_ROWS = 600  # in an answer: shorter rows than of 20 bytes there are not
TEXT_BYTES = 11_500  # of an answer; clients cut it at about 25,000 tokens, and agents pay for each token
_WORDS = 300  # characters of a model's thinking; the record has the whole text
_WARNINGS, _WARNING = 5, 240  # number of warnings in an answer, and characters of one
Status = Literal["found", "partly", "empty", "not_understood"]
Column = Literal[
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
]  # as regions.table.COLUMNS, which is not imported here: a server must list its tools before numpy is loaded
SortBy = Literal[
    "none",
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
    "lon",
    "lat",
    "x",
    "y",
    "id",
]


class Answer(BaseModel):
    """An answer and its small picture."""

    model_config = ConfigDict(extra="forbid")
    _picture: bytes = PrivateAttr(b"")

    @classmethod
    def schema_out(cls) -> dict[str, Any]:
        """Returns a short JSON schema of `facts`: names of columns and fields explain the rest."""
        return {"type": "object", "properties": {"status": {"type": "string"}}}

    @property
    def picture(self) -> bytes:
        """The picture as JPEG, or empty."""
        return self._picture

    def facts(self) -> dict[str, Any]:
        """Returns the fields that were set, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


class RegionsAnswer(Answer):
    """A new result and a table of its regions.

    `pm_level`: what the plus/minus cover. `windows`: how much of a large scene was looked at, in windows of full resolution. `true_total`: the lowest and highest true number, where a calibration knows.
    `left_out`: how many regions each filter removed. `changes`: what a correction did to each region that it changed.
    """

    status: Status | Literal["running"]
    result_id: str = ""
    total: int = 0
    total_area_m2: float = 0
    total_area_px2: float = 0
    total_pm: float = 0
    pm_level: str = ""
    true_total: list[int] = []
    windows: dict[str, Any] = {}
    left_out: dict[str, int] = {}
    changes: list[dict[str, Any]] = []
    columns: list[str] = []
    rows: list[list[Any]] = []
    next: str = ""
    warnings: list[str] = []
    thinking: str = ""
    job: str = ""


def regions_answer(
    engine: "Engine",
    made: "Saved",
    *,
    most: int,
    preview: bool,
    columns: Sequence[str] = (),
    other: str = "",
    thinking: bool = False,
) -> RegionsAnswer:
    """Returns the answer for a result, with up to `most` regions, or as many as fit.

    `other` is the result that it was compared with: each row gets the nearest region of it.
    """
    from t2s_agent.pipeline.loading import listed_regions
    from t2s_agent.regions.table import table_of
    from t2s_agent.results.record import pm_level

    result = made.record
    unit = result.unit_area
    facts: dict[str, Any] = {
        "status": result.status,
        "result_id": result.id,
        "total": result.region_count,
        f"total_area_{unit}": result.total_area,
        "total_pm": result.total_area_pm,
        "pm_level": pm_level(result),
    }
    if result.count_low is not None and result.count_high is not None:
        facts["true_total"] = [result.count_low, result.count_high]
    if result.tiling is not None:
        looked = result.tiling
        facts["windows"] = {
            "looked_at": looked.looked_at,
            "of": looked.windows,
            "gsd_m": looked.gsd_m and float(f"{looked.gsd_m:.4g}"),
        }
        if looked.looked_at < looked.windows:
            facts["windows"] |= {"failed": looked.failed, "share_of_area_not_looked_at": looked.share_not_looked_at}
    if result.left_out:
        facts["left_out"] = dict(result.left_out)
    if result.changes:
        facts["changes"] = [
            {
                "id": each.region,
                "was": each.was,
                f"area_before_{unit}": each.area_before,
                f"area_after_{unit}": each.area_after,
                "why": plain(each.why, 100),
            }
            for each in result.changes[:20]
        ]
    warnings = warnings_for_agents(result.warnings, result.left_out)
    if result.parameters.get("smooth_m") and result.regions and all(each.was for each in result.regions):
        warnings.append("smooth_m changed no region: it is smaller than a pixel or larger than the regions")
    if warnings:
        facts["warnings"] = warnings
    if thinking and result.prompted.thinking:
        facts["thinking"] = plain(result.prompted.thinking, _WORDS)
    regions = listed_regions(engine, result)
    wanted = [*columns]
    if len({region.label for region in result.regions}) > 1:  # of many regions, those in the record
        wanted.append("label")
    if any(region.unsure for region in result.regions):
        wanted.append("probability")
    if result.parents and any(region.was for region in result.regions):
        wanted.append("was")
    nearest = nearest_to(engine, result, regions, other) if other else None
    shown_most = max(1, min(most, MOST_ROWS))
    table = table_of(regions, result.units, columns=list(dict.fromkeys(wanted)), nearest=nearest, most=shown_most)
    facts |= page_of(table.columns, table.rows[:most], spent=size_of(facts))
    shown = len(facts["rows"])
    if shown < len(regions):
        facts["next"] = (
            f'describe_region(result_id="{result.id}", detail="regions", first_region={regions[shown].id}'
            + (f", columns={json.dumps(list(columns))}" if columns else "")
            + ")"
        )
    answer = RegionsAnswer(**facts)
    if preview:
        answer._picture = result_picture(engine, result, made.picture)
    return answer


def nearest_to(engine: "Engine", result: "Record", regions: Sequence["Region"], other: str) -> "dict[int, Nearest]":
    """Returns the nearest region of another result for each region, by id; a region is never its own neighbour."""
    from t2s_agent.pipeline.loading import other_result, regions_with_edges
    from t2s_agent.regions.relations import nearest_of

    found = other_result(engine, result, other)
    own = [{region.was} if result.parents[:1] == (found.id,) and region.was else set() for region in regions]
    edges = regions_with_edges(engine, result), regions_with_edges(engine, found)
    near = nearest_of(*edges, units=result.units, own=own)
    return {each.id: each for each in near if each}


def warnings_for_agents(warnings: Iterable[str], left_out: Iterable[str] = ()) -> list[str]:
    """Returns at most a few warnings for agents, one for all that differ only in numbers.

    Warnings about regions below the minimum are left out if `left_out` counts those regions.
    """
    by_kind: dict[str, tuple[str, int]] = {}
    for warning in warnings:
        if left_out and "below the minimum" in warning:
            continue
        kind = "".join(c for c in warning if not c.isdigit())
        first, count = by_kind.get(kind, (warning, 0))
        by_kind[kind] = (first, count + 1)
    lines = [
        plain(for_agents(first), _WARNING) + (f" (and {count - 1} more of the kind)" if count > 1 else "")
        for first, count in by_kind.values()
    ]
    return lines if len(lines) <= _WARNINGS else [*lines[:_WARNINGS], f"and {len(lines) - _WARNINGS} other remarks"]


def operation_words(result: "Record") -> str:
    """Describes the operation that made a result from its parents, such as `keep 1, 2; within_m 100.0 of r_...`."""
    given, other = result.parameters, result.parents[-1] if result.parents else ""
    words = []
    if given.get("instruction"):
        words.append(f"instruction {plain(str(given['instruction']), 200)!r}")
    words += [f"{name} {list(given[name])}" for name in ("box", "positive", "negative") if given.get(name)]
    words += [f"{name} {_listed(given[name])}" for name in ("keep", "drop") if given.get(name)]
    if given.get("operation"):
        words.append(f"{given['operation']} with {other}")
    words += [f"{name} {given[name]} of {other}" for name in ("within_m", "beyond_m") if given.get(name) is not None]
    sizes = ("smooth_m", "min_area_m2", "max_area_m2", "min_length_m", "max_length_m", "min_probability")
    words += [f"{name} {given[name]}" for name in sizes if given.get(name)]
    if given.get("sort_by"):
        words.append(f"sort_by {given['sort_by']}{', descending' if given.get('descending') else ''}")
    if given.get("first"):
        words.append(f"first {given['first']}")
    return plain("; ".join(words), 400)


def _listed(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:20]))
    return shown if len(ids) <= 20 else f"{shown} and {len(ids) - 20} more"


def page_of(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, spent: int) -> dict[str, Any]:
    """Returns `columns` and as many `rows` as fit in an answer of which `spent` bytes are used already."""
    kept, left = [], TEXT_BYTES - spent - 400
    for row in rows:
        left -= size_of(row) + 1
        if left < 0:
            break
        kept.append(list(row))
    return {"columns": list(columns), "rows": kept}


def size_of(facts: object) -> int:
    """Returns the bytes of facts as the JSON text of an answer."""
    return len(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode())
