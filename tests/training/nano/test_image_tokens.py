"""Tests that the code of image tokens can be decoded and that cells have distinct codes."""

import numpy as np
import torch

from training.nano.image_tokens import (
    COORDINATE_HEIGHT,
    COORDINATES,
    GRID,
    NUMBERS,
    WIDTH,
    cell_of,
    coordinate_logits,
    line_patterns,
    number_code,
    place_code,
    soft_targets,
)


def test_numbers_are_decoded_from_their_code():
    numbers = torch.tensor([[0.0, 10, 250, 500, 730, 990, 1000, 20]])
    tokens = torch.zeros(1, WIDTH)
    tokens[:, COORDINATES] = COORDINATE_HEIGHT * number_code(numbers).flatten(1)
    assert torch.tensor(NUMBERS)[coordinate_logits(tokens).argmax(-1)].tolist() == numbers.int().tolist()


def test_a_number_between_two_steps_is_split_between_both():
    target = soft_targets(torch.tensor([125.0]))[0]
    assert target.argmax().item() in (12, 13)
    assert abs(float(target[12] - target[13])) < 1e-6


def test_place_codes_of_cells_are_distinct():
    likeness = place_code() @ place_code().T
    own = likeness.diagonal()
    others = likeness - torch.diag(own)
    assert float(others.max()) < 0.7 * float(own.min())


def test_line_patterns_are_orthogonal():
    assert torch.equal(line_patterns() @ line_patterns().T, 16 * torch.eye(len(line_patterns())))


def test_a_box_belongs_to_the_cell_of_its_centre():
    boxes = np.array([[0, 0, 10, 10], [990, 990, 1000, 1000], [0, 0, 1000, 1000], [80, 0, 100, 10]], float)
    assert cell_of(boxes).tolist() == [0, GRID * GRID - 1, GRID * GRID // 2 + GRID // 2, 1]
