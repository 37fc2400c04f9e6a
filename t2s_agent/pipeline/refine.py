"""Corrects, filters or combines an earlier result and stores a new one."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.instance import Box, Point
from t2s_agent.mask import Mask, boxes_of
from t2s_agent.models import check_models
from t2s_agent.pipeline.calibrating import carried, with_own_prompts, with_persons_prompts
from t2s_agent.pipeline.corrections import Corrections, corrected
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.filters import by_ids, filtered
from t2s_agent.pipeline.instructions import parse_instruction
from t2s_agent.pipeline.loading import ids_of, other_result, region_set, regions_with_edges, require_not_large, view_of
from t2s_agent.pipeline.refine_large import is_filtered_in_parts, refine_large
from t2s_agent.pipeline.refinement import Operation, Refinement, given_in, name_of, require_sense
from t2s_agent.pipeline.saving import Saved, prompted_of, prompter_reference, segmenter_reference, store_result
from t2s_agent.pipeline.steps import (
    Clock,
    Progress,
    checked_question,
    draw_masks,
    load_segmenter,
    no_progress,
    read_as_pixels,
    require_parsable,
    require_pixels,
)
from t2s_agent.pipeline.window_accounts import missing_words
from t2s_agent.regions import operations
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.edges import with_edges
from t2s_agent.regions.lineage import of_parent, with_parents
from t2s_agent.regions.region import Region, RegionSet, Source
from t2s_agent.regions.relations import nearest_of
from t2s_agent.regions.units import Units
from t2s_agent.results.record import Record
from t2s_agent.scene import View
from t2s_agent.scene.not_overhead import among
from t2s_agent.text import plain

if TYPE_CHECKING:
    from t2s_agent.prompting.answer import Status


def refine(engine: Engine, result_id: str, how: Refinement, *, progress: Progress = no_progress) -> Record:
    """Refines a result and returns the new record; see `refine_with_picture`."""
    return refine_with_picture(engine, result_id, how, progress=progress).record


def refine_with_picture(engine: Engine, result_id: str, how: Refinement, *, progress: Progress = no_progress) -> Saved:
    """Makes a new result from an earlier one, which stays unchanged and becomes its parent.

    A large result is filtered and sorted part by part (`refine_large`). The View is the parent's; its embedding comes from the cache. Raises `result_unknown`, `region_unknown`, `argument_invalid`,
    and `image_unreadable` where the image is no longer what the parent saw.
    """
    clock = Clock()
    parent = engine.store.load(result_id)
    require_sense(how)
    other = other_result(engine, parent, how.other) if how.other else None
    if other is not None:
        how = replace(how, other=other.id)
    operations.require_known(ids_of(parent), (*how.keep, *how.drop))
    if is_filtered_in_parts(parent):
        return refine_large(engine, parent, how, clock, progress)
    if other is not None:
        require_not_large(other, "a refinement")
    engine.store.require_writable()
    progress(f"reading {parent.scene.name}")
    with clock("read"):
        view = view_of(engine, parent)
        before = region_set(engine, parent)
    regions = of_parent(before, parent.id)
    prompter, prompted, segmenter = parent.prompter, parent.prompted, parent.segmenter
    query = parent.query
    answered: Status = "not_understood" if parent.status == "not_understood" else "found"
    warnings = [*among(parent.warnings)]
    computed = parse_instruction(how.instruction, parent.units)
    if how.instruction:
        query = f"{parent.query}; {plain(how.instruction, LONGEST_QUERY)}"
    if computed is not None:
        warnings.append(f"{plain(how.instruction, 100)!r} was computed from the regions: no model was asked")
        regions = _operated(engine, view, parent, None, regions, Refinement(**asdict(computed)))
    elif how.instruction:
        _require_no_ids(how)
        _require_one_look(parent)
        check_models(engine.settings)
        load_segmenter(engine, clock, progress)
        progress(f"asking {engine.settings.prompter} again")
        with clock("prompt"):
            question = _followed_up(parent, before, how.instruction, view)
            answer = engine.models.prompter().answer([view], [question])[0]
        require_parsable(answer, engine.settings.prompter)
        answered = answer.status
        prompter, prompted = prompter_reference(engine), prompted_of(engine, question, answer)
        warnings += answer.warnings
        masks = draw_masks(engine, view, answer.instances, clock, progress)
        regions = build_regions(
            masks.masks, view, scores=masks.scores, instances=answer.instances, softness=masks.softness
        )
        require_pixels(answer, regions, engine.settings.segmenter)
        segmenter = segmenter_reference(engine)
        regions = with_own_prompts(engine, regions)
        warnings += regions.warnings
    corrections = Corrections.none()
    if how.box or how.positive or how.negative:
        positive, negative = (_to_view(view, points, how.pixels) for points in (how.positive, how.negative))
        uncorrected = regions
        regions, corrections = corrected(
            regions,
            view,
            positive,
            negative,
            _box_in_view(view, how),
            lambda asked: draw_masks(engine, view, asked, clock, progress),
        )
        segmenter = segmenter_reference(engine) if corrections.drawn else segmenter
        regions = carried(with_persons_prompts(engine, regions, corrections.drawn), uncorrected)
        warnings += [*corrections.warnings, *regions.warnings]
    progress("measuring")
    with clock("operations"):
        regions = _operated(engine, view, parent, other, regions, how)
    changes = corrections.changes(regions)
    regions = with_parents(regions, before, parent.id)
    warnings += regions.warnings
    if not regions.units.on_earth:
        warnings += read_as_pixels(
            within_m=how.within_m,
            beyond_m=how.beyond_m,
            min_area_m2=how.min_area_m2,
            max_area_m2=how.max_area_m2,
            min_length_m=how.min_length_m,
            max_length_m=how.max_length_m,
            smooth_m=how.smooth_m,
        )
    reference = parent.scene
    if parent.tiling is not None:  # from here on it is one View
        reference = reference.model_copy(update={"pixels_sha256": view.digest()})
        warnings += missing_words(parent.tiling)
    if other is not None and other.tiling is not None and other.id != parent.id:
        warnings += [f"of {other.id}, which it was combined with: {words}" for words in missing_words(other.tiling)]
    return store_result(
        engine,
        view,
        reference,
        regions,
        query=query,
        operation=name_of(how, computed is not None),
        parents=(parent.id,) if other is None else (parent.id, other.id),
        parameters=given_in(how),
        prompter=prompter,
        segmenter=segmenter,
        prompted=prompted,
        warnings=warnings,
        clock=clock,
        progress=progress,
        answered=answered,
        changes=changes,
        tiling=parent.tiling,
    )


def _require_one_look(parent: Record) -> None:
    """A model cannot look again at all windows of a large scene by an instruction."""
    if parent.tiling is not None:
        raise T2SError(
            "argument_invalid",
            f"{parent.id} was looked at in {parent.tiling.windows} windows, and an instruction asks about one picture",
            "Ask the whole question again, as a new one, or about a part of the image (bbox)",
        )


def _box_in_view(view: View, how: Refinement) -> Box | None:
    """Returns the box in View pixels, clipped to the View. Raises `bbox_outside` if it does not overlap the View."""
    if how.box is None:
        return None
    corners = _to_view(view, ((how.box[0], how.box[1]), (how.box[2], how.box[3])), how.pixels, inside=False)
    (xa, ya), (xb, yb) = corners
    box = (
        max(0.0, min(xa, xb)),
        max(0.0, min(ya, yb)),
        min(float(view.width), max(xa, xb)),
        min(float(view.height), max(ya, yb)),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        raise T2SError(
            "bbox_outside",
            f"the box {list(how.box)} does not overlap the view",
            "Give a box inside the result's image",
        )
    return box


def _operated(
    engine: Engine, view: View, parent: Record, other: Record | None, regions: RegionSet, how: Refinement
) -> RegionSet:
    """Returns the regions after all operations that need no model, in the order that `Refinement` documents."""
    left_out: dict[str, int] = dict(regions.left_out)
    chosen = by_ids(regions, parent.id, how, left_out)
    theirs = region_set(engine, other) if other is not None else None
    if theirs is not None and other is not None and (how.within_m is not None or how.beyond_m is not None):
        own = with_edges(chosen, regions.labels, view.georeference, view.window)
        kept = _by_distance(own, regions_with_edges(engine, other), other.id, regions.units, how, left_out)
        chosen = [region for region in chosen if region.id in kept]
    each = dict(zip((region.id for region in regions.regions), operations.masks_of(regions), strict=True))
    pieces = [_Piece(each[region.id], region, region.sources) for region in chosen]
    warnings: list[str] = []
    if how.operation and theirs is not None and other is not None:
        on_view = operations.masks_of(theirs) if _same_grid(parent, other) else operations.on_grid(theirs.regions, view)
        pieces = _combined(pieces, theirs.regions, on_view, other.id, view, how.operation, warnings)
    masks = [piece.mask for piece in pieces]
    if how.smooth_m:
        masks = operations.smoothed(masks, view, how.smooth_m)
    built = build_regions(
        masks,
        view,
        scores=[np.nan if piece.region.score is None else piece.region.score for piece in pieces],
        instances=[piece.region.instance for piece in pieces],
        names=[piece.region.label for piece in pieces],
        agreements=[piece.region.agreement for piece in pieces],
        sources=[piece.sources for piece in pieces],
    )
    same_grid = theirs is not None and other is not None and _same_grid(parent, other)
    built = carried(built, regions, *([theirs] if theirs is not None and same_grid else []))
    distances: dict[int, float] = {}
    if how.sort_by == "nearest" and theirs is not None and other is not None:
        edges = with_edges(built.regions, built.labels, view.georeference, view.window)
        found = nearest_of(
            edges, regions_with_edges(engine, other), units=built.units, own=_own(built.regions, other.id)
        )
        distances = {nearest.id: nearest.distance.value for nearest in found if nearest}
    left = filtered(replace(built, left_out=left_out), how, distances)
    return replace(left, warnings=(*warnings, *left.warnings))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A region during a refinement: its current pixels, the region that gives its name and score, and its source regions."""

    mask: Mask
    region: Region
    sources: tuple[Source, ...]


