"""The code between nano's eye and its language side can be read back, and tells cells apart."""

import numpy as np
import torch

from training.nano.codes import (
    ANSWERED,
    CENTRE,
    COORDINATES,
    GRID,
    LOUD,
    NUMBERS,
    SOFT,
    WIDTH,
    cell_of,
    coordinate_logits,
    decided,
    lines,
    number_code,
    place_code,
    soft_targets,
)


def test_numbers_are_read_back_from_their_code():
    numbers = torch.tensor([[0.0, 10, 250, 500, 730, 990, 1000, 20]])
    tokens = torch.zeros(1, WIDTH)
    tokens[:, COORDINATES] = SOFT * number_code(numbers).flatten(1)
    assert torch.tensor(NUMBERS)[coordinate_logits(tokens).argmax(-1)].tolist() == numbers.int().tolist()


def test_a_number_between_two_steps_is_shared_by_both():
    target = soft_targets(torch.tensor([125.0]))[0]
    assert target.argmax().item() in (12, 13)
    assert abs(float(target[12] - target[13])) < 1e-6


def test_no_cell_is_taken_for_another():
    likeness = place_code() @ place_code().T
    own = likeness.diagonal()
    others = likeness - torch.diag(own)
    assert float(others.max()) < 0.7 * float(own.min())


def test_lines_are_told_apart_exactly():
    assert torch.equal(lines() @ lines().T, 16 * torch.eye(len(lines())))


def test_a_mind_is_made_up_where_it_leans_and_nothing_else_changes():
    tokens = torch.randn(5, WIDTH)
    tokens[:, CENTRE.start] = LOUD * torch.tensor([-0.2, 0.1, ANSWERED - 0.1, ANSWERED + 0.1, 1.0])
    made = decided(tokens)
    shares = made[:, CENTRE.start] / LOUD
    assert (shares[:3] < 0.15).all()
    assert (shares[3:] > 0.8).all()
    assert shares.tolist() == sorted(shares.tolist())
    assert torch.equal(made[:, CENTRE.stop :], tokens[:, CENTRE.stop :])


def test_a_box_belongs_to_the_cell_of_its_centre():
    boxes = np.array([[0, 0, 10, 10], [990, 990, 1000, 1000], [0, 0, 1000, 1000], [80, 0, 100, 10]], float)
    assert cell_of(boxes).tolist() == [0, GRID * GRID - 1, GRID * GRID // 2 + GRID // 2, 1]
