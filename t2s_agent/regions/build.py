"""Builds the regions of a result from the masks of instances: resolves overlaps, traces outlines, measures."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask, union_of
from t2s_agent.regions.boundary import Boundary, boundaries_of
from t2s_agent.regions.measure import areas_m2, perimeter_in_pixels, perimeters_on_ground, seam_m
from t2s_agent.regions.neighbours import touching
from t2s_agent.regions.plane import bbox_of, centroids_of
from t2s_agent.regions.polygons import SIMPLIFY_PX, simplified_all, to_lonlat_all, traced_all
from t2s_agent.regions.rectangle import Rectangle, rectangles_in_pixels, rectangles_on_ground
from t2s_agent.regions.region import MOST_REGIONS, Geometry, Measure, Region, RegionSet, Source
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.units import METRES, PIXELS, Units
from t2s_agent.scene.view import Picture, View

SAME_IOU = (
    0.5  # masks with a higher IoU are one object, prompted twice: true for 71 of 75 pairs up to 0.7, false for one
)
Merge = Literal["instances", "union"]


def build_regions(
    masks: Sequence[Mask],
    view: View,
    *,
    scores: Sequence[float] | NDArray[np.float32] = (),
    instances: Sequence[Instance | None] = (),
    names: Sequence[str] = (),
    agreements: Sequence[float | None] = (),
    sources: Sequence[tuple[Source, ...]] = (),
    softness: Sequence[float] | NDArray[np.float32] = (),
    merge: Merge = "instances",
    min_area_m2: float = 0.0,
    simplify_px: float = SIMPLIFY_PX,
) -> RegionSet:
    """The regions of masks in View pixels, with ids from 1 in the order of the masks. Time is linear in the masks' pixels.

    Pixels without data belong to no region. Two masks with an IoU above 0.5 are one object and become one region with the
    `sources` of both. Where other masks overlap, the smaller one keeps the pixels, since it could lose all of them otherwise, and
    both regions list each other in `overlaps`. `union` makes a single region of all masks. Regions smaller than `min_area_m2`
    (square pixels without a georeference) are left out and counted. Labels (`names`) and `agreements` default to those of
    `instances`. Raises `limit_exceeded` for too many regions.
    """
    warnings: list[str] = []
    own = _usable(masks, view, warnings)
    if merge == "union" and own:
        own = [Mask.of(union_of(own, view.height, view.width))]
        scores, instances, names, agreements, softness = (), (), (), (), ()
        sources = (tuple(dict.fromkeys(each for some in sources for each in some)),)
    areas = [mask.area for mask in own]
    duplicates = _duplicates(own, areas, scores, warnings)
    kept = sorted(set(duplicates.values()))
    origins = _origins(duplicates, sources)
    labels = np.zeros((view.height, view.width), np.int32)
    for index in sorted(kept, key=lambda i: -areas[i]):
        own[index].paint(labels, index + 1)
    outlines = traced_all(labels)
    left = [index for index in kept if index + 1 in outlines]
    regions = dict(zip(left, measured_all([outlines[i + 1] for i in left], view, simplify_px), strict=True))
    found: list[Region] = []
    too_small = 0
    ids = np.zeros(len(own) + 1, np.int32)
    for index in kept:
        if index not in regions:
            warnings.append(f"instance {index + 1} has no pixels of its own and is left out")
            continue
        region = regions[index]
        if region is None:
            warnings.append(f"instance {index + 1} has no area on Earth and is left out")
            continue
        if region.area.value < min_area_m2:
            too_small += 1
            continue
        if len(found) == MOST_REGIONS:
            raise T2SError(
                "limit_exceeded",
                f"there are more than {MOST_REGIONS:,} regions",
                "Look at a part of the image with a box, or leave out small regions",
            )
        instance = instances[index] if len(instances) > index else None
        label, agreement = (instance.label, instance.score) if instance else ("", None)
        found.append(
            replace(
                region,
                id=len(found) + 1,
                score=float(scores[index]) if len(scores) > index and np.isfinite(scores[index]) else None,
                instance=instance,
                label=names[index] if len(names) > index else label,
                agreement=agreements[index] if len(agreements) > index else agreement,
                sources=origins.get(index, ()),
                softness=float(softness[index]) if len(softness) > index and np.isfinite(softness[index]) else None,
            )
        )
        ids[index + 1] = len(found)
    overlaps = _overlaps(own, kept, ids)
    return RegionSet(
        tuple(replace(region, overlaps=overlaps[region.id]) if region.id in overlaps else region for region in found),
        ids[labels],
        Units.of(view.georeference),
        tuple(warnings),
        {"min_area_m2": too_small} if too_small else {},
    )


def distinct(
    masks: Sequence[Mask], view: View, scores: Sequence[float] | NDArray[np.float32] = ()
) -> tuple[dict[int, Mask], tuple[str, ...]]:
    """The masks that `build_regions` would make regions of, by their index, without pixels that have no data; and warnings."""
    warnings: list[str] = []
    own = _usable(masks, view, warnings)
    duplicates = _duplicates(own, [mask.area for mask in own], scores, warnings)
    return {index: own[index] for index in sorted(set(duplicates.values()))}, tuple(warnings)


def _usable(masks: Sequence[Mask], view: View, warnings: list[str]) -> list[Mask]:
    """The masks where the View has data and is on the Earth."""
    usable = view.valid
    off_earth = _off_earth(view)
    if off_earth is not None:
        lost = int((union_of(masks, view.height, view.width) & off_earth).sum())
        usable = usable & ~off_earth
        if lost:
            warnings.append(f"{lost} pixels at or beyond the edge of the Earth are left out")
    return [mask.where(usable) for mask in masks] if not usable.all() else list(masks)


def subset(regions: RegionSet, positions: Sequence[int]) -> RegionSet:
    """The regions at these positions, in that order, with new ids from 1."""
    chosen = [regions.regions[i] for i in positions]
    renumbered = np.zeros(max((region.id for region in regions.regions), default=0) + 1, np.int32)
    for number, region in enumerate(chosen, 1):
        renumbered[region.id] = number
    numbered = tuple(
        replace(
            region,
            id=number,
            overlaps=tuple(sorted(int(renumbered[id_]) for id_ in region.overlaps if renumbered[id_])),
        )
        for number, region in enumerate(chosen, 1)
    )
    return replace(regions, regions=numbered, labels=renumbered[regions.labels], total=None, count_range=None)


def _origins(duplicates: Mapping[int, int], sources: Sequence[tuple[Source, ...]]) -> dict[int, tuple[Source, ...]]:
    """For each kept mask its sources and those of its duplicates, its own first."""
    found: dict[int, dict[Source, None]] = {}
    for index, kept in sorted(duplicates.items(), key=lambda pair: pair[0] != pair[1]):
        if len(sources) > index:
            found.setdefault(kept, {}).update(dict.fromkeys(sources[index]))
    return {kept: tuple(each) for kept, each in found.items()}


def _overlaps(masks: Sequence[Mask], kept: Sequence[int], ids: NDArray[np.int32]) -> dict[int, tuple[int, ...]]:
    """For each region that overlaps others, by id: the ids of the regions with masks that share pixels with its mask."""
    shown = [index for index in kept if ids[index + 1]]
    boxes = shapely.box(*np.array([masks[index].bounds for index in shown], np.float64).reshape(-1, 4).T)
    found: dict[int, list[int]] = {}
    first, second = shapely.STRtree(boxes).query(boxes)
    for i, k in zip(first.tolist(), second.tolist(), strict=True):
        if i < k and masks[shown[i]].shared(masks[shown[k]]):
            one, other = int(ids[shown[i] + 1]), int(ids[shown[k] + 1])
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return {id_: tuple(sorted(others)) for id_, others in found.items()}


def _off_earth(view: View) -> NDArray[np.bool_] | None:
    """The pixels (H, W) off the Earth and their neighbours; None where there are none."""
    off_earth = view.georeference.off_earth(view.width, view.height)
    if off_earth is None:
        return None
    wide = np.pad(off_earth, 1)
    return np.asarray(
        np.any([wide[y : y + view.height, x : x + view.width] for y in range(3) for x in range(3)], axis=0)
    )


def measured(
    traced: Geometry,
    view: View,
    *,
    id: int,
    score: float | None = None,
    instance: Instance | None = None,
    label: str = "",
    simplify_px: float = SIMPLIFY_PX,
) -> Region | None:
    """The region of a mask's traced outline; None where it has no area on Earth. The area is that of the unrounded outline."""
    region = measured_all([traced], view, simplify_px)[0]
    own, agreement = (instance.label, instance.score) if instance else ("", None)
    return region and replace(region, id=id, score=score, instance=instance, label=label or own, agreement=agreement)


