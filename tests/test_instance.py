"""One object in different frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.instance import Instance

ONE = Instance((1, 2, 3, 4), ((5, 6),), ((7, 8),), "tank", 0.5)
factor, step = st.floats(0.1, 10), st.floats(-1000, 1000)


def test_x_scales_with_the_first_factor_and_y_with_the_second():
    assert ONE.scaled(10, 100) == Instance((10, 200, 30, 400), ((50, 600),), ((70, 800),), "tank", 0.5)


def test_x_moves_by_the_first_step_and_y_by_the_second():
    assert ONE.moved(10, 100) == Instance((11, 102, 13, 104), ((15, 106),), ((17, 108),), "tank", 0.5)


def test_without_a_box_there_are_points_only():
    points = Instance(None, ((1, 2),))
    assert points.scaled(2, 3) == Instance(None, ((2, 6),))
    assert points.moved(2, 3) == Instance(None, ((3, 5),))


@given(factor, factor, step, step)
def test_converting_to_degrees_and_back_is_the_identity(sx, sy, dx, dy):
    back = ONE.scaled(sx, sy).moved(dx, dy).moved(-dx, -dy).scaled(1 / sx, 1 / sy)
    assert back.box == pytest.approx(ONE.box)
    assert back.positive[0] == pytest.approx(ONE.positive[0])
    assert back.negative[0] == pytest.approx(ONE.negative[0])
