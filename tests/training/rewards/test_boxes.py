"""Boxes are matched with those of the true objects, without a segmenter."""

import pytest
import torch

from t2s_agent.instance import Instance
from training.rewards.boxes import box_reward
from training.rewards.target import Object


def an_object(x, y, width, height):
    return Object(
        (slice(y, y + height), slice(x, x + width)), torch.ones(height, width, dtype=torch.bool), width * height
    )


OBJECTS = (an_object(10, 20, 40, 30), an_object(100, 100, 20, 20))
EXACT = [Instance((10.0, 20.0, 50.0, 50.0)), Instance((100.0, 100.0, 120.0, 120.0))]


def test_the_exact_boxes_have_1_in_any_order():
    assert box_reward(EXACT, OBJECTS) == pytest.approx(1)
    assert box_reward(EXACT[::-1], OBJECTS) == pytest.approx(1)


def test_a_box_too_few_and_a_box_too_many_cost():
    assert box_reward(EXACT[:1], OBJECTS) == pytest.approx(2 / 3)
    assert box_reward([*EXACT, EXACT[0]], OBJECTS) == pytest.approx(4 / 5)


def test_half_a_box_has_half_of_its_part():
    assert box_reward([Instance((10.0, 20.0, 30.0, 50.0)), EXACT[1]], OBJECTS) == pytest.approx(0.75)


def test_points_without_a_box_and_no_answer_have_nothing():
    assert box_reward([Instance(None, ((20.0, 30.0),))], OBJECTS) == 0
    assert box_reward([], OBJECTS) == 0
