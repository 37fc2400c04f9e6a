"""Describes a result, a region or a box: measured facts, and separately what a model claims."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from t2s_agent.bounds import LARGEST_LENGTH_M, require_amount
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.pipeline.band_facts import band_facts
from t2s_agent.pipeline.engine import Engine, shown_name
from t2s_agent.pipeline.items import picture_named
from t2s_agent.pipeline.loading import (
    is_large,
    listed_regions,
    other_result,
    region_set,
    regions_with_edges,
    require_not_large,
    view_of,
)
from t2s_agent.pipeline.steps import Progress, checked_question, no_progress
from t2s_agent.pipeline.stretching import stretch_record
from t2s_agent.regions.order import require_order
from t2s_agent.regions.plus_minus import LEVEL_PIXELS, level_of, method_of
from t2s_agent.regions.region import Measure, Region, finest_rounding, ids_in_words
from t2s_agent.regions.relations import Difference, Distances, Nearest, nearest_of, pairs_within
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.summary import M2_PER_HECTARE, Summary, image_area, share_of
from t2s_agent.regions.table import Table, require_columns, table_of
from t2s_agent.regions.units import METRES, Units
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record, StretchRecord, pm_level
from t2s_agent.scene import Scene, View, Window
from t2s_agent.scene.places import box_window
from t2s_agent.scene.scale import Scale, significant
from t2s_agent.scene.stretch import IDENTITY
from t2s_agent.text import plain

_SUMMED = ("length", "width", "perimeter")  # columns that get the same statistics as areas
LONGEST_CLAIM = 2_000  # characters of a model's text


class Description(BaseModel):
    """`measured` has computed values, with units in the names; `claimed` is a model's text, not checked.

    `table` lists the regions of a result if columns, an order, a number of regions or another result were given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    method: str
    measured: dict[str, Any]
    table: Table | None = None
    claimed: str = ""
    claimed_by: str = ""
    question: str = ""


