"""Length, width and orientation of ideal shapes, drawn at any angle and place, come back within their plus/minus."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import Point, box
from views.data import cropped, mask_of, view_of

from t2s_agent.regions import rectangle
from t2s_agent.regions.boundary import boundaries_of
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.polygons import mask_within, rasterised, trace
from t2s_agent.regions.rectangle import rectangles_in_pixels


def drawn(shape, length, rng, count=120):
    """Rectangles found around `count` drawings of a shape around (0, 0), and the angle of each, clockwise from up."""
    size = int(length) + 12
    outlines, angles = [], []
    while len(outlines) < count:
        angle = rng.uniform(0, 180)
        placed = affinity.translate(affinity.rotate(shape, angle, (0, 0)), *(size / 2 + rng.random(2)))
        outline = trace(rasterised(placed, size, size))
        if not outline.is_empty:
            outlines.append(outline)
            angles.append((90 + angle) % 180)  # y runs down: what turns from x to y turns clockwise
    return rectangles_in_pixels(boundaries_of(outlines), 1, 1), np.array(angles)


@pytest.mark.parametrize(
    ("length", "width"),
    [(6, 3), (10, 4), (25, 7), (40, 8), (40, 25), (60, 60), (90, 3), (130, 40)],
)
def test_length_and_width_of_drawn_rectangles_are_within_their_plus_minus(length, width):
    found, _ = drawn(box(-length / 2, -width / 2, length / 2, width / 2), length, np.random.default_rng(7))
    off = np.array([(each.length.value - length, each.width.value - width) for each in found])
    bound = np.array([(each.length.plus_minus, each.width.plus_minus) for each in found])
    assert ((abs(off) <= bound).mean(0) >= 0.9).all()
    assert (bound <= 1.2).all()
    if length >= 40:
        assert abs(off[:, 0].mean()) < 0.02 * length
        assert abs(off[:, 1].mean()) < 0.02 * max(width, 5)


@pytest.mark.parametrize("ratio", [1.5, 3])
def test_length_and_width_of_drawn_ellipses_are_within_their_plus_minus(ratio):
    shape = affinity.scale(Point(0, 0).buffer(1, 64), 20, 20 / ratio)
    found, _ = drawn(shape, 40, np.random.default_rng(3))
    off = np.array([(each.length.value - 40, each.width.value - 40 / ratio) for each in found])
    bound = np.array([(each.length.plus_minus, each.width.plus_minus) for each in found])
    assert ((abs(off) <= bound).mean(0) >= 0.9).all()
    assert abs(off.mean(0)).max() < 0.6


def test_the_orientation_is_that_of_the_long_side():
    found, angles = drawn(box(-20, -4, 20, 4), 40, np.random.default_rng(5))
    apart = np.array([each.orientation_deg for each in found]) - angles
    assert np.quantile(abs((apart + 90) % 180 - 90), 0.95) < 1.0


def test_a_shape_with_equal_length_and_width_has_no_orientation():
    found, _ = drawn(box(-10, -10, 10, 10), 20, np.random.default_rng(5))
    assert np.mean([each.orientation_deg is None for each in found]) > 0.98


def test_a_bar_that_runs_north_and_one_that_runs_east():
    view = view_of()
    north, east = build_regions(cropped([mask_of(view, 5, 5, 9, 35), mask_of(view, 20, 5, 50, 9)]), view).regions
    assert (north.length.value, north.width.value) == pytest.approx((15, 2), rel=1e-3)  # 30 x 4 pixels of half a metre
    assert min(north.orientation_deg, 180 - north.orientation_deg) < 1.0
    assert east.orientation_deg == pytest.approx(90, abs=1.0)
    assert north.compactness == pytest.approx(4 * np.pi * 30 / 34**2, rel=0.01)


def test_without_a_georeference_lengths_are_in_pixels_and_directions_from_the_top():
    view = view_of(crs=None)
    bar = build_regions(cropped([mask_of(view, 20, 5, 50, 9)]), view).regions[0]
    assert (bar.length.value, bar.width.value, bar.length.unit) == (30, 4, "px")
    assert bar.orientation_deg == 90


def test_on_the_ground_a_pixel_of_degrees_is_narrower_than_high():
    view = view_of(transform=Affine(1e-5, 0, 20.0, 0, -1e-5, 60.0), crs=4326)
    bar = build_regions(cropped([mask_of(view, 5, 10, 45, 14)]), view).regions[0]
    assert bar.length.value == pytest.approx(40 * 0.5583, rel=2e-3)  # metres of 1e-5 degrees of longitude at 60 north
    assert bar.width.value == pytest.approx(4 * 1.1141, rel=2e-3)
    assert bar.orientation_deg == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize("pixels", [1, 2, 9])
def test_a_line_of_pixels_is_as_long_as_they_are_and_one_wide(pixels):
    view = view_of(crs=None)
    line = build_regions(cropped([mask_of(view, 3, 3, 3 + pixels, 4)]), view).regions[0]
    assert (line.length.value, line.width.value) == (pixels, 1)


def test_across_180_degrees_a_region_is_as_long_as_elsewhere():
    lengths = []
    for west in (179.9997, 20.0):
        view = view_of(transform=Affine(1e-5, 0, west, 0, -1e-5, 10), crs=4326)
        region = build_regions(cropped([mask_of(view, 5, 5, 55, 15)]), view).regions[0]
        lengths.append((region.length.value, region.width.value, region.orientation_deg))
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 50))
def test_rectangles_computed_together_equal_those_computed_one_by_one(seed, pairs):
    rng = np.random.default_rng(seed)
    outlines = [trace(rng.random((9, 9)) < share) for share in (0.2, 0.5, 0.9)]
    boundaries = boundaries_of([each for each in outlines if not each.is_empty])
    alone = [rectangles_in_pixels([each], 1, 2)[0] for each in boundaries]
    usual = rectangle._PAIRS
    rectangle._PAIRS = pairs
    try:
        assert rectangles_in_pixels(boundaries, 1, 2) == alone
    finally:
        rectangle._PAIRS = usual


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_the_rectangle_holds_the_centres_of_all_pixels_and_is_no_larger_than_the_one_around_the_pixels(seed):
    rng = np.random.default_rng(seed)
    mask = mask_within(Point(10, 10).buffer(rng.uniform(1, 9)), 20, 20).full(20, 20) & (rng.random((20, 20)) < 0.8)
    outline = trace(mask)
    if outline.is_empty:
        return
    (found,) = rectangles_in_pixels(boundaries_of([outline]), 1, 1)
    ys, xs = np.nonzero(mask)
    centres = shapely.oriented_envelope(shapely.multipoints(np.stack([xs, ys], 1) + 0.5))
    assert centres.area <= found.length.value * found.width.value <= outline.envelope.area + 1e-9
