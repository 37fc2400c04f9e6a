"""Tests of the image encoder: the target has the smallest loss, and the initial weights do what they should."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.dialogue import fixed_prompt_texts
from training.nano.eye import dense_loss, train
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
    WIDTH,
    number_code,
    place_code,
)
from training.nano.imagery import Labels, Packed, truth_of
from training.nano.model import build_model
from training.nano.pack import pack, procedural
from training.nano.tokenizer import build_tokenizer

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


@pytest.fixture
def packed(tmp_path):
    pack(procedural(range(2)), 2, tmp_path / "packed")
    return Packed.load(tmp_path / "packed")


@pytest.mark.slow
def test_a_run_in_pieces_is_bit_for_bit_the_run_in_one_with_any_number_of_workers(packed, tmp_path, same):
    tokenizer = build_tokenizer(fixed_prompt_texts())
    plan = {"steps": 3, "size": 1, "peak": 1e-3, "whole_from": 1.0, "canvas": False, "seed": 0}

    def run(name, minutes=None, workers=0):
        torch.manual_seed(0)
        visual = build_model(tokenizer).model.visual
        train(visual, [packed], [1.0], {}, tmp_path / name, plan, minutes=minutes, workers=workers)

    run("whole.pt")
    run("parts.pt", minutes=0)
    run("parts.pt", minutes=0, workers=2)
    run("parts.pt")
    assert same(tmp_path / "whole.pt", tmp_path / "parts.pt")