def describe(
    engine: Engine,
    *,
    result_id: str = "",
    region_id: int = 0,
    image: Path | str = "",
    bbox: Sequence[float] | None = None,
    bbox_crs: str | None = None,
    question: str = "",
    bands: bool = False,
    other: str = "",
    pairs_within_m: float | None = None,
    columns: Sequence[str] = (),
    sort_by: str = "",
    descending: bool = False,
    first: int = 0,
    skip: int = 0,
    most: int = 0,
    facts: bool = True,
    progress: Progress = no_progress,
) -> Description:
    """Describes a stored result as it was measured, one of its regions, or an image or a box of it, in degrees or in `bbox_crs` (as for `segment`).

    `other` is another result, or the same one: of each region the nearest one there (of the same, its nearest neighbour), and the
    difference of the two totals. `pairs_within_m` counts pairs at most so far apart (pixels where there is no ground). `columns`,
    `sort_by`, `descending` and `first` make the table of regions (`table.COLUMNS`, `order.SORT_BY`); `skip` and `most` choose a page
    of it. Without `facts` nothing else of a whole result is measured. Of a large result distances, bands and questions are refused
    (`limit_exceeded`), and distances between neighbours are left out. `bands`: statistics of the
    bands too. With a `question` the prompter is asked about that part of the picture. Raises `result_unknown`, `region_unknown`,
    `argument_invalid`, `no_georeference` for two results that share no ground, and what opening an image raises.
    """
    if bool(result_id) == bool(image):
        raise T2SError("argument_invalid", "neither or both of a result and an image are named", "Name one of them")
    if region_id and not result_id:
        raise T2SError("argument_invalid", f"region {region_id} of no result", "Name the result that it belongs to")
    if bbox and result_id:
        raise T2SError("argument_invalid", "a box of a result", "Leave the box out, or name an image instead")
    asked = _Asked(other, pairs_within_m, tuple(columns), sort_by, descending, first, skip, most, facts)
    if image and asked != _Asked():
        raise T2SError("argument_invalid", "an image has no regions to list or compare", "Name a result instead")
    asked.check()
    if question:
        question = checked_question(question)
    if result_id:
        return _of_result(engine, result_id, region_id, question, bands, asked, progress)
    return _of_image(engine, image, bbox, bbox_crs, question, bands, progress)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The requested facts about the regions of a result."""

    other: str = ""
    pairs_within_m: float | None = None
    columns: tuple[str, ...] = ()
    sort_by: str = ""
    descending: bool = False
    first: int = 0
    skip: int = 0
    most: int = 0
    facts: bool = True

    def check(self) -> None:
        require_columns(self.columns)
        require_order(self.sort_by, self.descending, self.first)
        require_amount("pairs_within_m", self.pairs_within_m or 0.0, LARGEST_LENGTH_M, "metres")

    @property
    def listed(self) -> bool:
        """Whether a table is requested."""
        return bool(self.other or self.columns or self.sort_by or self.first or self.most or self.skip)


def _of_result(
    engine: Engine,
    result_id: str,
    region_id: int,
    question: str,
    bands: bool,
    asked: _Asked,
    progress: Progress,
) -> Description:
    result = engine.store.load(result_id)
    result_id = result.id
    progress(f"measuring {result_id}")
    large = is_large(result)
    if large and (question or bands or asked.other or asked.pairs_within_m is not None):
        require_not_large(result, "a question, bands or distances")
    regions = listed_regions(engine, result)
    other = other_result(engine, result, asked.other) if asked.other else result
    itself = other.id == result.id
    chosen: Sequence[Region] = regions
    if region_id:
        if isinstance(regions, StoredRegions):
            chosen = [regions.by_id(region_id)]
        else:
            chosen = [region for region in regions if region.id == region_id]
        if not chosen:
            known = tuple(region.id for region in regions)
            raise T2SError(
                "region_unknown",
                f"{result_id} has no region {region_id}",
                ids_in_words(known),
                id=region_id,
                known=known,
            )
    engine.require_trust(result)
    looked_at, scale = result.scene.view_area, _stored_scale(result)
    view = None  # read only if pixels are needed: measures are stored
    if question or bands or looked_at is None or scale is None:
        view = view_of(engine, result)
        looked_at, scale = image_area(view), Scale.of(view, result.scene.gsd_m)
    compared = not large and (asked.facts or bool(asked.other) or asked.pairs_within_m is not None)
    with_their_edges = regions_with_edges(engine, result) if compared else ()
    own = [region for region in with_their_edges if not region_id or region.id == region_id]
    others = with_their_edges if itself else regions_with_edges(engine, other)
    nearest = nearest_of(own, others, units=result.units, itself=itself)
    if region_id:
        subject = f"region {region_id} of {result_id}"
        measured = region_facts(chosen[0])
        if asked.other and nearest[0]:
            measured |= _nearest_facts(nearest[0], chosen[0])
    elif not asked.facts:
        subject, measured = result_id, {}
    else:
        subject = result_id
        measured = set_facts(result, regions, looked_at, [name for name in _SUMMED if name in asked.columns])
        if compared:
            rounding = finest_rounding(regions, result.units)
            name, places = ("nearest", (regions, others)) if asked.other else ("nearest_neighbour", None)
            measured |= distance_facts(Distances.of(nearest), name, rounding, places)
    if asked.pairs_within_m is not None:
        measured["pairs_within"] = pairs_within(
            own, others, asked.pairs_within_m, units=result.units, itself=itself and not region_id
        ) - int(itself and bool(region_id))
    if asked.other and not itself and not region_id:
        measured |= difference_facts(result, other)
    labels = region_set(engine, result).labels if bands or (question and region_id) else np.zeros((0, 0), np.int32)
    inside = labels == region_id if region_id else labels > 0
    if bands and inside.any():
        with engine.scene_of(result) as scene:
            measured["bands"] = band_facts(scene, Window(*result.scene.window), inside)
    measured |= scale_facts(scale) | stretch_facts(result.scene.stretch)
    remarks = [scale.remark(result.scene.max_size, windows=result.tiling is not None)]
    if large and not region_id:
        remarks.append("distances between neighbours are not computed for a result of this size")
    if any(remarks):
        measured["remarks"] = [remark for remark in remarks if remark]
    table = None
    if asked.listed:
        table = table_of(
            chosen,
            result.units,
            columns=asked.columns,
            sort_by=asked.sort_by,
            descending=asked.descending,
            first=asked.first,
            skip=asked.skip,
            most=asked.most,
            nearest={each.id: each for each in nearest if each} if asked.other else None,
        )
    crop = _crop(view, inside) if view is not None and region_id else view
    method = f"{result.method}; of distances: {LEVEL_PIXELS}" if result.calibration else result.method
    return _with_claim(engine, subject, measured, method, crop, question, progress, table)


def _stored_scale(result: Record) -> Scale | None:
    """Returns the scale of a result's view from its record; None for older records."""
    reference = result.scene
    shown = reference.scene_px_per_view_px
    enough = result.tiling is not None and bool(result.tiling.chosen_because)
    return None if shown is None else Scale(shown, reference.gsd_m, reference.view_gsd_m, enough)


