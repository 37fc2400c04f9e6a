"""From an answer's mask and the truth to the row of facts that all protocols are computed from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from evals.datasets.rle import decoded
from evals.datasets.sample import Sample, Truth
from evals.metrics.overlap import BoolMask, Overlap, filled_boxes, overlap_of
from evals.metrics.row import GridFacts
from evals.protocols.grids import ORIGINAL, Grid, resized
from evals.protocols.known import GRIDS
from t2s_agent.instance import Box, Instance


def grid_facts(
    predicted: BoolMask, boxes: Sequence[Box], truth: Truth, grids: dict[str, Grid] = GRIDS
) -> dict[str, GridFacts]:
    """The areas on each grid. `predicted` (h, w) is in View pixels, `boxes` in those of the image, which the truth has too.

    Pixels that the truth leaves open are left out everywhere. True boxes are those of the instances; where the dataset has
    none, the one box of the whole truth.
    """
    height, width = truth.mask.shape
    left_open = truth.ignore
    masks = [filled_boxes(boxes, height, width), filled_boxes(_true_boxes(truth), height, width)]
    facts = {}
    for name, grid in grids.items():
        size = grid.size(height, width)
        own = resized(predicted, *size, corner=grid.corner) if predicted.shape != (height, width) else None
        on_grid = own is None or own.shape == (height, width)
        said = predicted if own is None else own
        if on_grid or grid.kind == "original":
            answer, *filled = (_weighted(each, truth.mask, left_open, grid) for each in (said, *masks))
        else:
            answer = _counted(said, truth.mask, left_open, grid)
            filled = [_weighted(each, truth.mask, left_open, grid) for each in masks]
        pixels = size[0] * size[1] - (grid.area(left_open) if left_open is not None else 0)
        facts[name] = GridFacts(pixels, answer, *filled)
    return facts


def _weighted(mask: BoolMask, truth: BoolMask, left_open: BoolMask | None, grid: Grid) -> Overlap:
    """Areas on a grid of two masks in the image's own pixels."""
    if left_open is not None:
        mask, truth = mask & ~left_open, truth & ~left_open
    if grid == ORIGINAL:
        return overlap_of(mask, truth)
    return Overlap(grid.area(mask & truth), grid.area(mask), grid.area(truth))


def _counted(mask: BoolMask, truth: BoolMask, left_open: BoolMask | None, grid: Grid) -> Overlap:
    """Areas on a grid of a mask that is on it and a truth in the image's own pixels."""
    there = grid.of(truth, *truth.shape)
    if left_open is not None:
        free = ~grid.of(left_open, *truth.shape)
        mask, there = mask & free, there & free
    return overlap_of(mask, there)


def _true_boxes(truth: Truth) -> list[Box]:
    if truth.instances is not None:
        return [(float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in (i.bounds for i in truth.instances)]
    rows, columns = np.flatnonzero(truth.mask.any(1)), np.flatnonzero(truth.mask.any(0))
    if not len(rows):
        return []
    return [(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))]


def boxes_in_image(instances: Sequence[Instance], view: tuple[int, int], image: tuple[int, int]) -> list[Box]:
    """The boxes of instances in View pixels, in the image's. Both sizes are height, width."""
    scaled = [each.scaled(image[1] / view[1], image[0] / view[0]) for each in instances]
    return [each.box for each in scaled if each.box]


def packed(mask: BoolMask) -> dict[str, Any]:
    """A mask (h, w) as COCO's compressed run lengths."""
    found = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode("ascii")}


def unpacked(plain: dict[str, Any]) -> BoolMask:
    """The mask of `packed`."""
    height, width = plain["size"]
    return decoded(dict(plain), height, width, "a stored mask")


def place_of(sample: Sample) -> tuple[str, int, str]:
    """Of a sample: what is asked about, which wording of it this is, and the cluster that it belongs to."""
    facts = sample.metadata
    item, index = str(facts.get("item", sample.id)), int(facts.get("question_index", 0))
    return item, index, str(facts.get("source", sample.image_id))
