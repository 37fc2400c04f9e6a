"""The grid over small pictures."""

import numpy as np
import pytest
from PIL import Image
from t2s_agent.tools.grid import with_grid


def shares(x, y):
    return [10 + v for v in x], [50 - v for v in y]


def test_lines_lie_at_the_quarters():
    drawn = np.asarray(with_grid(Image.new("RGB", (400, 320)), shares, located=True)).max(axis=2)
    row = drawn[int(320 * 0.4)]
    assert [int(x) for x in np.flatnonzero(row[70:] > 60) + 70] == [100, 200, 300]
    column = drawn[:, int(400 * 0.4)]
    assert [int(y) for y in np.flatnonzero(column[30:300] > 60) + 30] == [80, 160, 240]


def test_labels_stand_at_the_upper_and_the_left_edge_and_in_two_corners():
    drawn = np.asarray(with_grid(Image.new("RGB", (400, 320)), shares, located=True)).max(axis=2) > 150
    for y, x in ((0, 0), (0, 85), (72, 0), (300, 350)):
        assert drawn[y : y + 20, x : x + 45].any(), (y, x)
    assert not drawn[110:140, 120:180].any()


@pytest.mark.parametrize("size", [(100, 300), (40, 40)])
def test_a_picture_too_small_for_labels_stays_as_it_is(size):
    picture = Image.new("RGB", size)
    assert with_grid(picture, shares, located=True) is picture


def test_a_place_beside_the_earth_has_no_grid():
    picture = Image.new("RGB", (400, 400))
    assert with_grid(picture, lambda x, y: ([float("nan")] * len(x), y), located=True) is picture
