"""What can be said of a result, a region or a box: measured facts first, then what a model thinks, kept apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.pipeline.band_facts import band_facts
from t2s_agent.pipeline.workshop import (
    Progress,
    Workshop,
    checked_question,
    region_set,
    silent,
    stored_regions,
    view_of,
)
from t2s_agent.regions.measure import METHOD_EARTH, METHOD_PIXELS, compactness, distances, smallest_rectangle
from t2s_agent.regions.region import Region, finest_rounding
from t2s_agent.regions.rounding import Rounding
from t2s_agent.results.record import Result
from t2s_agent.scene import View, Window
from t2s_agent.scene.places import box_window
from t2s_agent.scene.scale import Scale, significant
from t2s_agent.text import one_line, plain

LONGEST_CLAIM = 2_000  # characters of a model's words


class Description(BaseModel):
    """`measured` is what we computed, with units in its names; `claimed` is what a model says, to be taken as such."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    method: str
    measured: dict[str, Any]
    claimed: str = ""
    claimed_by: str = ""
    question: str = ""


def describe(
    shop: Workshop,
    *,
    result_id: str = "",
    region_id: int = 0,
    image: Path | str = "",
    bbox: Sequence[float] | None = None,
    bbox_crs: str | None = None,
    question: str = "",
    progress: Progress = silent,
) -> Description:
    """Describes a stored result, one of its regions, or an image or a box of it, in degrees or in `bbox_crs` (as for `segment`).

    With a `question` the prompter is asked about that part of the picture too. Raises `result_unknown`, `region_unknown`,
    `argument_invalid`, and what opening an image raises.
    """
    if bool(result_id) == bool(image):
        raise T2SError("argument_invalid", "neither or both of a result and an image are named", "Name one of them")
    if region_id and not result_id:
        raise T2SError("argument_invalid", f"region {region_id} of no result", "Name the result that it belongs to")
    if bbox and result_id:
        raise T2SError("argument_invalid", "a box of a result", "Leave the box out, or name an image instead")
    if question:
        question = checked_question(question)
    if result_id:
        return _of_result(shop, result_id, region_id, question, progress)
    return _of_image(shop, image, bbox, bbox_crs, question, progress)


def _of_result(shop: Workshop, result_id: str, region_id: int, question: str, progress: Progress) -> Description:
    result = shop.store.load(result_id, shop.owner)
    result_id = result.id
    progress(f"measuring {result_id}")
    regions = stored_regions(shop, result)
    if region_id:
        chosen = [region for region in regions if region.id == region_id]
        if not chosen:
            ids = ", ".join(str(region.id) for region in regions[:30]) or "none at all"
            raise T2SError("region_unknown", f"{result_id} has no region {region_id}", f"Its regions are {ids}")
        subject = f"region {region_id} of {result_id}"
        measured = region_facts(chosen[0], located=result.located)
    else:
        subject = result_id
        measured = set_facts(result, regions)
    view = view_of(shop, result)
    labels = region_set(shop, result).labels
    inside = labels == region_id if region_id else labels > 0
    if inside.any():
        with shop.scene_of(result) as scene:
            measured["bands"] = band_facts(scene, Window(*result.scene.window), inside)
    scale = Scale.of(view, result.scene.gsd_m)
    measured |= scale_facts(scale)
    if remark := scale.remark(result.scene.max_size):
        measured["remarks"] = [remark]
    crop = _crop(view, inside) if region_id else view
    return _with_claim(shop, subject, measured, result.located, crop, question, progress)


