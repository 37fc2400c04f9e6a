"""A region is the parent's where it has the same pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.regions.lineage import unchanged_ids

grids = arrays(np.uint16, (6, 7), elements=st.integers(0, 5))


def test_a_dropped_region_moves_the_ids_of_those_after_it_and_a_grown_one_is_not_the_same():
    before = np.array([[1, 1, 0, 2], [0, 3, 3, 2]], np.uint16)
    after = np.array([[0, 0, 1, 1], [0, 2, 2, 1]], np.uint16)  # 1 dropped, 2 grew by a pixel, 3 as it was
    assert unchanged_ids(before, after) == {2: 3}


def test_a_region_of_which_a_part_is_left_is_not_the_same():
    before = np.array([[1, 1, 2, 2]], np.uint16)
    assert unchanged_ids(before, np.array([[1, 0, 2, 2]], np.uint16)) == {2: 2}


@given(before=grids, order=st.permutations(range(1, 6)))
def test_new_numbers_are_traced_back_to_the_old_ones(before, order):
    numbers = np.array([0, *order], np.uint32)
    there = [int(i) for i in np.unique(before) if i]
    assert unchanged_ids(before, numbers[before]) == {int(numbers[i]): i for i in there}


@given(before=grids, after=grids)
def test_exactly_the_regions_with_equal_pixels_are_found(before, after):
    same = {
        int(n): int(o)
        for n in np.unique(after)
        for o in np.unique(before)
        if n and o and np.array_equal(after == n, before == o)
    }
    assert unchanged_ids(before, after) == same
