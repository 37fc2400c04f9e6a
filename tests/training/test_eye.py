"""What the eye is to say costs least; a fresh eye marks its tokens as cells, and its last block looks around."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.dialogue import boilerplate
from training.nano.eye import dense_loss, see
from training.nano.image_tokens import (
    CENTRE,
    COORDINATES,
    GRID,
    LOUD,
    NEAR,
    ONE,
    PLACE,
    SHOWN,
    SIDE,
    SOFT,
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
    """What says just that."""
    tokens = torch.zeros(1, GRID * GRID, WIDTH)
    tokens[..., PLACE] = place_code()
    tokens[..., ONE] = tokens[..., SHOWN] = 1
    tokens[..., CENTRE] = LOUD * truth.centre
    tokens[..., NEAR] = truth.near
    image, cell = truth.at.T
    tokens[image, cell, COORDINATES] = SOFT * number_code(truth.numbers).flatten(1)
    return tokens


def cost(tokens, truth):
    return float(dense_loss(tokens, truth)[0])


def test_a_token_that_is_changed_anywhere_costs_more(tokens, truth):
    right = cost(tokens, truth)
    for at, to in (
        ((0, CELL, TANK), 0.0),
        ((0, EMPTY, TANK), LOUD),
        ((0, EMPTY, NEAR.start + TANK), 1.0),
        ((0, CELL, PLACE.start), 0.0),
        ((0, CELL, COORDINATES.start), 0.0),
        ((0, EMPTY, SHOWN), 0.0),
    ):
        changed = tokens.clone()
        changed[at] = to
        assert cost(changed, truth) > right


def test_a_second_category_costs_more_where_an_object_is_than_where_nothing_is(tokens, truth):
    there, elsewhere = tokens.clone(), tokens.clone()
    there[0, CELL, BUILDING] = elsewhere[0, EMPTY, BUILDING] = LOUD
    assert cost(there, truth) > cost(elsewhere, truth)


def test_of_what_the_truth_does_not_speak_of_nothing_is_learned(tokens, truth):
    changed = tokens.clone()
    changed[0, EMPTY, CATEGORIES.index("plane")] = LOUD
    assert cost(changed, truth) == pytest.approx(cost(tokens, truth))


@pytest.fixture(scope="module")
def fresh_eye():
    torch.manual_seed(0)
    return build_model(build_tokenizer(boilerplate())).model.visual.eval()


@torch.inference_mode()
def test_a_fresh_eye_marks_its_tokens_as_cells(fresh_eye):
    tokens = see(fresh_eye, torch.rand(1, 3, SIDE, SIDE) * 2 - 1)
    assert tokens[..., SHOWN].mean() == pytest.approx(1, abs=0.2)


@torch.inference_mode()
def test_the_last_block_begins_silent_and_once_it_speaks_says_what_is_around(fresh_eye):
    black, dot = torch.full((2, 3, SIDE, SIDE), -1.0)
    dot[:, 224:240, 224:240] = 1.0  # of cell 7, 7
    attention = fresh_eye.blocks[-1].attn.proj

    def difference():
        tokens = see(fresh_eye, torch.stack([black, dot]))
        return (tokens[1] - tokens[0]).norm(dim=-1).reshape(GRID, GRID)

    before = difference()
    kept = attention.weight.clone()
    assert not kept.any()
    attention.weight.copy_(torch.eye(len(kept)))
    told = (difference() - before).abs()
    attention.weight.copy_(kept)
    assert told[6:9, 6:9].mean() > 3 * told[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
