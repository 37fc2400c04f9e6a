"""An earlier result corrected, filtered or combined, as a new one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from t2s_agent.bounds import (
    LARGEST_AREA_M2,
    LARGEST_LENGTH_M,
    LONGEST_QUERY,
    MOST_IDS,
    MOST_POINTS,
    demand_amount,
    demand_at_most,
)
from t2s_agent.errors import T2SError
from t2s_agent.instance import Box, Instance, Point
from t2s_agent.mask import Mask, boxes_of
from t2s_agent.models import check_models
from t2s_agent.pipeline.workshop import (
    Clock,
    Progress,
    Workshop,
    asked_prompter,
    checked_question,
    demand_parsable,
    demand_pixels,
    draw_masks,
    drawing_segmenter,
    in_pixels_instead,
    load_segmenter,
    prompted_of,
    region_set,
    silent,
    store_result,
    stored_regions,
    view_of,
)
from t2s_agent.regions import operations
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.lineage import unchanged_ids, with_parents_ids
from t2s_agent.regions.region import RegionSet
from t2s_agent.results.record import Result
from t2s_agent.scene import View
from t2s_agent.text import plain

if TYPE_CHECKING:
    from t2s_agent.prompting.answer import Status

Operation = Literal["union", "intersection", "difference"]


@dataclass(frozen=True, slots=True)
class Refinement:
    """What to do to a result. Points and box are in lon/lat, or in scene pixels where `pixels` says so. Where the image has no
    place on Earth there are only pixels: `within_m` and `smooth_m` then mean pixels of the scene, `min_area_m2` square pixels, and
    the result says so in a warning.

    In this order: `instruction` is reasoned over anew; `box` adds an object; points correct the region that they lie in or next to
    (or add one, where a positive point lies in none); then ids, the other result, nearness, smoothing and area.
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
    min_area_m2: float = 0.0
    smooth_m: float = 0.0
    pixels: bool = False


_NOTHING = Refinement()


def refine(shop: Workshop, result_id: str, how: Refinement, *, progress: Progress = silent) -> Result:
    """A new result from an earlier one, which stays as it is and becomes its parent.

    The View is the parent's; its embedding comes from the cache. Raises `result_unknown`, `region_unknown`, `argument_invalid`,
    and `image_unreadable` where the image is no longer what the parent saw.
    """
    clock = Clock()
    parent = shop.store.load(result_id, shop.owner)
    _demand_sense(how)
    if how.other:
        how = replace(how, other=shop.store.load(how.other, shop.owner).id)
    shop.store.demand_writable()
    progress(f"reading {parent.scene.name}")
    with clock("read"):
        view = view_of(shop, parent)
        regions = region_set(shop, parent)
    labels_before = regions.labels
    prompter, prompted, segmenter = parent.prompter, parent.prompted, parent.segmenter
    query = parent.query
    answered: Status = "not_understood" if parent.status == "not_understood" else "found"
    warnings: list[str] = []
    if how.instruction:
        check_models(shop.settings)
        load_segmenter(shop, clock, progress)
        query = f"{parent.query}; {plain(how.instruction, LONGEST_QUERY)}"
        progress(f"asking {shop.settings.prompter} again")
        with clock("prompt"):
            question = _followed_up(parent, regions, how.instruction, view)
            answer = shop.models.prompter().answer([view], [question])[0]
        demand_parsable(answer, shop.settings.prompter)
        answered = answer.status
        prompter, prompted = asked_prompter(shop), prompted_of(shop, question, answer)
        warnings += answer.warnings
        masks = draw_masks(shop, view, answer.instances, clock, progress)
        regions = build_regions(masks.masks, view, scores=masks.scores, instances=answer.instances)
        demand_pixels(answer, regions, shop.settings.segmenter)
        segmenter = drawing_segmenter(shop)
    if how.box or how.positive or how.negative:
        corrected = _corrected(shop, view, regions, how, clock, progress)
        segmenter = segmenter if corrected is regions else drawing_segmenter(shop)
        regions = corrected
    progress("measuring")
    with clock("operations"):
        regions = _operated(shop, view, regions, how)
    regions = with_parents_ids(regions, unchanged_ids(labels_before, regions.labels))
    parents = (parent.id, how.other) if how.other else (parent.id,)
    warnings += regions.warnings
    if not regions.located:
        warnings += in_pixels_instead(within_m=how.within_m, min_area_m2=how.min_area_m2, smooth_m=how.smooth_m)
    return store_result(
        shop,
        view,
        parent.scene,
        regions,
        query=query,
        operation=_named(how),
        parents=parents,
        parameters=_given(how),
        prompter=prompter,
        segmenter=segmenter,
        prompted=prompted,
        warnings=warnings,
        clock=clock,
        progress=progress,
        answered=answered,
    )


