"""Initial weights of the first layer's MLP: steps that make a cell's categories certain, and the size of a cell's object."""

import math
from typing import Any

import torch
from torch import nn

from evals.questions import CATEGORIES
from training.nano.image_tokens import (
    ANSWER_THRESHOLD,
    CENTRE,
    CENTRE_HEIGHT,
    CODE,
    COORDINATE_HEIGHT,
    COORDINATES,
    NEAR,
    NEAR_THRESHOLD,
    ONE,
    number_code,
)
from training.nano.word_numbers import LANDMARKS, SIZE

SIZE_HEIGHT = 2.0  # the size in the cell of the largest object
_RAMPS = (0.0, 0.02, 0.04, 0.07, 0.12, 0.2, 0.35, 0.6)  # start of each ramp, for sides in 0..1
_STEEP = 30.0
_CELL_RMS = 0.97  # measured root mean square of the numbers of a cell with an object
_COORDINATE_GROWTH = 3.4  # measured factor by which box and points have grown, because a cell also reads itself


def start_steps(mlp: Any) -> None:
    """Initialises steps that turn a cell's value for a category, and an object's value for what is near, into 0 or a fixed value."""
    centres = [(CENTRE.start + n, slice(ONE, ONE + 1), 1.0) for n in range(len(CATEGORIES))]
    # only for cells with an object: most cells are near something
    nears = [(NEAR.start + n, CENTRE, 0.4) for n in LANDMARKS]
    steps = [
        (
            each,
            CENTRE_HEIGHT * (ANSWER_THRESHOLD - 0.025),
            CENTRE_HEIGHT * (ANSWER_THRESHOLD + 0.025),
            32.0,
            0.45,
            1.056,
        )
        for each in centres
    ]
    # other tokens have more than 1 there and keep it
    steps += [(each, NEAR_THRESHOLD - 0.05, NEAR_THRESHOLD + 0.05, 64.0, 0.16, 1.0) for each in nears]
    for n, ((place, there, share), low, high, steep, height, back) in enumerate(steps):
        for unit, threshold, sign in ((2 * n, low, 1.0), (2 * n + 1, high, -back)):
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[unit] = 0.0
            mlp.gate_proj.weight[unit, place] = steep
            mlp.gate_proj.weight[unit, ONE] = -steep * threshold
            mlp.up_proj.weight[unit, there] = share
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[place, unit] = height * sign


def start_sizes(mlp: Any) -> None:
    """Initialises the size of a cell's object from the sides of its box: the sum of their logarithms, as a sum of ramps."""
    value = torch.linspace(0, 1000, 201)
    codes = number_code(value)
    # a linear function from a number's code to the number, regularised for noise in the code
    straight = torch.linalg.solve(codes.T @ codes + 0.5 * torch.eye(CODE), codes.T @ (value / 1000))
    starts = torch.tensor(_RAMPS)
    side = torch.linspace(0.015, 1, 300)
    ramps = nn.functional.silu(_STEEP / _CELL_RMS * (side[:, None] - starts)) / _CELL_RMS
    wanted = SIZE_HEIGHT / 2 * (1 + side.log() / math.log(1 / 0.015))
    heights = torch.linalg.solve(ramps.T @ ramps + 1e-3 * torch.eye(len(starts)), ramps.T @ wanted)
    low, high = (COORDINATES.start + n * CODE for n in (0, 2))
    for axis in range(2):
        for n, (begin, height) in enumerate(zip(_RAMPS, heights, strict=True)):
            unit = mlp.gate_proj.weight.shape[0] - 1 - axis * len(_RAMPS) - n
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[unit] = 0.0
            for at, sign in ((low, -1), (high, 1)):
                place = at + axis * CODE
                mlp.gate_proj.weight[unit, place : place + CODE] = (
                    sign * _STEEP / COORDINATE_HEIGHT / _COORDINATE_GROWTH * straight
                )
            mlp.gate_proj.weight[unit, ONE] = -_STEEP * begin
            mlp.up_proj.weight[unit, ONE] = 1.0
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[SIZE, unit] = height
