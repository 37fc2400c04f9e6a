"""The optimizers and the schedule of the models that are trained with Muon: image encoder and segmenter."""

import math

import torch
from torch import nn


def muon_and_adamw(
    matrices: list[nn.Parameter], model: nn.Module, *, peak: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Returns Muon for these matrices and AdamW for all other weights of the model."""
    ids = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(matrices, lr=peak, momentum=0.95, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.98), weight_decay=weight_decay),
    ]


def warm_up(step: int) -> float:
    """Returns the factor of the learning rate in the first hundred steps."""
    return min(1.0, (step + 1) / 100)


def cosine(step: int, steps: int) -> float:
    """Returns the factor of the learning rate in a step of a run, from 1 down to 0.03."""
    return max(0.03, 0.5 * (1 + math.cos(math.pi * step / steps)))