def _by_distance(
    regions: Sequence[Region],
    others: Sequence[Region],
    other: str,
    units: Units,
    how: Refinement,
    left_out: dict[str, int],
) -> set[int]:
    """Returns the ids of the regions whose distance to the nearest other region is within the given limits."""
    nearest = nearest_of(regions, others, units=units, own=_own(regions, other))
    found = set()
    for region, each in zip(regions, nearest, strict=True):
        metres = each.distance.value if each else math.inf
        if how.within_m is not None and metres > how.within_m:
            left_out["within_m"] = left_out.get("within_m", 0) + 1
        elif how.beyond_m is not None and metres <= how.beyond_m:
            left_out["beyond_m"] = left_out.get("beyond_m", 0) + 1
        else:
            found.add(region.id)
    return found


def _own(regions: Sequence[Region], other: str) -> list[set[int]]:
    """Returns the ids of each region in another result, because its own source is not its neighbour."""
    return [{source.id for source in region.sources if source.result == other} for region in regions]


def _combined(
    pieces: Sequence[_Piece],
    others: Sequence[Region],
    masks: Sequence[Mask],
    other: str,
    view: View,
    operation: Operation,
    warnings: list[str],
) -> list[_Piece]:
    """Combines regions with those of another result; regions that lose all their pixels are removed."""
    found = []
    for each in operations.combined([piece.mask for piece in pieces], masks, view.height, view.width, operation):
        theirs = tuple(Source(other, others[k].id) for k in each.others)
        own = None if each.own is None else pieces[each.own]
        region = others[each.others[0]] if own is None else own.region
        if own is not None and not region.label and operation == "union" and each.others:
            region = replace(region, label=others[each.others[0]].label)
        sources = tuple(dict.fromkeys((*(own.sources if own else ()), *theirs)))
        if each.mask:
            found.append(_Piece(each.mask, region, sources))
        elif operation == "union" and (own is None or own.mask):
            named = ", ".join(f"{source.id} of {source.result}" for source in sources)
            warnings.append(f"region {named} is covered by smaller regions and left out")
    return found