def _of_image(
    engine: Engine,
    image: Path | str,
    bbox: Sequence[float] | None,
    bbox_crs: str | None,
    question: str,
    bands: bool,
    progress: Progress,
) -> Description:
    progress(f"reading {shown_name(image)}")
    image, shown = picture_named(engine.settings, image)
    with engine.scene(image) as scene:
        where = box_window(scene, bbox, bbox_crs) if bbox and bbox_crs else None
        view = scene.view(window=where, bbox=None if where else bbox, bands=shown, max_size=engine.settings.max_size)
        scale = Scale.of(view, scene.gsd_m)
        units = Units.of(scene.georeference)
        bounds = view.georeference.bounds_lonlat(view.width, view.height)
        measured: dict[str, Any] = {
            "width_px": view.window.width,
            "height_px": view.window.height,
            **scale_facts(scale),
            "crs": scene.georeference.crs_name or None,
            "bounds_lonlat": bounds and [Rounding.of(view.gsd_m or 1.0, METRES).place(value) for value in bounds],
            "valid_share": round(float(view.valid.mean()), 4),
            **sensor_facts(scene),
            **stretch_facts(stretch_record(scene, shown)),
        }
        if units.on_earth:
            measured["image_area_m2"] = _significant_area(image_area(view))
        if bands:
            measured["bands"] = band_facts(scene, view.window, view.valid)
        if remarks := [*filter(None, [scale.remark(engine.settings.max_size)]), *scene.remarks()]:
            measured["remarks"] = remarks
        subject = scene.name + (f" in {list(bbox)}" if bbox else "") + (f" of {bbox_crs}" if where else "")
    return _with_claim(engine, subject, measured, method_of(units), view, question, progress)


def _with_claim(
    engine: Engine,
    subject: str,
    measured: dict[str, Any],
    method: str,
    view: View | None,
    question: str,
    progress: Progress,
    table: Table | None = None,
) -> Description:
    if not question or view is None:
        return Description(subject=subject, method=method, measured=measured, table=table)
    progress(f"asking {engine.settings.prompter}")
    said = engine.models.prompter().tell(view, question)
    return Description(
        subject=subject,
        method=method,
        measured=measured,
        table=table,
        claimed=plain(said, LONGEST_CLAIM),
        claimed_by=engine.settings.prompter,
        question=question,
    )


def scale_facts(scale: Scale) -> dict[str, float | None]:
    """Returns metres per pixel of the scene and of the view that models see, and the length of a view pixel in scene pixels."""
    return {
        "gsd_m": scale.gsd_m and significant(scale.gsd_m, 5),
        "view_gsd_m": scale.view_gsd_m and significant(scale.view_gsd_m, 5),
        "scene_px_per_view_px": significant(scale.scene_px, 5),
    }


