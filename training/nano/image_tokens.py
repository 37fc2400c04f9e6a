"""Defines the code of nano's image tokens: the meaning of each block of numbers between image encoder and language model.

An image token covers one cell of 32 x 32 px of the 448-px image. Because its numbers have a fixed meaning, the language model can
learn to read synthetic tokens before an image encoder exists, and the image encoder can learn to write them without language.

| block | numbers | meaning |
|---|---|---|
| centre | 24 | one for each category: `CENTRE_HEIGHT` if the centre of an object's box is in this cell, else 0 |
| near | 24 | one for each category: 1 if it occurs at most `NEAR_CELLS` cells from the object with its centre here, or from this cell; else 0 |
| x1, y1, x2, y2, ax, ay, bx, by | 8 x 16 | the object's box and two points inside it, as `number_code` at half height; 0 without an object |
| place | 48 | which cell this is: 16 numbers for its row, 16 for its column, each orthogonal to all others, and 16 random ones |
| one | 1 | always 1: the baseline that attention keys are compared with |
| words' own | 31 | always 0, the language model marks its own words here; except `IS_IMAGE`, always 1, which separates cells from words |
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evals.questions import CATEGORIES

SIDE = 448  # px; side of nano's input, for any size of the View
CELL = 32  # px; patch 16, merge 2
GRID = SIDE // CELL
WIDTH = 256  # of the language model, and so of an image token
STEP = 10  # between the numbers that nano can write: 0, 10 ... 1000, the relative coordinates of Qwen3-VL
NUMBERS = tuple(range(0, 1001, STEP))

FREQUENCIES = (
    1.0,
    2.0,
    3.5,
    6.0,
    10.0,
    17.0,
    29.0,
    50.0,
)  # half periods over 0..1000: the first makes values unique, the last separates steps of 10
CODE = 2 * len(FREQUENCIES)
FIELDS = ("x1", "y1", "x2", "y2", "ax", "ay", "bx", "by")

CENTRE = slice(0, 24)
NEAR = slice(24, 48)
NEAR_CELLS = 2  # cells, 64 px
NEAR_THRESHOLD = 0.5  # a higher value in the near block means near
CENTRE_HEIGHT = 3.0  # high, so that this one number is not lost among the 128 coordinate numbers
COORDINATE_HEIGHT = 0.5  # height of the coordinate codes
ANSWER_THRESHOLD = (
    0.38  # share of CENTRE_HEIGHT; a cell with a higher value for a category is an answer to a question for it
)
COORDINATES = slice(48, 48 + CODE * len(FIELDS))
PLACE = slice(COORDINATES.stop, COORDINATES.stop + 48)
PLACE_HEIGHT = 0.4
ROW = slice(PLACE.start, PLACE.start + 16)
COLUMN = slice(ROW.stop, ROW.stop + 16)
ONE = PLACE.stop
WORD_NUMBERS = slice(ONE + 1, WIDTH)
IS_IMAGE = WIDTH - 17

assert len(CATEGORIES) <= 24


def number_code(value: Tensor, frequencies: tuple[float, ...] = FREQUENCIES) -> Tensor:
    """Returns sines and cosines of numbers in 0..1000: (...,) to (..., 2 x frequencies); the squared length is the number of frequencies."""
    angle = value.unsqueeze(-1).float() / 1000 * math.pi * torch.tensor(frequencies, device=value.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def number_codes() -> Tensor:
    """Returns the codes of all numbers that nano can write, (101, 16)."""
    return number_code(torch.tensor(NUMBERS))


@lru_cache(maxsize=1)
def place_code() -> Tensor:
    """Returns the patterns of all cells in reading order, (GRID * GRID, 48): plus or minus `PLACE_HEIGHT`.

    With one pattern for the row and one for the column, "the same row" and "further right" are exact sums. The random part separates two
    cells from the two others at the crossings of their rows and columns.
    """
    row, column = torch.arange(GRID * GRID) // GRID, torch.arange(GRID * GRID) % GRID
    joint = torch.from_numpy(np.random.default_rng(14).choice([-1.0, 1.0], (GRID * GRID, 16)).astype(np.float32))
    return PLACE_HEIGHT * torch.cat([line_patterns()[row], line_patterns()[column], joint], dim=1)


@lru_cache(maxsize=1)
def line_patterns() -> Tensor:
    """Returns patterns of plus and minus 1, (15, 16), for the GRID rows or columns; the last one stands for "before all"."""
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    hadamard = torch.kron(pair, torch.kron(pair, torch.kron(pair, pair)))
    return hadamard[1:]


def coordinate_logits(tokens: Tensor) -> Tensor:
    """Returns the coordinate blocks as logits over `NUMBERS`: (..., WIDTH) to (..., 8, 101)."""
    blocks = tokens[..., COORDINATES].reshape(*tokens.shape[:-1], len(FIELDS), CODE)
    logits: Tensor = 2.0 / COORDINATE_HEIGHT * blocks @ number_codes().T.to(blocks)
    return logits


def read_out(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decodes image tokens (K, WIDTH): which tokens (N,) are answers for which category (N,), with the numbers (N, 8) in 0..1000.

    In the order of the tokens. This is the training target of the language model: a faithful answer lists exactly these, right or
    wrong.
    """
    at, category = torch.nonzero(
        tokens[:, CENTRE][:, : len(CATEGORIES)] > ANSWER_THRESHOLD * CENTRE_HEIGHT, as_tuple=True
    )
    numbers = torch.tensor(NUMBERS)[coordinate_logits(tokens[at]).argmax(-1)]
    sound = (numbers[:, 2:4] > numbers[:, :2]).all(1)
    return at[sound], category[sound], numbers[sound]


def soft_targets(values: Tensor, spread: float = 0.7) -> Tensor:
    """Returns numbers in 0..1000 as distributions over `NUMBERS`, Gaussians of `spread` steps: (...,) to (..., 101)."""
    distance = (values.unsqueeze(-1) - torch.tensor(NUMBERS, dtype=torch.float32, device=values.device)) / STEP
    return torch.softmax(-0.5 * (distance / spread) ** 2, dim=-1)


def cell_of(boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the index in reading order of the cell with each box's centre; boxes (N, 4) in 0..1000."""
    column = np.clip((boxes[:, 0] + boxes[:, 2]) / 2 * GRID / 1000, 0, GRID - 1).astype(int)
    row = np.clip((boxes[:, 1] + boxes[:, 3]) / 2 * GRID / 1000, 0, GRID - 1).astype(int)
    return np.asarray(row * GRID + column)
