"""How far a predicted and a true mask agree: the only place in evals where intersections, unions and IoU are computed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Box

BoolMask = NDArray[np.bool_]  # (H, W)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two masks on one grid as three areas in pixels: what both have, what is predicted, what is true."""

    intersection: int
    predicted: int
    truth: int

    @property
    def union(self) -> int:
        """Pixels that either mask has."""
        return self.predicted + self.truth - self.intersection


def overlap_of(predicted: BoolMask, truth: BoolMask) -> Overlap:
    """The areas of two masks of one shape; ValueError where the shapes differ."""
    if predicted.shape != truth.shape:
        raise ValueError(f"the masks have shapes {predicted.shape} and {truth.shape}")
    return Overlap(
        int(np.count_nonzero(predicted & truth)), int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    )


def iou(overlap: Overlap, *, both_empty: float = 1.0, epsilon: float = 0.0) -> float:
    """Intersection over union, in 0..1. `both_empty` is the value where neither mask has a pixel.

    `epsilon` is added to the union, as some published code does; it makes a perfect answer a little less than 1.
    """
    return overlap.intersection / (overlap.union + epsilon) if overlap.union else both_empty


def mask_iou(a: BoolMask, b: BoolMask) -> float:
    """Intersection over union of two masks of one shape; two empty masks agree, so 1.0."""
    return iou(overlap_of(a, b))


def boxes_iou(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of one box (4,) x1, y1, x2, y2 with others (N, 4), as (N,); 0 where they do not meet or have no area."""
    sides = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
    inside = sides.prod(1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - inside
    shares: NDArray[np.float64] = np.divide(inside, union, out=np.zeros_like(inside), where=union > 0)
    return shares


def filled_boxes(boxes: Iterable[Box], height: int, width: int) -> BoolMask:
    """The pixels (H, W) whose centres lie in any of the boxes."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    filled = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in boxes:
        rows, columns = np.flatnonzero((y >= y1) & (y < y2)), np.flatnonzero((x >= x1) & (x < x2))
        if len(rows) and len(columns):
            filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return filled