def stretch_facts(stretch: StretchRecord | None) -> dict[str, str]:
    """Returns the values that are shown black and white, in the words that name them for another image; empty for 8 bits shown as stored."""
    if stretch is None or (stretch.as_stretch() == IDENTITY and not stretch.named):
        return {}
    return {"stretch": stretch.words + " (named)" * stretch.named}


def sensor_facts(scene: Scene) -> dict[str, Any]:
    """Returns the recognised sensor, by what, and how its values are scaled; empty for an unknown one."""
    if not scene.legend.sensor_words:
        return {}
    return {"sensor": scene.legend.sensor_words, "scaling": list(scene.legend.scaling_words)}


def region_facts(region: Region) -> dict[str, Any]:
    """Returns area, perimeter, position, smallest rectangle, compactness and origin of one region; units in the names."""
    area, length, rounding = region.units.area, region.units.length, region.rounding
    facts = {
        f"area_{area}": rounding.area(region.area.value),
        f"area_pm_{area}": rounding.area(region.area.plus_minus),
        f"perimeter_{length}": rounding.length(region.perimeter.value),
        f"perimeter_pm_{length}": rounding.length(region.perimeter.plus_minus),
        region.units.centroid_key: list(region.centroid),
        "bbox": list(region.bbox),
        "label": region.label,
        "score": region.score,
        "pm_level": level_of(region.calibrated),
    }
    for name, size in (("length", region.length), ("width", region.width)):
        if size is not None:  # a large part of the Earth has no rectangle, and is not flat as compactness assumes
            facts |= {
                f"{name}_{length}": rounding.length(size.value),
                f"{name}_pm_{length}": rounding.length(size.plus_minus),
            }
    optional = {
        "probability": None if region.probability is None else round(region.probability, 3),
        "unsure": region.unsure,
        "orientation_deg_from_north": region.orientation_deg,
        "compactness": None if region.compactness is None else round(region.compactness, 3),
        "touches_edge": region.touches_edge,
        "parts": region.parts,
        "overlaps": list(region.overlaps) or None,
        "seams": list(region.seams) or None,
        "from": [[each.result, each.id] for each in region.sources] or None,
    }
    return facts | {name: value for name, value in optional.items() if value is not None}


def set_facts(
    result: Record, regions: Sequence[Region], looked_at: float, lengths: Sequence[str] = ()
) -> dict[str, Any]:
    """Returns count, total and typical areas with their plus/minus, and the share of the view's area (`looked_at`).

    Each of `lengths` (`length`, `width`, `perimeter`) gets the same statistics as areas.
    `regions.summary` defines the plus/minus of a total, mean and median.
    """
    finest: list[
        Rounding
    ] = []  # of the regions so far: they are gone through once, because they may be read from a file

    def noted() -> Iterator[Region]:
        for region in regions:
            finest[:] = [finest[0].finer(region.rounding) if finest else region.rounding]
            yield region

    summaries = Summary.of_each(noted(), ("area", *lengths))
    rounding = finest[0] if finest else Rounding.of(1.0, result.units)
    facts: dict[str, Any] = {"count": len(regions), "pm_level": pm_level(result)}
    if result.count_low is not None and result.count_high is not None:
        facts["true_count"] = [result.count_low, result.count_high]
    area = result.units.area
    if not regions:
        facts |= {f"total_area_{area}": 0.0, f"total_area_pm_{area}": result.total_area_pm}
    for name in ("area", *lengths):
        summary = summaries.get(name)
        if summary is None:
            continue
        rounded = rounding.area if name == "area" else rounding.length
        # the record's, which is of measures before they were rounded; a calibration may know how much was missed, and how much is false
        total = Measure(result.total_area, result.total_area_pm, area) if name == "area" else summary.total
        shown = {"total": total, "mean": summary.mean, "median": summary.median}
        shown |= {"smallest": summary.smallest.measure, "largest": summary.largest.measure}
        for kind, measure in shown.items():
            facts[f"{kind}_{name}_{measure.unit}"] = rounded(measure.value)
            facts[f"{kind}_{name}_pm_{measure.unit}"] = rounded(measure.plus_minus)
        facts |= {f"smallest_{name}_id": summary.smallest.id, f"largest_{name}_id": summary.largest.id}
    total = Measure(result.total_area, result.total_area_pm, area)
    share = share_of(total, looked_at)
    if share is not None:
        facts |= {
            "share_of_image": significant(share.value, 5),
            "share_of_image_pm": significant(share.plus_minus, 3),
            f"image_area_{area}": _significant_area(looked_at),
        }
        if result.units.on_earth:
            facts["regions_per_hectare"] = significant(len(regions) * M2_PER_HECTARE / looked_at, 5)
    return facts


