"""The reward of boxes: those said are matched with those of the true objects, no segmenter. It is what mask-only rewards are compared with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from training.rewards.matching import matched_by
from training.rewards.target import Object


def box_reward(said: Sequence[Instance], objects: Sequence[Object]) -> float:
    """Twice the sum of the matched boxes' IoUs over the number of boxes on both sides, 0..1; an instance without a box has none."""
    return matched_by(_ious(_said(said), _true(objects))).reward


def _said(instances: Sequence[Instance]) -> NDArray[np.float64]:
    return np.array([each.box or (0.0, 0.0, 0.0, 0.0) for each in instances], float).reshape(-1, 4)


def _true(objects: Sequence[Object]) -> NDArray[np.float64]:
    found = []
    for each in objects:
        ys, xs = np.nonzero(each.pixels.cpu().numpy())
        top, left = each.part[0].start, each.part[1].start
        found.append((left + xs.min(), top + ys.min(), left + xs.max() + 1, top + ys.max() + 1))
    return np.array(found, float).reshape(-1, 4)


def _ious(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(each[:, 2:] - each[:, :2]).prod(-1) for each in (one, other)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))
