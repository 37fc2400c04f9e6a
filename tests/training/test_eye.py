"""What the eye is shown and told fits together, however a sample was turned, cut and enlarged."""

import numpy as np
import pytest

from training.nano.codes import GRID, SIDE
from training.nano.eye import BESIDE_WEIGHT, Sample, centred, truth_of, turned, zoomed
from training.nano.questions import CATEGORIES

TANK, WATER = CATEGORIES.index("storage tank"), CATEGORIES.index("water")


def sample_with(box, category=TANK):
    """A white box (x1, y1, x2, y2 in px, multiples of 32) on black, with its truth."""
    x1, y1, x2, y2 = box
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[y1:y2, x1:x2] = 255
    cover = np.zeros((GRID, GRID, 24), np.uint8)
    cover[y1 // 32 : y2 // 32, x1 // 32 : x2 // 32, category] = 255
    points = [x1 + (x2 - x1) / 4, (y1 + y2) / 2, x2 - (x2 - x1) / 4, (y1 + y2) / 2]
    numbers = np.array([[*box, *points]]) * 1000 / SIDE
    return Sample(rgb, cover, np.array([category]), numbers, np.array([1e6 * (x2 - x1) * (y2 - y1) / SIDE**2]))


def white(sample):
    """The bounding box of what is white, in 0..1000."""
    ys, xs = np.nonzero(sample.rgb[..., 0] > 127)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) * 1000 / SIDE


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_box_is_where_its_pixels_went(turn):
    sample = turned(sample_with((64, 96, 256, 160)), turn)
    assert np.allclose(sample.numbers[0, :4], white(sample))
    rows, columns = np.nonzero(sample.cover[..., TANK])
    cells = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) * 1000 / GRID
    assert np.allclose(cells, white(sample))


@pytest.mark.parametrize(("zoom", "left", "top"), [(1.0, 0.5, 0.5), (1.4, 0.0, 0.3), (1.6, 0.2, 0.1)])
def test_a_zoomed_box_is_where_its_pixels_went(zoom, left, top):
    sample = zoomed(sample_with((64, 96, 256, 160)), zoom, left, top)
    assert np.allclose(sample.numbers[0, :4], white(sample), atol=3)
    share = sample.cover[..., TANK].sum() / 255 * (SIDE / GRID) ** 2
    assert share == pytest.approx((sample.rgb[..., 0] > 127).sum(), rel=0.05)


def test_what_is_mostly_outside_of_a_zoom_is_not_asked_for_and_points_stay_inside():
    sample = sample_with((0, 0, 192, 192))
    assert len(zoomed(sample, 2.0, 0.8, 0.8).numbers) == 0
    (numbers,) = zoomed(sample, 2.0, 0.1, 0.1).numbers
    assert ((numbers >= 0) & (numbers <= 1000)).all()


def test_an_object_on_land_hides_the_land_not_the_other_way_round():
    tank, water = sample_with((192, 192, 256, 256)), sample_with((0, 0, 448, 448), WATER)
    both = Sample(
        tank.rgb,
        tank.cover,
        np.array([WATER, TANK]),
        np.concatenate([water.numbers, tank.numbers]),
        np.concatenate([water.area, tank.area]),
    )
    cells, things = centred(both)
    assert cells.tolist() == [7 * GRID + 7]
    assert both.category[things].tolist() == [TANK]


def test_the_cells_around_a_centre_are_told_the_same_numbers_at_less_weight():
    truth = truth_of([sample_with((96, 96, 192, 192))], 0, 0, GRID)
    assert (truth.weight == 1).sum() == 1
    assert (truth.weight == BESIDE_WEIGHT).sum() == 8
    assert (truth.numbers == truth.numbers[0]).all()
    assert truth.centre.sum() == 1


def test_numbers_of_an_object_that_leaves_the_window_are_not_asked_for():
    sample = sample_with((96, 96, 352, 192))
    assert len(truth_of([sample], 0, 0, GRID // 2).at) == 0
    assert len(truth_of([sample], 0, 0, GRID).at) > 0
