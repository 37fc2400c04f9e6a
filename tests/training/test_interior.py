"""Tests points inside areas against distances counted pixel by pixel, and the parts of a mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.mask import union_of
from training.interior import depth, interior_points, parts_of

areas = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any)


def counted(area):
    """The same distances from all pairs of pixels."""
    wide = np.pad(area, 1)
    outside = np.argwhere(~wide)
    return np.array(
        [
            [np.abs(outside - (y + 1, x + 1)).sum(1).min() * inside for x, inside in enumerate(row)]
            for y, row in enumerate(area)
        ]
    )


@given(area=areas)
def test_depth_is_the_number_of_steps_to_the_outside(area):
    assert (depth(area) == counted(area)).all()


@given(area=areas, count=st.integers(1, 5))
def test_points_lie_inside_and_are_distinct_where_there_is_room(area, count):
    points = interior_points(area, count)
    assert all(area[int(y), int(x)] for x, y in points)
    assert len(set(points)) == min(count, area.sum())


def test_the_first_point_is_the_middle_and_the_second_is_far_from_it():
    area = np.zeros((11, 31), bool)
    area[1:10, 1:30] = True
    first, second = interior_points(area, 2)
    assert first == (15.5, 5.5)
    assert abs(second[0] - first[0]) >= 8
    assert second[1] == 5.5


def test_an_area_with_a_hole_has_no_point_in_the_hole():
    area = np.ones((21, 21), bool)
    area[5:16, 5:16] = False
    assert all(area[int(y), int(x)] for x, y in interior_points(area, 4))


def test_no_area_has_no_point():
    with pytest.raises(ValueError, match="without pixels"):
        interior_points(np.zeros((3, 3), bool), 1)


@given(area=arrays(bool, (9, 9)))
def test_parts_add_up_to_the_area_and_do_not_overlap(area):
    parts = parts_of(area)
    assert (union_of(parts, 9, 9) == area).all()
    assert sum(part.area for part in parts) == area.sum()
    assert [part.area for part in parts] == sorted((part.area for part in parts), reverse=True)


def test_pixels_that_touch_at_a_corner_are_one_part():
    assert len(parts_of(np.eye(4, dtype=bool))) == 1
    apart = np.zeros((4, 4), bool)
    apart[0, 0] = apart[2:, 2:] = True
    assert [part.area for part in parts_of(apart)] == [4, 1]
