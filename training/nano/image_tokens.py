"""The code in which nano's eye speaks to its language side: what each block of an image token's numbers means.

An image token covers one cell of 32 x 32 px of the 448-px image. Its numbers have a fixed meaning, so that
the language side can learn to read from drawn codes before any eye exists, and the eye can learn to write them
without any language.

| block | numbers | meaning |
|---|---|---|
| centre | 24 | one a category: `LOUD` where an object of it has the centre of its box in this cell, else 0 |
| near | 24 | one a category: 1 where something of it lies at most `AROUND` cells from the object with its centre here, or from this cell; else 0 |
| x1, y1, x2, y2, ax, ay, bx, by | 8 x 16 | the object's box and two points inside it, as `number_code` at half height; 0 where none |
| place | 48 | which cell this is: 16 for its row, 16 for its column, each orthogonal to all others, and 16 drawn ones |
| one | 1 | always 1: what keys are measured against |
| words' own | 31 | always 0: what the language side marks its own words with; but `SHOWN`, always 1, tells cells from words |
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evals.questions import CATEGORIES

SIDE = 448  # px; what nano looks at, whatever the View
CELL = 32  # px; patch 16, merge 2
GRID = SIDE // CELL
WIDTH = 256  # of the language side, and so of an image token
STEP = 10  # of the numbers that nano can write: 0, 10 ... 1000, Qwen3-VL's relative frame
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
)  # half periods over 0..1000: the first is unique, the last splits 10
CODE = 2 * len(FREQUENCIES)
FIELDS = ("x1", "y1", "x2", "y2", "ax", "ay", "bx", "by")

CENTRE = slice(0, 24)
NEAR = slice(24, 48)
AROUND = 2  # cells, 64 px
SURELY = 0.5  # what says more than this is near
LOUD = 3.0  # the one number that says what is here must not drown in the 128 that say where
SOFT = 0.5  # height of the coordinates' codes
ANSWERED = 0.38  # of LOUD: a cell that says more than this of a category is an answer to a question for it
COORDINATES = slice(48, 48 + CODE * len(FIELDS))
PLACE = slice(COORDINATES.stop, COORDINATES.stop + 48)
PLACE_HEIGHT = 0.4
ROW = slice(PLACE.start, PLACE.start + 16)
COLUMN = slice(ROW.stop, ROW.stop + 16)
ONE = PLACE.stop
OWN = slice(ONE + 1, WIDTH)
SHOWN = WIDTH - 17

assert len(CATEGORIES) <= 24


def number_code(value: Tensor, frequencies: tuple[float, ...] = FREQUENCIES) -> Tensor:
    """Sines and cosines of numbers in 0..1000: shape (...,) to (..., 2 x frequencies), squared length = their count."""
    angle = value.unsqueeze(-1).float() / 1000 * math.pi * torch.tensor(frequencies, device=value.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def table() -> Tensor:
    """Codes of all numbers that nano can write, (101, 16)."""
    return number_code(torch.tensor(NUMBERS))


@lru_cache(maxsize=1)
def place_code() -> Tensor:
    """The patterns of all cells in reading order, (GRID * GRID, 48): plus or minus `PLACE_HEIGHT`.

    A pattern of row and one of column, so that "the same row" and "further right" are sums, exactly; the drawn rest tells two cells
    from the two others where their rows and columns cross.
    """
    row, column = torch.arange(GRID * GRID) // GRID, torch.arange(GRID * GRID) % GRID
    joint = torch.from_numpy(np.random.default_rng(14).choice([-1.0, 1.0], (GRID * GRID, 16)).astype(np.float32))
    return PLACE_HEIGHT * torch.cat([lines()[row], lines()[column], joint], dim=1)


@lru_cache(maxsize=1)
def lines() -> Tensor:
    """Patterns of plus and minus 1, (15, 16), of the GRID rows or columns and, as the last, of one that is before all."""
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    hadamard = torch.kron(pair, torch.kron(pair, torch.kron(pair, pair)))
    return hadamard[1:]


def coordinate_logits(tokens: Tensor) -> Tensor:
    """What the coordinate blocks say, as logits over `NUMBERS`: (..., WIDTH) to (..., 8, 101)."""
    blocks = tokens[..., COORDINATES].reshape(*tokens.shape[:-1], len(FIELDS), CODE)
    logits: Tensor = 2.0 / SOFT * blocks @ table().T.to(blocks)
    return logits


def read_out(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What image tokens (K, WIDTH) say: which of them (N,) answers which category (N,), with what numbers (N, 8) in 0..1000.

    In the tokens' order. The language side's task and its measure: a faithful answer says these and no others, whatever is
    really there.
    """
    at, category = torch.nonzero(tokens[:, CENTRE][:, : len(CATEGORIES)] > ANSWERED * LOUD, as_tuple=True)
    numbers = torch.tensor(NUMBERS)[coordinate_logits(tokens[at]).argmax(-1)]
    sound = (numbers[:, 2:4] > numbers[:, :2]).all(1)
    return at[sound], category[sound], numbers[sound]


def soft_targets(values: Tensor, spread: float = 0.7) -> Tensor:
    """Numbers in 0..1000 as distributions over `NUMBERS`, a Gaussian of `spread` steps: (...,) to (..., 101)."""
    distance = (values.unsqueeze(-1) - torch.tensor(NUMBERS, dtype=torch.float32, device=values.device)) / STEP
    return torch.softmax(-0.5 * (distance / spread) ** 2, dim=-1)


def cell_of(boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index in reading order of the cell with each box's centre; boxes (N, 4) in 0..1000."""
    column = np.clip((boxes[:, 0] + boxes[:, 2]) / 2 * GRID / 1000, 0, GRID - 1).astype(int)
    row = np.clip((boxes[:, 1] + boxes[:, 3]) / 2 * GRID / 1000, 0, GRID - 1).astype(int)
    return np.asarray(row * GRID + column)
