"""Questions that are measured with have an answer that is no matter of opinion."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from training.nano.evaluate import FAR_PX, NEAR_PX, SQUARE, grown, relations
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


def test_a_grown_mask_reaches_as_far_as_it_says():
    wide = grown(square(100, 100, SQUARE), 5 * SQUARE)
    assert wide.sum() == (11 * SQUARE) ** 2
    assert wide[100 - 5 * SQUARE, 100 + 6 * SQUARE - 1]


def test_those_near_are_told_from_those_far():
    (asked,) = relations(iter([scene(NEAR_PX - 1, FAR_PX + 20)]))
    assert asked.near.tolist() == [True, False]
    assert "ships" in asked.question
    assert "harbor" in asked.question
    assert asked.plain == "Find all ships."


@pytest.mark.parametrize("distances", [(10, 20), (200, 300), (10, (NEAR_PX + FAR_PX) // 2), (10,)])
def test_nothing_is_asked_where_all_are_near_or_none_or_one_is_in_between(distances):
    assert list(relations(iter([scene(*distances)]))) == []
