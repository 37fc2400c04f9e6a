"""Limits of a call's arguments."""

import pytest

from t2s_agent.bounds import LARGEST_AREA_M2, depth_of, require_amount, require_at_most
from t2s_agent.errors import T2SError


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "min_area_m2 = nan is not a number"),
        (-1.0, "min_area_m2 = -1.0 is negative"),
        (float("inf"), "min_area_m2 = inf is too large"),
        (1e16, "min_area_m2 = 1e+16 is too large. Give square metres from 0 to 1e+15"),
    ],
)
def test_the_error_for_an_invalid_size_says_why(value, said):
    with pytest.raises(T2SError) as caught:
        require_amount("min_area_m2", value, LARGEST_AREA_M2, "square metres")
    assert said in str(caught.value)


def test_sizes_from_zero_to_the_earth_are_accepted():
    for value in (0, 1e12, LARGEST_AREA_M2):
        require_amount("min_area_m2", value, LARGEST_AREA_M2, "square metres")


def test_a_list_over_its_bound_is_refused_with_the_bound():
    require_at_most("keep", (1, 2), 2)
    with pytest.raises(T2SError, match=r"limit_exceeded: keep has 3 entries\. Give at most 2"):
        require_at_most("keep", (1, 2, 3), 2)


def test_depth_counts_lists_and_objects_and_stops_beyond_the_bound():
    assert [depth_of(value) for value in (5, [], [[1], 2], {"a": [{}]})] == [0, 1, 2, 3]
    deep = []
    for _ in range(10_000):
        deep = [deep]
    assert depth_of(deep, 16) == 17
