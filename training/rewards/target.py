"""The truth of a question as tensors on the segmenter's device."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2s_agent.errors import T2SError
from training.rewards.asked import Asked


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One true object: `pixels` (h, w) bool at the slices `part` of the View, and their number."""

    part: tuple[slice, slice]
    pixels: Tensor
    area: int


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """`mask` (H, W) bool are the pixels asked for, `counted` (H, W) bool those that count at all; `empty`: nothing is asked for.

    `objects` are the objects asked for, one by one; none where the recipe's reward does not use them.
    """

    mask: Tensor
    counted: Tensor
    empty: bool
    objects: tuple[Object, ...] = ()


def target_of(asked: Asked, device: torch.device, *, objects: bool = False) -> Target:
    """The truth of a question. Pixels that the dataset leaves open do not count. `objects`: one by one too.

    Raises `argument_invalid` where the dataset does not know the truth or its objects, or where the truth has another size than the
    View.
    """
    truth, view = asked.truth, asked.view
    if not truth.known:
        raise T2SError(
            "argument_invalid",
            f"the dataset does not annotate what {asked.id} asks for",
            "Leave such questions out of training",
        )
    if truth.mask.shape != (view.height, view.width):
        raise T2SError(
            "argument_invalid",
            f"the truth of {asked.id} has {truth.mask.shape[1]} x {truth.mask.shape[0]} px, the View {view.width} x {view.height} px",
            "Resize the truth to the View's pixels",
        )
    counted = np.ones_like(truth.mask) if truth.ignore is None else ~truth.ignore
    mask = truth.mask & counted
    own = _objects(asked, counted, device) if objects and mask.any() else ()
    return Target(torch.from_numpy(mask).to(device), torch.from_numpy(counted).to(device), not mask.any(), own)


def _objects(asked: Asked, counted: NDArray[np.bool_], device: torch.device) -> tuple[Object, ...]:
    if asked.truth.instances is None:
        raise T2SError(
            "argument_invalid",
            f"the dataset of {asked.id} does not know objects one by one",
            "Choose reward.level semantic and reward.weigh pixels",
        )
    own = [mask.where(counted) for mask in asked.truth.instances]
    return tuple(Object(mask.part, torch.from_numpy(mask.pixels).to(device), mask.area) for mask in own if mask)
