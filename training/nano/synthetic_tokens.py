"""Samples random objects and the image tokens that encode them, to train the language model without an image encoder.

Reason: nano could not put a box where the image encoder had found an object. To read a question, find the cells of its category, choose
one that was not named yet and copy its numbers is a task that needs no picture. Synthetic tokens (image_tokens.py) train it a hundred
times cheaper than tokens of an image encoder.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evals.questions import CATEGORIES
from training.nano.dialogue import Targets
from training.nano.image_tokens import (
    CENTRE,
    CENTRE_HEIGHT,
    COORDINATE_HEIGHT,
    COORDINATES,
    GRID,
    IS_IMAGE,
    NEAR,
    NEAR_CELLS,
    NEAR_THRESHOLD,
    ONE,
    PLACE,
    WIDTH,
    cell_of,
    number_code,
    place_code,
    read_out,
)

_CELLS = GRID * GRID


def draw_targets(rng: np.random.Generator, *, most: int = 24) -> Targets:
    """Returns random objects: one to six categories, at most one object for a cell, sizes from a car to a stadium."""
    kinds = rng.choice(len(CATEGORIES), rng.integers(1, 7), replace=False)
    count = int(min(rng.geometric(0.12), most))  # small counts are more frequent: they train as well and are shorter
    category = rng.choice(kinds, count)
    scale = np.exp(rng.uniform(np.log(15), np.log(500), len(CATEGORIES)))[category] * rng.uniform(0.7, 1.4, count)
    aspect = np.exp(rng.normal(0, 0.4, count))
    size = np.stack([scale * aspect, scale / aspect], axis=1)
    centre = rng.uniform(0, 1000, (count, 2))
    low, high = np.clip(centre - size / 2, 0, 1000), np.clip(centre + size / 2, 0, 1000)
    box = np.concatenate([low, high], axis=1)
    inside = rng.uniform(0.25, 0.75, (count, 4)) * np.tile(high - low, 2) + np.tile(low, 2)
    cells = cell_of(box)
    _, first = np.unique(cells, return_index=True)  # sorted by cell: reading order
    near = np.zeros((len(first), 24), bool)  # set by draw_tokens
    return Targets(category[first], np.concatenate([box, inside], axis=1)[first], cells[first], near)


def draw_tokens(targets: Targets, rng: np.random.Generator, *, noise: float = 0.15) -> NDArray[np.float32]:
    """Returns image tokens (196, 256) for these objects as a fair image encoder writes them: with noise and some errors."""
    tokens = rng.normal(0, 1, (_CELLS, WIDTH)) * rng.uniform(0, noise)
    tokens[:, PLACE] += place_code().numpy()
    tokens[:, ONE] += 1
    tokens[:, IS_IMAGE] += 1
    cell = 1000 / GRID
    for kind, (x1, y1, x2, y2) in zip(targets.category, targets.numbers[:, :4], strict=True):
        (left, right), (top, bottom) = (
            (max(int(low // cell) - NEAR_CELLS, 0), int(high // cell) + 1 + NEAR_CELLS)
            for low, high in ((x1, x2), (y1, y2))
        )
        square = tokens[:, NEAR.start + kind].reshape(GRID, GRID)[top:bottom, left:right]  # a view
        np.maximum(square, rng.uniform(0.6, 1.0), out=square)
    cells = targets.cells
    tokens[cells, CENTRE.start + targets.category] += CENTRE_HEIGHT * rng.uniform(0.6, 1.0, len(cells))
    # uncertain values below the threshold of an answer, some of them next to objects
    faint = np.concatenate(
        [rng.integers(0, _CELLS, 30), np.clip(cells + rng.choice([-GRID, -1, 1, GRID], len(cells)), 0, _CELLS - 1)]
    )
    half = np.concatenate([rng.integers(0, len(CATEGORIES), 30), targets.category])
    height = CENTRE_HEIGHT * rng.uniform(0, 0.25, len(faint))
    tokens[faint, CENTRE.start + half] = np.maximum(tokens[faint, CENTRE.start + half], height)
    code = number_code(torch.from_numpy(targets.numbers)).flatten(1).numpy()
    tokens[cells, COORDINATES] += COORDINATE_HEIGHT * code * rng.uniform(0.8, 1.05, (len(cells), 1))
    return np.asarray(tokens, dtype=np.float32)


def targets_of(tokens: Tensor, cells: NDArray[np.int64]) -> Targets:
    """Returns the objects that image tokens (K, 256) of the cells (K,) encode."""
    at, category, numbers = (found.numpy() for found in read_out(tokens))
    return Targets(category, numbers.astype(float), cells[at], tokens[at][:, NEAR].numpy() > NEAR_THRESHOLD)


def draw_batch(rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
    """Returns synthetic images: their objects, 24 to 196 of their tokens (size, K, 256), and the cells of these (size, K).

    All cells with objects are included, and some others: short sequences are cheap, and errors among few cells are informative.
    """
    shown = int(rng.choice([24, 48, 96, _CELLS], p=[0.45, 0.3, 0.2, 0.05]))
    targets, tokens, cells = [], [], []
    for _ in range(size):
        each = draw_targets(rng, most=min(shown // 2, 28))
        own = each.cells
        others = rng.permutation(np.setdiff1d(np.arange(_CELLS), own))[: shown - len(own)]
        part = np.sort(np.concatenate([own, others]))
        drawn = torch.from_numpy(draw_tokens(each, rng)[part])
        targets.append(targets_of(drawn, part))
        tokens.append(drawn)
        cells.append(torch.from_numpy(part))
    return targets, torch.stack(tokens), torch.stack(cells)