def _same_grid(parent: Record, other: Record) -> bool:
    """Whether two results have the same View of the same image."""
    a, b = parent.scene, other.scene
    return (a.path, a.window, a.view_size, a.pixels_sha256) == (b.path, b.window, b.view_size, b.pixels_sha256)


def _require_no_ids(how: Refinement) -> None:
    """Refuses ids of the parent together with an instruction for a model, because a model's regions are new."""
    if how.keep or how.drop:
        raise T2SError(
            "argument_invalid",
            f"the instruction {plain(how.instruction, 100)!r} is for a model, and then keep and drop name regions that are gone",
            "Give the ids in a separate call, before or after the instruction",
        )


def _followed_up(parent: Record, regions: RegionSet, instruction: str, view: View) -> str:
    """Returns the question for a refinement by instruction: the earlier question, what was found, and the instruction."""
    boxes = []
    places = boxes_of(regions.labels)
    for region in regions.regions[:20]:
        x1, y1, x2, y2 = places[region.id]
        shares = (x1 / view.width, y1 / view.height, x2 / view.width, y2 / view.height)
        boxes.append(f"{region.id}: " + " ".join(f"{100 * s:.0f}%" for s in shares))
    found = "; ".join(boxes) or "nothing"
    return checked_question(f"{parent.query} (found before, as left, top, right, bottom: {found}). Now: {instruction}")


def _to_view(view: View, points: Sequence[Point], pixels: bool, *, inside: bool = True) -> tuple[Point, ...]:
    """Lon/lat (or scene pixels) to View pixels; `bbox_outside` for a point beside the View, `no_georeference` for degrees without
    a ground.
    """
    if points and not pixels and not view.georeference.located:
        raise T2SError(
            "no_georeference",
            f"{view.georeference.unlocated_because}: {list(points[0])} cannot be degrees of it",
            "Give points and boxes in pixels of the image, and say so (pixels, on the command line --pixels)",
        )
    moved: list[Point] = []
    for lon, lat in points:
        if not pixels:
            x, y = (float(v[0]) for v in view.georeference.from_lonlat(lon, lat))
        else:
            x = (lon - view.window.x) * view.width / view.window.width
            y = (lat - view.window.y) * view.height / view.window.height
        moved.append((x, y))
    for (x, y), given in zip(moved, points, strict=True):
        if inside and not (0 <= x <= view.width and 0 <= y <= view.height):
            raise T2SError(
                "bbox_outside", f"the point {list(given)} is outside the result's view", "Give a point inside it"
            )
    return tuple(moved)
