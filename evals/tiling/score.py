"""Compares painted objects with the truth: how many there are, and how many are one to one with an object of the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Score:
    """`one_to_one` counts objects of the truth whose best object has them as its best; `lowest_iou` is the lowest IoU among these."""

    found: int
    one_to_one: int
    lowest_iou: float


def scored(truth: NDArray[np.int32], labels: NDArray[np.int32]) -> Score:
    """Of two labels (H, W) with numbers from 1, 0 where there is no object."""
    many = int(labels.max()) + 1
    pairs, shared = np.unique(truth.astype(np.int64) * many + labels, return_counts=True)
    ones, others = pairs // many, pairs % many
    area, own = np.bincount(truth.ravel()), np.bincount(labels.ravel())
    iou = shared / (area[ones] + own[others] - shared)
    iou[(ones == 0) | (others == 0)] = 0
    best: dict[int, tuple[float, int]] = {}
    back: dict[int, tuple[float, int]] = {}
    for one, other, value in zip(ones.tolist(), others.tolist(), iou.tolist(), strict=True):
        if value:
            best[one] = max(best.get(one, (0.0, 0)), (value, other))
            back[other] = max(back.get(other, (0.0, 0)), (value, one))
    mutual = [value for one, (value, other) in best.items() if back[other][1] == one]
    return Score(int(np.count_nonzero(own[1:])), len(mutual), min(mutual, default=0.0))
