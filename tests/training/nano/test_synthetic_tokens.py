"""Tests that synthetic tokens encode the objects that were drawn, and what is near them."""

import numpy as np
import torch

from evals.questions import CATEGORIES
from training.nano.dialogue import Targets
from training.nano.image_tokens import GRID, cell_of, read_out
from training.nano.synthetic_tokens import draw_batch, draw_targets, draw_tokens, targets_of

TANK = CATEGORIES.index("storage tank")


def test_decoded_tokens_give_the_objects_that_were_encoded():
    rng = np.random.default_rng(0)
    targets = draw_targets(rng)
    at, category, numbers = read_out(torch.from_numpy(draw_tokens(targets, rng, noise=0.02)))
    assert (at.numpy() == targets.cells).all()
    assert (category.numpy() == targets.category).all()
    wide = (targets.numbers[:, 2:4] - targets.numbers[:, :2]).min(1) > 20
    assert np.abs(numbers.numpy() - targets.numbers)[wide].max() <= 10


def test_synthetic_batches_include_all_cells_with_objects():
    targets, tokens, cells = draw_batch(np.random.default_rng(3), 4)
    assert tokens.shape[:2] == cells.shape
    for each, shown in zip(targets, cells, strict=True):
        assert set(each.cells) <= set(shown.tolist())


def test_a_cell_encodes_what_is_near_its_object():
    rng = np.random.default_rng(0)
    road = CATEGORIES.index("road")
    numbers = np.array([[0, 400, 1000, 460, 100, 430, 900, 430], [500, 500, 540, 540, 510, 510, 530, 530]], float)
    numbers = np.concatenate([numbers, numbers[1:] - 450])
    drawn = Targets(np.array([road, TANK, TANK]), numbers, cell_of(numbers[:, :4]), np.zeros((3, 24), bool))
    said = targets_of(torch.from_numpy(draw_tokens(drawn, rng, noise=0.02)), np.arange(GRID * GRID))
    assert said.near[said.category == TANK, road].tolist() == [False, True]  # in reading order