def _corrected(
    shop: Workshop, view: View, regions: RegionSet, how: Refinement, clock: Clock, progress: Progress
) -> RegionSet:
    """Regions after a box and points: each point belongs to the region it lies in, else to the nearest; no region, a new one."""
    positive, negative = (_to_view(view, points, how.pixels) for points in (how.positive, how.negative))
    fresh: list[Instance] = []
    if how.box:
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
                f"the box {list(how.box)} does not meet the view",
                "Give one inside of the result's image",
            )
        fresh.append(Instance(box, positive, negative))
        positive = negative = ()
    masks = operations.masks_of(regions)
    order = [region.id for region in regions.regions]
    touched: dict[int, tuple[list[Point], list[Point]]] = {}
    for point, good in [*((p, True) for p in positive), *((p, False) for p in negative)]:
        owner = _owner_of(regions, point)
        if owner == 0 and good:
            fresh.append(Instance(None, (point,), negative))
        elif owner or regions.regions:
            target = owner or order[_nearest(masks, point)]
            touched.setdefault(target, ([], []))[0 if good else 1].append(point)
    labels = {region.id: region.label for region in regions.regions}
    changed: dict[int, Instance] = {}
    for id_, (good_points, bad_points) in touched.items():
        x1, y1, x2, y2 = masks[order.index(id_)].bounds
        xs, ys = (
            [float(x1), float(x2), *(p[0] for p in good_points)],
            [float(y1), float(y2), *(p[1] for p in good_points)],
        )
        box = (min(xs), min(ys), max(xs), max(ys))
        changed[id_] = Instance(box, tuple(good_points), tuple(bad_points), labels[id_])
    asked = [*changed.values(), *fresh]
    if not asked:
        return regions
    drawn = draw_masks(shop, view, asked, clock, progress)
    scores = [np.nan if region.score is None else region.score for region in regions.regions]
    instances: list[Instance | None] = [region.instance for region in regions.regions]
    for index, id_ in enumerate(changed):
        spot = order.index(id_)
        masks[spot], scores[spot], instances[spot] = drawn.masks[index], float(drawn.scores[index]), changed[id_]
    masks += list(drawn.masks[len(changed) :])
    scores += [float(s) for s in drawn.scores[len(changed) :]]
    instances += fresh
    shown = [each or Instance(None, label=labels.get(order[i], "")) for i, each in enumerate(instances)]
    return build_regions(masks, view, scores=np.array(scores, np.float32), instances=shown)


def _operated(shop: Workshop, view: View, regions: RegionSet, how: Refinement) -> RegionSet:
    """Regions after everything that needs no model."""
    chosen = operations.selected(regions, keep=how.keep, drop=how.drop)
    if how.other:
        other = shop.store.load(how.other, shop.owner)
        if other.located != regions.located:
            raise T2SError(
                "no_georeference", f"{how.other} and the result do not share a ground", "Combine results of one kind"
            )
        others = stored_regions(shop, other)
    else:
        others = ()
    if how.within_m is not None:
        near = operations.within([regions.regions[i] for i in chosen], others, how.within_m, located=regions.located)
        chosen = [chosen[i] for i in near]
    parts = [regions.regions[i] for i in chosen]
    each = operations.masks_of(regions)
    masks = [each[i] for i in chosen]
    if how.operation:
        masks = operations.combined(masks, operations.on_grid(others, view), how.operation)
        if how.operation == "union":
            parts = []
    left = [i for i, mask in enumerate(masks) if mask]  # a difference or intersection may take all of a region
    masks, parts = [masks[i] for i in left], [parts[i] for i in left] if parts else []
    if how.smooth_m:
        masks = operations.smoothed(masks, view, how.smooth_m)
    return build_regions(
        masks,
        view,
        scores=[np.nan if r.score is None else r.score for r in parts],
        instances=[r.instance or Instance(None, label=r.label) for r in parts],
        min_area_m2=how.min_area_m2,
    )