def _of_image(
    shop: Workshop,
    image: Path | str,
    bbox: Sequence[float] | None,
    bbox_crs: str | None,
    question: str,
    progress: Progress,
) -> Description:
    progress(f"reading {one_line(Path(image).name, 255)}")
    with shop.scene(image) as scene:
        where = box_window(scene, bbox, bbox_crs) if bbox and bbox_crs else None
        view = scene.view(window=where, bbox=None if where else bbox, max_size=shop.settings.max_size)
        scale = Scale.of(view, scene.gsd_m)
        located = scene.georeference.located
        bounds = view.georeference.bounds_lonlat(view.width, view.height)
        measured: dict[str, Any] = {
            "width_px": view.window.width,
            "height_px": view.window.height,
            **scale_facts(scale),
            "crs": scene.crs.to_string() if scene.crs else None,
            "bounds_lonlat": bounds and [Rounding.of(view.gsd_m or 1.0, located=True).place(value) for value in bounds],
            "valid_share": round(float(view.valid.mean()), 4),
            "bands": band_facts(scene, view.window, view.valid),
        }
        if remarks := [*filter(None, [scale.remark(shop.settings.max_size)]), *scene.remarks()]:
            measured["remarks"] = remarks
        subject = scene.name + (f" in {list(bbox)}" if bbox else "") + (f" of {bbox_crs}" if where else "")
    return _with_claim(shop, subject, measured, located, view, question, progress)


def _with_claim(
    shop: Workshop,
    subject: str,
    measured: dict[str, Any],
    located: bool,
    view: View,
    question: str,
    progress: Progress,
) -> Description:
    method = METHOD_EARTH if located else METHOD_PIXELS
    if not question:
        return Description(subject=subject, method=method, measured=measured)
    progress(f"asking {shop.settings.prompter}")
    said = shop.models.prompter().tell(view, question)
    return Description(
        subject=subject,
        method=method,
        measured=measured,
        claimed=plain(said, LONGEST_CLAIM),
        claimed_by=shop.settings.prompter,
        question=question,
    )


def scale_facts(scale: Scale) -> dict[str, float | None]:
    """Metres a pixel of the scene and of the view that models look at, and how many scene pixels a view pixel is long."""
    return {
        "gsd_m": scale.gsd_m and significant(scale.gsd_m, 5),
        "view_gsd_m": scale.view_gsd_m and significant(scale.view_gsd_m, 5),
        "scene_px_per_view_px": significant(scale.scene_px, 5),
    }


def region_facts(region: Region, *, located: bool) -> dict[str, Any]:
    """Area, perimeter, place, smallest rectangle and compactness of one region; units in the names."""
    area, length = ("m2", "m") if located else ("px2", "px")
    around, rounding = smallest_rectangle(region.geometry, located=located), region.rounding
    facts = {
        f"area_{area}": rounding.area(region.area.value),
        f"area_pm_{area}": rounding.area(region.area.plus_minus),
        f"perimeter_{length}": rounding.length(region.perimeter.value),
        f"perimeter_pm_{length}": rounding.length(region.perimeter.plus_minus),
        "centroid_lonlat" if located else "centroid_px": list(region.centroid),
        "bbox": list(region.bbox),
        "label": region.label,
        "score": region.score,
    }
    if around is not None:  # a large part of the Earth has no rectangle, and is not flat as compactness takes it
        facts |= {
            "compactness": round(compactness(region.area.value, region.perimeter.value), 3),
            f"length_{length}": rounding.length(around.length),
            f"width_{length}": rounding.length(around.width),
            "orientation_deg_from_north": round(around.orientation_deg, 1) % 180,
        }
    return facts


def set_facts(result: Result, regions: Sequence[Region]) -> dict[str, Any]:
    """Count, total and typical area, and how far regions are from their nearest neighbours."""
    area, length = ("m2", "m") if result.located else ("px2", "px")
    facts: dict[str, Any] = {
        "count": len(regions),
        f"total_area_{area}": result.total_area,
        f"total_area_pm_{area}": result.total_area_pm,
    }
    rounding = finest_rounding(regions, located=result.located)
    if regions:
        sizes = [region.area.value for region in regions]
        facts |= {
            f"smallest_area_{area}": rounding.area(min(sizes)),
            f"median_area_{area}": rounding.area(float(np.median(sizes))),
            f"largest_area_{area}": rounding.area(max(sizes)),
        }
    gaps = distances([region.geometry for region in regions], located=result.located)
    if gaps:
        facts[f"nearest_neighbour_{length}"] = {
            "min": rounding.length(min(gaps)),
            "median": rounding.length(float(np.median(gaps))),
            "max": rounding.length(max(gaps)),
        }
    return facts


def _crop(view: View, inside: np.ndarray) -> View:
    """The part of a View around a region, with a margin of half its size, for a model to look at."""
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
