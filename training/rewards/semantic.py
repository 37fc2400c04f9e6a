"""The rewards of the union of all masks: its IoU with the truth, as in the paper, or with every object weighing the same."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.rewards.masks import Drawn
from training.rewards.target import Target


def join(unions: Tensor, drawn: Drawn, wanted: Sequence[Sequence[int]]) -> None:
    """Adds masks to the unions of the completions, bool (G, H, W), in place. `wanted` are the places of each completion's instances."""
    row = {place: index for index, place in enumerate(drawn.places)}
    for union, places in zip(unions, wanted, strict=True):
        own = [row[place] for place in places if place in row]
        if own:
            union |= drawn.masks[own].any(0)


def union_ious(unions: Tensor, target: Target) -> list[float]:
    """The IoU of each union (G, H, W) with the truth over the pixels that count; 0 where both are empty."""
    predicted = unions & target.counted
    shared = (predicted & target.mask).sum((1, 2))
    together = predicted.sum((1, 2)) + target.mask.sum() - shared
    return (shared.double() / together.clamp(min=1)).tolist()


def object_ious(unions: Tensor, target: Target) -> list[float]:
    """As `union_ious`, but all objects weigh the same: a car as much as a stadium. A pixel that is not asked for weighs 1.

    A true pixel weighs the objects' mean area over its own object's area (the sum, where objects overlap), so that a missed object
    costs the same share whatever its size, and a perfect answer has 1.
    """
    weights = torch.zeros(target.mask.shape, dtype=torch.float64, device=target.mask.device)
    total = float(target.mask.sum())
    for each in target.objects:
        weights[each.part] += each.pixels * (total / len(target.objects) / each.area)
    found = ((unions & target.mask) * weights).sum((1, 2))
    beyond = (unions & target.counted & ~target.mask).sum((1, 2))
    return (found / (weights.sum() + beyond).clamp(min=1)).tolist()


def mask_reward(score: float, *, nothing_said: bool, target: Target) -> float:
    """The score; where nothing is asked for, 1 for an answer that is the empty list, else 0."""
    if not target.empty:
        return score
    return float(nothing_said)
