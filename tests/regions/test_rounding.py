"""Decimals of numbers: as many as the pixel deserves, each worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.regions.rounding import Rounding, with_plus_minus
from t2s_agent.regions.units import METRES, PIXELS

sizes = st.floats(1e-4, 1e5)


@pytest.mark.parametrize(
    ("pixel", "places", "areas", "lengths"),
    [
        (1.0, 7, 2, 2),  # a fiftieth of a metre is 1.8e-7 degrees
        (0.5, 8, 3, 3),  # 9.0e-8 degrees, 0.005 m, 0.0025 m2
        (0.556, 8, 3, 3),
        (0.557, 7, 3, 3),  # 1.0007e-7 degrees
        (0.1, 8, 4, 3),
        (0.001, 10, 8, 5),
        (10.0, 6, 0, 1),
        (1000.0, 6, 0, 0),  # RFC 7946: six decimals are usual
    ],
)
def test_on_earth_decimals_follow_the_pixel(pixel, places, areas, lengths):
    assert Rounding.of(pixel, METRES) == Rounding(places, areas, lengths)


@pytest.mark.parametrize(("pixel", "places", "areas"), [(1.0, 2, 2), (2.0, 2, 2), (0.5, 3, 3), (100.0, 0, 0)])
def test_without_a_place_positions_have_the_decimals_of_lengths(pixel, places, areas):
    assert Rounding.of(pixel, PIXELS) == Rounding(places, areas, places)


@pytest.mark.parametrize("pixel", [0.0, math.nan, math.inf])
def test_a_pixel_without_a_size_deserves_no_decimals(pixel):
    assert Rounding.of(pixel, PIXELS) == Rounding(0, 0, 0)


def test_a_float_holds_no_more_than_fifteen_decimals():
    assert Rounding.of(1e-20, METRES) == Rounding(15, 15, 15)


@given(sizes, st.floats(-1e4, 1e4), st.sampled_from([METRES, PIXELS]))
def test_rounding_moves_a_number_by_less_than_it_says(pixel, value, units):
    rounding = Rounding.of(pixel, units)
    assert abs(rounding.length(value) - value) <= max(pixel / 100, 0.5) + 1e-9
    assert abs(rounding.area(value) - value) <= max(pixel**2 / 100, 0.5) + 1e-9
    if pixel <= 100:
        assert abs(rounding.length(value) - value) <= pixel / 200 + 1e-9
    if pixel <= 10:
        assert abs(rounding.area(value) - value) <= pixel**2 / 200 + 1e-9


def test_a_position_is_never_minus_zero():
    assert math.copysign(1, Rounding(2, 0, 0).place(-0.001)) == 1
    assert Rounding(2, 0, 0).place(13.456) == 13.46


@pytest.mark.parametrize(
    ("area", "length", "areas", "lengths"),
    [
        ((549.4, 25.1), (94.3, 2.2), 2, 2),  # two decimals always
        ((0.0549, 0.0025), (0.94, 0.22), 4, 3),  # two digits of 0.0025, three of 0.940
        ((0.0549, 0.0), (0.0012, 0.5), 4, 5),  # three digits of the values
        ((0.0, 0.0), (math.nan, math.inf), 2, 2),
    ],
)
def test_decimals_that_say_nothing_are_not_shown(area, length, areas, lengths):
    assert Rounding(9, 8, 7).shown(area, length) == Rounding(9, areas, lengths)
    assert Rounding(9, 1, 0).shown(area, length) == Rounding(9, 1, 0)  # never more than the pixel allows


@pytest.mark.parametrize(
    ("value", "plus_minus", "expected"),
    [
        (549.4, 25.1, "549 ± 25"),
        (0.0036, 0.00012, "0.00360 ± 0.00012"),
        (12345.6, 7.8, "12,345.6 ± 7.8"),
        (3.0, 0.0, "3.000 ± 0.000"),
        (0.0, 0.0, "0 ± 0"),
    ],
)
def test_a_number_is_shown_with_two_digits_of_its_plus_minus(value, plus_minus, expected):
    assert with_plus_minus(value, plus_minus) == expected


def test_without_a_plus_minus_two_digits_of_a_hundredth_of_the_value_are_shown():
    assert with_plus_minus(549.4, 0.0) == "549.4 ± 0.0"
    assert with_plus_minus(-549.4, 0.0) == "-549.4 ± 0.0"
    assert with_plus_minus(99.5, 0.0) == "99.50 ± 0.00"  # a hundredth is 0.995
    assert with_plus_minus(0.0, 0.0) == "0 ± 0"
