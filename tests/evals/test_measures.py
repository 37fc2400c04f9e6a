"""The drawn shapes are what they say, and the tables come out."""

import math

import numpy as np
import pytest

from evals.measures import fit, perimeter
from evals.measures.estimators import available, ours
from evals.measures.shapes import MAIN_SHAPES, OTHER_SHAPES, disc, rectangle


@pytest.mark.parametrize("draw", [disc, *MAIN_SHAPES.values(), *OTHER_SHAPES.values()])
def test_a_drawn_shape_covers_its_area_and_has_a_margin(draw):
    draw_shapes = draw(60.0, 17.0, np.random.default_rng(3))
    assert draw_shapes.mask.sum() == pytest.approx(draw_shapes.area, rel=0.01)
    assert not draw_shapes.mask[[0, -1]].any()
    assert not draw_shapes.mask[:, [0, -1]].any()
    assert draw_shapes.length**2 >= 4 * math.pi * draw_shapes.area * 0.999


def test_the_perimeter_of_an_aligned_square_is_exact():
    draw_shapes = rectangle(1)(50.0, 0.0, np.random.default_rng(0))
    assert (draw_shapes.length, draw_shapes.area) == (200, 2500)
    assert ours(draw_shapes.mask).value == pytest.approx(200)


def test_the_alternatives_are_longer_for_a_turned_square():
    mask = rectangle(1)(50.0, 30.0, np.random.default_rng(0)).mask
    assert available()["outline along pixel edges"](mask) > 250
    assert available()["the same, simplified within half a pixel"](mask) > 220


def test_the_table_has_a_row_for_each_shape_and_angle_and_is_reproducible():
    cells = perimeter.measure_cells(seed=1, masks=2, sizes=(8.0,))
    text = perimeter.report(cells)
    assert text == perimeter.report(perimeter.measure_cells(seed=1, masks=2, sizes=(8.0,)))
    assert text.count("\nsquare ") == 10 + 2  # nine angles and any; and what holds, of lengths and of areas
    assert "ours" in text


def test_the_constants_are_near_what_the_fit_gives_for_a_few_shapes():
    constant, cut = fit.fit_constants(fit.draw_shapes(5, 96))
    assert constant == pytest.approx(-0.23, abs=0.25)
    assert cut == pytest.approx(1.08, abs=0.4)
