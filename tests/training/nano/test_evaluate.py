"""Tests that the questions of the evaluation have a clear answer."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from training.nano.evaluate import BLOCK_PX, FAR_PX, NEAR_PX, dilate, relations
from training.nano.image_tokens import SIDE
from training.nano.pack import Labelled

SHIP, HARBOR = CATEGORIES.index("ship"), CATEGORIES.index("harbor")


def square(x, y, side=16):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def scene(*ships_at):
    """A harbor in the upper left corner and ships in its row, at these distances from it."""
    objects = [(HARBOR, square(0, 0)), *((SHIP, square(16 + x, 0)) for x in ships_at)]
    return Labelled(np.zeros((SIDE, SIDE, 3), np.uint8), objects, [])


def test_a_dilated_mask_extends_by_the_given_distance():
    wide = dilate(square(100, 100, BLOCK_PX), 5 * BLOCK_PX)
    assert wide.sum() == (11 * BLOCK_PX) ** 2
    assert wide[100 - 5 * BLOCK_PX, 100 + 6 * BLOCK_PX - 1]


def test_objects_near_the_landmark_are_separated_from_far_ones():
    (asked,) = relations(iter([scene(NEAR_PX - 1, FAR_PX + 20)]))
    assert asked.near.tolist() == [True, False]
    assert "ships" in asked.question
    assert "harbor" in asked.question
    assert asked.plain == "Find all ships."


@pytest.mark.parametrize("distances", [(10, 20), (200, 300), (10, (NEAR_PX + FAR_PX) // 2), (10,)])
def test_no_question_if_all_or_none_are_near_or_one_is_in_between(distances):
    assert list(relations(iter([scene(*distances)]))) == []
