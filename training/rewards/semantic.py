"""The paper's mask reward: the IoU of the union of all masks with the truth."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from training.rewards.masks import Drawn
from training.rewards.target import Target


def unions_of(
    drawn: Iterable[Drawn], wanted: Sequence[Sequence[int]], height: int, width: int, device: torch.device
) -> Tensor:
    """For each completion the union of its masks, bool (G, height, width). `wanted` are the places of each completion's instances."""
    unions = torch.zeros((len(wanted), height, width), dtype=torch.bool, device=device)
    for some in drawn:
        row = {place: index for index, place in enumerate(some.places)}
        for union, places in zip(unions, wanted, strict=True):
            own = [row[place] for place in places if place in row]
            if own:
                union |= some.masks[own].any(0)
    return unions


def union_ious(unions: Tensor, target: Target) -> list[float]:
    """The IoU of each union (G, H, W) with the truth over the pixels that count; 0 where both are empty."""
    predicted = unions & target.counted
    shared = (predicted & target.mask).sum((1, 2))
    together = predicted.sum((1, 2)) + target.mask.sum() - shared
    return (shared / together.clamp(min=1)).tolist()


def mask_reward(iou: float, *, nothing_said: bool, target: Target) -> float:
    """The IoU; where nothing is asked for, 1 for an answer that says that there is nothing, else 0."""
    return float(nothing_said) if target.empty else iou
