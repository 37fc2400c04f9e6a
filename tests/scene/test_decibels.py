"""Radar bands in decibels: what numbers below 0 stand for, and from which stored values they come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.scene.decibels import band_words, bands_behind, decibels, factor_of, parts_of, pictured

bands = st.integers(1, 1024)


@given(band=bands, minus=st.just(0) | bands)
def test_a_number_stands_for_one_band_or_one_difference(band, minus):
    number = decibels(band, minus)
    assert number < 0
    assert parts_of(number) == (band, minus)


def test_each_band_behind_a_picture_is_read_once():
    assert bands_behind((4, 4, 4)) == (4, 4, 4)  # as it was: no decibels
    assert bands_behind((-1, -2, decibels(1, 2))) == (1, 2)
    assert bands_behind((-3, -3, -3)) == (3,)


def test_decibels_by_hand():
    power = np.array([[[1.0, 0.1, 0.0]], [[0.01, 0.1, 0.1]]], np.float32)
    picture = pictured(power, (1, 2), (-1, -2, decibels(1, 2)), 10.0)
    assert picture[0, 0, :2] == pytest.approx([0, -10])
    assert picture[1, 0] == pytest.approx([-20, -10, -10])
    assert picture[2, 0, :2] == pytest.approx([20, 0])
    assert np.isnan(picture[[0, 2], 0, 2]).all()  # no backscatter has no decibels


@pytest.mark.parametrize(
    ("values", "factor"),
    [
        (np.array([[[3, 500]]], np.uint16), 20.0),  # amplitude
        (np.array([[[0.01, 0.3]]], np.float32), 10.0),  # power
        (np.array([[[-20.0, -9.0, 1.0]]], np.float32), 0.0),  # decibels
        (np.array([[[np.nan, 0.1]]], np.float32), 10.0),
    ],
)
def test_stored_values_are_amplitude_power_or_decibels(values, factor):
    assert factor_of(values, np.ones(values.shape[1:], bool)) == factor


def test_fill_in_decibels_is_no_data():
    picture = pictured(np.array([[[-9999.0, -12.0]]], np.float32), (1,), (-1, -1, -1), 0.0)
    assert np.isnan(picture[:, 0, 0]).all()
    assert (picture[:, 0, 1] == -12).all()


def test_words_for_messages():
    assert [band_words(n) for n in (4, -1, decibels(1, 2))] == [
        "band 4", "band 1 in decibels", "band 1 minus band 2 in decibels",
    ]  # fmt: skip