def distance_facts(
    distances: Distances | None,
    name: str,
    rounding: Rounding,
    places: tuple[Sequence[Region], Sequence[Region]] | None = None,
) -> dict[str, Any]:
    """Returns the distances of regions to their nearest ones, with the ids of the nearest and of the farthest pair.

    `places`: the regions and those that they were compared with, of which the centroids of both pairs are given too.
    """
    if distances is None:
        return {}
    facts: dict[str, Any] = {}
    for kind, each in (("min", distances.smallest), ("median", distances.median), ("max", distances.largest)):
        measure = each.distance if isinstance(each, Nearest) else each
        facts[kind] = rounding.length(measure.value)
        facts[f"{kind}_pm"] = rounding.length(measure.plus_minus)
        if isinstance(each, Nearest):
            facts[f"{kind}_ids"] = [each.id, each.other_id]
            if places:
                pair = zip(places, (each.id, each.other_id), strict=True)
                facts[f"{kind}_at"] = [list(next(r.centroid for r in regions if r.id == id_)) for regions, id_ in pair]
    return {f"{name}_{distances.median.unit}": facts}


def difference_facts(result: Record, other: Record) -> dict[str, Any]:
    """Returns the signed difference of two results' total areas, and whether the plus/minus leaves open which is larger."""
    unit = result.unit_area
    found = Difference.of(
        Measure(result.total_area, result.total_area_pm, unit), Measure(other.total_area, other.total_area_pm, unit)
    )
    return {
        f"difference_{unit}": significant(found.value, 9),
        f"difference_pm_{unit}": significant(found.plus_minus, 9),
        "difference_undecided": found.undecided,
    }


def _nearest_facts(nearest: Nearest, region: Region) -> dict[str, Any]:
    unit, rounding = nearest.distance.unit, region.rounding
    return {
        f"nearest_{unit}": rounding.length(nearest.distance.value),
        f"nearest_pm_{unit}": rounding.length(nearest.distance.plus_minus),
        "nearest_id": nearest.other_id,
    }


def _significant_area(area: float) -> float:
    return significant(area, 7)


def _crop(view: View, inside: np.ndarray) -> View:
    """Returns the part of a View around a region, with a margin of half its size, as a model's picture."""
    region = Mask.of(inside)
    if not region:
        return view
    margin = max(16, (max(region.width, region.height) - 1) // 2)
    left, top, right, bottom = region.bounds
    x0, x1 = max(0, left - margin), min(view.width, right + margin)
    y0, y1 = max(0, top - margin), min(view.height, bottom + margin)
    part = (slice(y0, y1), slice(x0, x1))
    sx, sy = view.window.width / view.width, view.window.height / view.height
    window = Window(
        int(view.window.x + x0 * sx),
        int(view.window.y + y0 * sy),
        max(1, int((x1 - x0) * sx)),
        max(1, int((y1 - y0) * sy)),
    )
    place = view.georeference.resized((x0, y0, x1 - x0, y1 - y0), x1 - x0, y1 - y0)
    return View(np.ascontiguousarray(view.rgb[part]), view.valid[part], place, window, view.gsd_m, view.bands)
