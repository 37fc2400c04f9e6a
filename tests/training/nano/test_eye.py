"""Tests of the image encoder: the target has the smallest loss, and the initial weights do what they should."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.dialogue import fixed_prompt_texts
from training.nano.eye import dense_loss, encode_image
from training.nano.image_tokens import (
    CENTRE,
    CENTRE_HEIGHT,
    COORDINATE_HEIGHT,
    COORDINATES,
    GRID,
    IS_IMAGE,
    NEAR,
    ONE,
    PLACE,
    SIDE,
    WIDTH,
    number_code,
    place_code,
)
from training.nano.imagery import Labels, truth_of
from training.nano.model import build_model, build_tokenizer

TANK, BUILDING = CATEGORIES.index("storage tank"), CATEGORIES.index("building")
CELL, EMPTY = 7 * GRID + 7, 2 * GRID + 2


@pytest.fixture
def truth():
    """One tank, in the middle cell."""
    cover = np.zeros((GRID, GRID, 24), np.uint8)
    cover[7, 7, TANK] = 255
    numbers = np.array([[505.0, 505.0, 565.0, 565.0, 520.0, 535.0, 550.0, 535.0]])
    known = np.ones(24, np.float32)
    known[CATEGORIES.index("plane")] = 0
    return truth_of([Labels(cover, np.array([TANK]), numbers, np.array([3600.0]))], [known])


@pytest.fixture
def tokens(truth):
    """Tokens that encode exactly this truth."""
    tokens = torch.zeros(1, GRID * GRID, WIDTH)
    tokens[..., PLACE] = place_code()
    tokens[..., ONE] = tokens[..., IS_IMAGE] = 1
    tokens[..., CENTRE] = CENTRE_HEIGHT * truth.centre
    tokens[..., NEAR] = truth.near
    image, cell = truth.at.T
    tokens[image, cell, COORDINATES] = COORDINATE_HEIGHT * number_code(truth.numbers).flatten(1)
    return tokens


def cost(tokens, truth):
    return float(dense_loss(tokens, truth)[0])


def test_a_change_of_any_number_of_a_token_increases_the_loss(tokens, truth):
    right = cost(tokens, truth)
    for at, to in (
        ((0, CELL, TANK), 0.0),
        ((0, EMPTY, TANK), CENTRE_HEIGHT),
        ((0, EMPTY, NEAR.start + TANK), 1.0),
        ((0, CELL, PLACE.start), 0.0),
        ((0, CELL, COORDINATES.start), 0.0),
        ((0, EMPTY, IS_IMAGE), 0.0),
    ):
        changed = tokens.clone()
        changed[at] = to
        assert cost(changed, truth) > right


def test_a_wrong_category_costs_more_in_a_cell_with_an_object_than_in_an_empty_cell(tokens, truth):
    there, elsewhere = tokens.clone(), tokens.clone()
    there[0, CELL, BUILDING] = elsewhere[0, EMPTY, BUILDING] = CENTRE_HEIGHT
    assert cost(there, truth) > cost(elsewhere, truth)


def test_categories_that_the_truth_does_not_cover_add_no_loss(tokens, truth):
    changed = tokens.clone()
    changed[0, EMPTY, CATEGORIES.index("plane")] = CENTRE_HEIGHT
    assert cost(changed, truth) == pytest.approx(cost(tokens, truth))


@pytest.fixture(scope="module")
def fresh_encoder():
    torch.manual_seed(0)
    return build_model(build_tokenizer(fixed_prompt_texts())).model.visual.eval()


@torch.inference_mode()
def test_a_fresh_image_encoder_marks_its_tokens_as_cells(fresh_encoder):
    tokens = encode_image(fresh_encoder, torch.rand(1, 3, SIDE, SIDE) * 2 - 1)
    assert tokens[..., IS_IMAGE].mean() == pytest.approx(1, abs=0.2)


@torch.inference_mode()
def test_the_last_block_has_no_effect_at_first_and_can_average_its_surroundings(fresh_encoder):
    black, dot = torch.full((2, 3, SIDE, SIDE), -1.0)
    dot[:, 224:240, 224:240] = 1.0  # of cell 7, 7
    attention = fresh_encoder.blocks[-1].attn.proj

    def difference():
        tokens = encode_image(fresh_encoder, torch.stack([black, dot]))
        return (tokens[1] - tokens[0]).norm(dim=-1).reshape(GRID, GRID)

    before = difference()
    kept = attention.weight.clone()
    assert not kept.any()
    attention.weight.copy_(torch.eye(len(kept)))
    change = (difference() - before).abs()
    attention.weight.copy_(kept)
    assert change[6:9, 6:9].mean() > 3 * change[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