def measured_all(outlines: Sequence[Geometry], view: Picture, simplify_px: float = SIMPLIFY_PX) -> list[Region | None]:
    """Regions of traced outlines without id, score and label, all measured together: one by one takes six times as long."""
    if not outlines:
        return []
    smooth, boundaries = simplified_all(outlines, simplify_px), boundaries_of(outlines)
    left, top, right, bottom = shapely.bounds(outlines).T
    touching = ((left <= 0) | (top <= 0) | (right >= view.width) | (bottom >= view.height)).tolist()
    parts = shapely.get_num_geometries(outlines).tolist()
    place = view.georeference
    if Units.of(place) == PIXELS:
        around = rectangles_in_pixels(boundaries, view.window.width / view.width, view.window.height / view.height)
        return [
            _in_pixels(outlines[i], smooth[i], boundaries[i], around[i], touching[i], parts[i], view)
            for i in range(len(outlines))
        ]
    exact = to_lonlat_all(outlines, place)
    areas = areas_m2(exact)
    there = np.flatnonzero(areas > 0).tolist()
    pixels = np.sqrt(areas[there] / shapely.area([outlines[i] for i in there])).tolist()
    roundings = [Rounding.of(pixel, METRES) for pixel in pixels]
    perimeters = perimeters_on_ground([boundaries[i] for i in there], place, pixels)
    grounds = to_lonlat_all([smooth[i] for i in there], place, _decimals([outlines[i] for i in there], roundings))
    centres = centroids_of([exact[i] for i in there], pixels)
    rectangles = rectangles_on_ground([boundaries[i] for i in there], place)
    found: list[Region | None] = [None] * len(outlines)
    for index, pixel, rounding, perimeter, ground, centre, rectangle in zip(
        there, pixels, roundings, perimeters, grounds, centres, rectangles, strict=True
    ):
        if seam := seam_m(outlines[index], place, view.width):
            perimeter = replace(perimeter, value=max(0.0, perimeter.value - 2 * seam))
        found[index] = Region(
            0,
            ground,
            Measure(float(areas[index]), perimeter.value * pixel / 2, METRES.area),
            perimeter,
            (rounding.place(centre.x), rounding.place(centre.y)),
            bbox_of(ground),
            pixel=pixel,
            length=rectangle.length if rectangle else None,
            width=rectangle.width if rectangle else None,
            orientation_deg=rectangle.orientation_deg if rectangle else None,
            touches_edge=touching[index],
            parts=parts[index],
        )
    return found