def _demand_sense(how: Refinement) -> None:
    if (how.operation or how.within_m is not None) and not how.other:
        raise T2SError(
            "argument_invalid", "an operation or a distance without another result", "Name the other result by its id"
        )
    if how.other and not how.operation and how.within_m is None:
        raise T2SError("argument_invalid", f"nothing is to be done with {how.other}", "Give an operation or within_m")
    for name, most in (("positive", MOST_POINTS), ("negative", MOST_POINTS), ("keep", MOST_IDS), ("drop", MOST_IDS)):
        demand_at_most(name, getattr(how, name), most)
    demand_at_most("instruction", how.instruction, LONGEST_QUERY)
    demand_amount("within_m", how.within_m or 0.0, LARGEST_LENGTH_M, "metres")
    demand_amount("smooth_m", how.smooth_m, LARGEST_LENGTH_M, "metres")
    demand_amount("min_area_m2", how.min_area_m2, LARGEST_AREA_M2, "square metres")
    for point in (*how.positive, *how.negative):
        if len(point) != 2 or not all(map(math.isfinite, point)):
            raise T2SError("argument_invalid", f"the point {list(point)} is not two numbers", "Give it as lon, lat")
    if how.box is not None and (len(how.box) != 4 or not all(map(math.isfinite, how.box))):
        raise T2SError(
            "bbox_invalid", f"the box {list(how.box)} is not four numbers", "Give west, south, east, north in degrees"
        )
    if replace(how, pixels=False) == _NOTHING:
        raise T2SError(
            "argument_invalid",
            "nothing is to be done",
            "Give points, a box, ids, an operation, a size or an instruction",
        )


def _named(how: Refinement) -> str:
    return "refine " + " ".join(name for name in _given(how) if name != "pixels")


def _given(how: Refinement) -> dict[str, Any]:
    """The fields of a refinement that differ from their defaults: what `refinement_of` needs to make it again."""
    given = {field.name: getattr(how, field.name) for field in fields(how)}
    return {name: value for name, value in given.items() if value != getattr(_NOTHING, name)}


def refinement_of(parameters: Mapping[str, Any]) -> Refinement:
    """The refinement that a record's parameters describe, also where they come from JSON, which knows no tuples."""
    return Refinement(**{name: _tuples(value) for name, value in parameters.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list | tuple) else value


def _followed_up(parent: Result, regions: RegionSet, instruction: str, view: View) -> str:
    """The question of a refinement by words: what was asked, what was found, what is wanted now."""
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
                "bbox_outside", f"the point {list(given)} lies beside the result's view", "Give one inside of it"
            )
    return tuple(moved)


def _owner_of(regions: RegionSet, point: Point) -> int:
    height, width = regions.labels.shape
    return int(regions.labels[min(int(point[1]), height - 1), min(int(point[0]), width - 1)])


def _nearest(masks: Sequence[Mask], point: Point) -> int:
    """The index of the mask that has the pixel nearest to a point, looked for from the nearest boxes on."""
    x, y = point

    def to_box(mask: Mask) -> float:
        x1, y1, x2, y2 = mask.bounds
        return max(x1 + 0.5 - x, 0.0, x - x2 + 0.5) ** 2 + max(y1 + 0.5 - y, 0.0, y - y2 + 0.5) ** 2

    best, found = math.inf, 0
    for index in sorted(range(len(masks)), key=lambda i: to_box(masks[i])):
        mask = masks[index]
        if to_box(mask) >= best:
            break
        ys, xs = np.nonzero(mask.pixels)
        distance = float(np.min((xs + mask.x + 0.5 - x) ** 2 + (ys + mask.y + 0.5 - y) ** 2, initial=math.inf))
        if distance < best:
            best, found = distance, index
    return found
