"""Which masks are near something: within a number of pixels between edges, counted along rows and columns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.datasets.bank import FAR_PX, NEAR_PX
from t2s_agent.mask import Mask, union_of


def grown(mask: NDArray[np.bool_], px: int) -> NDArray[np.bool_]:
    """A mask (H, W) and every pixel that is at most `px` rows and columns from it."""
    wide = mask
    for axis in (0, 1):
        sums = np.cumsum(np.insert(wide, 0, False, axis=axis), axis=axis, dtype=np.int32)
        length = mask.shape[axis]
        low = np.clip(np.arange(length) - px, 0, length)
        high = np.clip(np.arange(length) + px + 1, 0, length)
        wide = np.take(sums, high, axis) > np.take(sums, low, axis)
    return np.asarray(wide)


def near(masks: Sequence[Mask], landmarks: Sequence[Mask], size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Which masks (N,) are near a landmark; None unless some are near, some are far, and none is in between."""
    there = union_of(landmarks, *size)
    around, further = grown(there, NEAR_PX), grown(there, FAR_PX)
    close = np.array([bool(mask.where(around)) for mask in masks])
    far = np.array([not mask.where(further) for mask in masks])
    return close if close.any() and far.any() and (close | far).all() else None
