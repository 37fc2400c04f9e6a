"""The reward of single objects: each predicted mask is matched with at most one true object, so that the sum of IoUs is largest."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from training.rewards.masks import Drawn
from training.rewards.target import Object, Target


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Numbers of pixels of N masks: `shared` (N, T) with each of T objects, and `own` (N,), both int64."""

    shared: NDArray[np.int64]
    own: NDArray[np.int64]

    @classmethod
    def none(cls, masks: int, objects: int) -> "Areas":
        """For masks that are not yet drawn."""
        return cls(np.zeros((masks, objects), np.int64), np.zeros(masks, np.int64))

    def count(self, drawn: Drawn, target: Target) -> None:
        """Puts in the areas of some of the masks, in pixels that count."""
        masks = drawn.masks & target.counted
        self.own[drawn.places] = masks.sum((1, 2)).cpu().numpy()
        if target.objects:
            self.shared[drawn.places] = torch.stack([_shared(masks, each) for each in target.objects], 1).cpu().numpy()


def _shared(masks: Tensor, each: Object) -> Tensor:
    rows, columns = each.part
    shared: Tensor = (masks[:, rows, columns] & each.pixels).sum((1, 2))
    return shared


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """`ious` (n,) of a completion's masks with the objects that they are matched with, 0 for a mask without one; the number of objects."""

    ious: NDArray[np.float64]
    objects: int

    @property
    def reward(self) -> float:
        """Twice the sum of the IoUs over the number of masks and objects: the panoptic quality without its threshold of 0.5."""
        count = len(self.ious) + self.objects
        return float(2 * self.ious.sum() / count) if count else 0.0


def matched(areas: Areas, places: list[int], target: Target) -> Matched:
    """Matches the masks at these places, those of one completion, with the objects (the Hungarian method)."""
    shared = areas.shared[places].astype(float)
    true = np.array([each.area for each in target.objects], float)
    together = areas.own[places][:, None] + true[None, :] - shared
    return matched_by(shared / np.maximum(together, 1))


def matched_by(ious: NDArray[np.float64]) -> Matched:
    """Matches one by one, from the IoU of each thing said with each true one (N, T)."""
    best = np.zeros(len(ious))
    rows, columns = linear_sum_assignment(ious, maximize=True)
    best[rows] = ious[rows, columns]
    return Matched(best, ious.shape[1])
