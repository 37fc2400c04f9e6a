"""Stage one of nano's prompter: the language side learns to look up and copy, from drawn codes, before any eye exists.

Why: what nano could not do was to put a box where the eye had seen it. Reading a question, finding the cells that hold its
category, choosing one that was not named yet and copying its numbers is an algorithm of its own, which needs no picture. Here
it is learned from image tokens that are drawn, not seen (image_tokens.py), a hundred times cheaper than through an eye.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evals.questions import CATEGORIES
from training.nano.dialogue import Targets
from training.nano.image_tokens import (
    AROUND,
    CENTRE,
    COORDINATES,
    GRID,
    LOUD,
    NEAR,
    ONE,
    PLACE,
    SHOWN,
    SOFT,
    SURELY,
    WIDTH,
    cell_of,
    number_code,
    place_code,
    read_out,
)

_CELLS = GRID * GRID


def draw_targets(rng: np.random.Generator, *, most: int = 24) -> Targets:
    """Objects at random: one to six categories, one object a cell, sizes from a car's to a stadium's."""
    kinds = rng.choice(len(CATEGORIES), rng.integers(1, 7), replace=False)
    count = int(min(rng.geometric(0.12), most))  # few more often than many: they teach as much and are shorter
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
    near = np.zeros((len(first), 24), bool)  # is drawn with the tokens
    return Targets(category[first], np.concatenate([box, inside], axis=1)[first], cells[first], near)


def draw_tokens(targets: Targets, rng: np.random.Generator, *, noise: float = 0.15) -> NDArray[np.float32]:
    """Image tokens (196, 256) as a tolerable eye would write them for these objects: blurred, and with errors of its own."""
    tokens = rng.normal(0, 1, (_CELLS, WIDTH)) * rng.uniform(0, noise)
    tokens[:, PLACE] += place_code().numpy()
    tokens[:, ONE] += 1
    tokens[:, SHOWN] += 1
    cell = 1000 / GRID
    for kind, (x1, y1, x2, y2) in zip(targets.category, targets.numbers[:, :4], strict=True):
        (left, right), (top, bottom) = (
            (max(int(low // cell) - AROUND, 0), int(high // cell) + 1 + AROUND) for low, high in ((x1, x2), (y1, y2))
        )
        square = tokens[:, NEAR.start + kind].reshape(GRID, GRID)[top:bottom, left:right]  # a view
        np.maximum(square, rng.uniform(0.6, 1.0), out=square)
    cells = targets.cells
    tokens[cells, CENTRE.start + targets.category] += LOUD * rng.uniform(0.6, 1.0, len(cells))
    # where the eye half believes in something, next to what it is surer of too: not to be answered
    faint = np.concatenate(
        [rng.integers(0, _CELLS, 30), np.clip(cells + rng.choice([-GRID, -1, 1, GRID], len(cells)), 0, _CELLS - 1)]
    )
    half = np.concatenate([rng.integers(0, len(CATEGORIES), 30), targets.category])
    height = LOUD * rng.uniform(0, 0.25, len(faint))
    tokens[faint, CENTRE.start + half] = np.maximum(tokens[faint, CENTRE.start + half], height)
    code = number_code(torch.from_numpy(targets.numbers)).flatten(1).numpy()
    tokens[cells, COORDINATES] += SOFT * code * rng.uniform(0.8, 1.05, (len(cells), 1))
    return np.asarray(tokens, dtype=np.float32)


def targets_of(tokens: Tensor, cells: NDArray[np.int64]) -> Targets:
    """What image tokens (K, 256) of the cells (K,) say."""
    at, category, numbers = (found.numpy() for found in read_out(tokens))
    return Targets(category, numbers.astype(float), cells[at], tokens[at][:, NEAR].numpy() > SURELY)


def batch_of(rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
    """Drawn images: their objects, 24 to 196 of their tokens (size, K, 256) and the cells of these (size, K).

    All cells with objects are shown and some others: short sequences are cheap, and mistakes among few cells more telling.
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
