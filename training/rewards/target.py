"""The truth of a question as tensors on the segmenter's device."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from t2s_agent.errors import T2SError
from training.rewards.asked import Asked


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """`mask` (H, W) bool are the pixels asked for, `counted` (H, W) bool those that count at all; `empty`: nothing is asked for."""

    mask: Tensor
    counted: Tensor
    empty: bool


def target_of(asked: Asked, device: torch.device) -> Target:
    """The truth of a question. Pixels that the dataset leaves open do not count.

    Raises `argument_invalid` where the dataset does not know the truth, or where it has another size than the View.
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
    return Target(torch.from_numpy(mask).to(device), torch.from_numpy(counted).to(device), not mask.any())
