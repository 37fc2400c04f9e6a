"""Set operations and smoothing of regions' pixels. Each returns masks on the View's grid.

Every result is built again with `build_regions`, so that mask, polygon and measures agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely import affinity

from t2s_agent.errors import T2SError
from t2s_agent.mask import EMPTY, Mask, joined, masks_in, union_of
from t2s_agent.regions.build import SAME_IOU
from t2s_agent.regions.grid import masks_in_view
from t2s_agent.regions.polygons import mask_within, trace
from t2s_agent.regions.region import Region, RegionSet, ids_in_words
from t2s_agent.scene.view import View


def masks_of(regions: RegionSet) -> list[Mask]:
    """One mask per region, in the regions' order; empty where no pixel has the region's id."""
    found = masks_in(regions.labels)
    return [found.get(region.id, EMPTY) for region in regions.regions]


def require_known(known: Sequence[int], wanted: Sequence[int]) -> None:
    """Raises `region_unknown`, with the existing ids, where one of `wanted` does not exist."""
    there = set(known)
    for id_ in wanted:
        if id_ not in there:
            raise T2SError(
                "region_unknown", f"there is no region {id_}", ids_in_words(known), id=id_, known=tuple(known)
            )


@dataclass(frozen=True, slots=True)
class Combined:
    """One region of two combined results: its pixels, and the indexes of its source regions.

    `own` is the index in the first result, None where it has none there; `others` are indexes in the second.
    """

    mask: Mask
    own: int | None
    others: tuple[int, ...] = ()


def combined(masks: Sequence[Mask], others: Sequence[Mask], height: int, width: int, operation: str) -> list[Combined]:
    """Regions of two results on one View of `height` x `width`: whole objects, in the order of `masks` and then of `others`.

    `intersection` and `difference` cut each mask by the area of the others; separated parts stay one object, and an object without
    remaining pixels is empty. `union` has all pixels of both: a mask and another with an IoU above `SAME_IOU` are merged; where
    other objects overlap, the smaller one keeps the pixels, and a larger one covered by smaller ones is empty.
    """
    if operation == "union":
        return _union(masks, others, height, width)
    if operation not in ("intersection", "difference"):
        raise T2SError(
            "argument_invalid", f"there is no operation {operation!r}", "Choose from union, intersection, difference"
        )
    area = union_of(others, height, width)
    if operation == "difference":
        return [Combined(mask.where(~area), i) for i, mask in enumerate(masks)]
    near = _near(masks, others)
    return [
        Combined(mask.where(area), i, tuple(k for k in near[i] if mask.shared(others[k])))
        for i, mask in enumerate(masks)
    ]


def _union(masks: Sequence[Mask], others: Sequence[Mask], height: int, width: int) -> list[Combined]:
    left = dict.fromkeys(range(len(others)))
    found: list[Combined] = []
    for i, (mask, near) in enumerate(zip(masks, _near(masks, others), strict=True)):
        same = [k for k in near if k in left and mask.iou(others[k]) > SAME_IOU]
        for k in same:
            del left[k]
        found.append(Combined(joined([mask, *(others[k] for k in same)]), i, tuple(same)))
    found += [Combined(others[k], None, (k,)) for k in left]
    labels = np.zeros((height, width), np.int32)
    for index in sorted(range(len(found)), key=lambda i: -found[i].mask.area):
        found[index].mask.paint(labels, index + 1)
    own = masks_in(labels)
    return [replace(each, mask=own.get(index, EMPTY)) for index, each in enumerate(found, 1)]


def _near(masks: Sequence[Mask], others: Sequence[Mask]) -> list[list[int]]:
    """For each mask the indexes of the others with boxes that intersect its box."""
    found: list[list[int]] = [[] for _ in masks]
    if not masks or not others:
        return found
    one, other = (shapely.box(*np.array([mask.bounds for mask in each], np.float64).T) for each in (masks, others))
    for i, k in shapely.STRtree(other).query(one).T.tolist():
        found[i].append(k)
    return [sorted(each) for each in found]


def smoothed(masks: Sequence[Mask], view: View, radius: float) -> list[Mask]:
    """Masks after opening and closing with a disc: details narrower than twice `radius` (metres, or pixels) are removed.

    A mask that would become empty is not changed.
    """
    done = []
    for mask in masks:
        in_pixels = radius / _pixel_size(view, mask)
        outline = affinity.translate(trace(mask.pixels), mask.x, mask.y)
        shape = outline.buffer(in_pixels).buffer(-2 * in_pixels).buffer(in_pixels)
        done.append(mask_within(shape, view.height, view.width) or mask)
    return done


def on_grid(regions: Sequence[Region], view: View) -> list[Mask]:
    """The mask of each region of any result in a View: the pixels with their centres inside its outline."""
    if view.georeference.located:
        return masks_in_view([region.geometry for region in regions], view)
    sx, sy = view.window.width / view.width, view.window.height / view.height
    pixels = [shapely.transform(r.geometry, lambda p: (p - (view.window.x, view.window.y)) / (sx, sy)) for r in regions]
    return [mask_within(each, view.height, view.width) for each in pixels]


def _pixel_size(view: View, mask: Mask) -> float:
    """The size of a View pixel at a mask, in metres, or in scene pixels without a georeference."""
    x1, y1, x2, y2 = mask.bounds
    here = view.georeference.gsd_m((x1 + x2) / 2, (y1 + y2) / 2) if view.georeference.located else None
    if here is None and view.georeference.located:
        here = view.gsd_m
    return here or math.sqrt(view.window.width * view.window.height / (view.width * view.height))