def _decimals(outlines: Sequence[Geometry], roundings: Sequence[Rounding]) -> list[int]:
    """The number of decimals of each outline's corners. Touching outlines have the same number, so that shared edges stay equal."""
    places = [each.places for each in roundings]
    near = touching(outlines).tolist()
    finest = max((places[i] for i in near), default=0)
    for i in near:
        places[i] = finest
    return places


def _in_pixels(
    traced: Geometry,
    smooth: Geometry,
    boundary: Boundary,
    around: Rectangle,
    touches_edge: bool,
    parts: int,
    view: Picture,
) -> Region:
    """A region in pixels of the scene, for a scene without a georeference."""
    sx, sy = view.window.width / view.width, view.window.height / view.height

    def move(points: np.ndarray) -> np.ndarray:
        return np.asarray(points * (sx, sy) + (view.window.x, view.window.y))

    exact, outline = shapely.transform(traced, move), shapely.transform(smooth, move)
    pixel = float(np.sqrt(sx * sy))
    perimeter = perimeter_in_pixels(boundary, sx, sy)
    area = Measure(float(exact.area), perimeter.value * pixel / 2, PIXELS.area)
    spot, rounding = exact.centroid, Rounding.of(pixel, PIXELS)
    return Region(
        0,
        outline,
        area,
        perimeter,
        (rounding.place(spot.x), rounding.place(spot.y)),
        tuple(outline.bounds),
        pixel=pixel,
        length=around.length,
        width=around.width,
        orientation_deg=around.orientation_deg,
        touches_edge=touches_edge,
        parts=parts,
    )


def _duplicates(
    masks: Sequence[Mask],
    areas: Sequence[int],
    scores: Sequence[float] | NDArray[np.float32],
    warnings: list[str],
) -> dict[int, int]:
    """For each mask the index of the mask that is kept for it: its own, or that of the mask it duplicates.

    Of two duplicates the one with the higher score is kept, at equal scores the first. Empty masks are left out.
    """
    order = sorted(range(len(masks)), key=lambda i: (-_score_of(scores, i), i))
    boxes = shapely.box(*np.array([mask.bounds for mask in masks], np.float64).reshape(-1, 4).T)
    tree = shapely.STRtree(boxes)
    sizes = np.asarray(areas, np.int64)
    rank, ranks = np.full(len(masks), -1), itertools.count()  # of kept masks: the order in which they were kept
    kept: dict[int, int] = {}
    for index in order:
        if not areas[index]:
            warnings.append(f"instance {index + 1} has an empty mask")
            continue
        near = tree.query(boxes[index])
        # with other sizes the IoU cannot be above SAME_IOU, even if the larger mask contains the smaller one
        near = near[
            (rank[near] >= 0)
            & (np.minimum(sizes[near], areas[index]) > SAME_IOU * np.maximum(sizes[near], areas[index]))
        ]
        near = near[np.argsort(rank[near])].tolist()
        duplicate = next((k for k in near if _is_duplicate(masks[index], masks[k], areas[index], areas[k])), None)
        kept[index] = index if duplicate is None else duplicate
        if duplicate is None:
            rank[index] = next(ranks)
        else:
            warnings.append(f"instance {index + 1} repeats instance {duplicate + 1} and is left out")
    return kept


def _score_of(scores: Sequence[float] | NDArray[np.float32], index: int) -> float:
    """A mask's score; 0 where the segmenter returned none."""
    return float(scores[index]) if len(scores) > index and not np.isnan(scores[index]) else 0.0


def _is_duplicate(a: Mask, b: Mask, area_a: int, area_b: int) -> bool:
    """Whether the IoU of two masks is above SAME_IOU."""
    shared = a.shared(b)
    return shared > SAME_IOU * (area_a + area_b - shared)
