"""Masks are matched with objects one by one."""

import numpy as np
import pytest

from training.rewards.matching import Areas, matched
from training.rewards.target import Object, Target


def target(*areas):
    none = np.zeros(0, bool)
    return Target(
        none, none, False, tuple(Object((slice(0), slice(0)), none, area) for area in areas)
    )  # only areas are used


def test_the_matching_makes_the_sum_of_ious_largest_and_not_the_first_one():
    shared = np.array(
        [[60, 50], [59, 0]]
    )  # greedily the first mask would take the first object and leave nothing to the second
    found = matched(Areas(shared, np.array([100, 100])), [0, 1], target(100, 100))
    assert found.ious.tolist() == pytest.approx([50 / 150, 59 / 141])


def test_a_mask_or_an_object_too_much_lowers_the_reward():
    areas = Areas(np.array([[100], [0]]), np.array([100, 100]))
    assert matched(areas, [0], target(100)).reward == 1.0
    assert matched(areas, [0, 1], target(100)).reward == pytest.approx(2 / 3)
    two = Areas(np.array([[100, 0]]), np.array([100]))
    assert matched(two, [0], target(100, 100)).reward == pytest.approx(2 / 3)


def test_no_masks_have_no_reward():
    assert matched(Areas.none(0, 1), [], target(100)).reward == 0.0
