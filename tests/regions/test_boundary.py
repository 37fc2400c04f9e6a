"""The length of a mask's boundary: laws, numbers worked by hand, and ideal shapes of a known length."""

import math
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS
from views.data import view_of

from evals.measures import perimeter as perimeter_table
from t2s_agent.pipeline.describe import region_facts
from t2s_agent.regions.boundary import _step, boundary_of
from t2s_agent.regions.build import measured
from t2s_agent.regions.measure import perimeter_in_pixels, perimeter_on_ground
from t2s_agent.regions.polygons import trace
from t2s_agent.scene.georeference import Georeference

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any)


def perimeter(mask, width=1.0, height=1.0):
    return perimeter_in_pixels(boundary_of(trace(np.asarray(mask))), width, height)


def disc(radius, x=0.0, y=0.0):
    along = np.arange(-math.ceil(radius) - 1, math.ceil(radius) + 2)
    return (along - x) ** 2 + (along[:, None] - y) ** 2 <= radius**2


def bar(width, height):
    return np.pad(np.ones((height, width), bool), 1)


def test_the_corners_of_a_bar_are_the_centres_of_its_corner_pixels():
    boundary = boundary_of(trace(bar(5, 3)))
    assert sorted(map(tuple, boundary.corners.tolist())) == [(1.5, 1.5), (1.5, 3.5), (5.5, 1.5), (5.5, 3.5)]
    assert boundary.bend.tolist() == [1, 1, 1, 1]


def test_a_notch_bends_the_boundary_around_a_pixel_outside():
    notched = bar(9, 5)
    notched[1:3, 5] = False
    boundary = boundary_of(trace(notched))
    assert boundary.corners[boundary.bend == -1].tolist() == [[5.5, 2.5]]


def test_the_sides_of_a_large_square_move_by_half_a_pixel():
    # the centres of its corner pixels are 99 pixels apart; the true side is 100 on average
    assert perimeter(bar(100, 100)).value == pytest.approx(400)


def test_one_pixel_and_a_line_of_pixels_are_as_long_as_their_edges():
    assert perimeter(bar(1, 1)).value == pytest.approx(4)
    assert perimeter(bar(50, 1)).value == pytest.approx(102)


def test_the_bottom_of_a_notch_is_deeper_than_the_pixels_that_it_bends_around():
    notched = bar(30, 30)
    notched[1:21, 11:21] = False
    # 4 x 30, and two walls of 20; the walls run from the centre of a pixel inside to that of one outside
    assert perimeter(notched).value == pytest.approx(160, abs=0.3)


@pytest.mark.parametrize(
    ("x", "y", "step"), [(20, 1, 1), (1, -20, 1), (5, 2, math.sqrt(5)), (3, 0, 1), (1, 1, 1), (4, 6, math.sqrt(2))]
)
def test_the_step_of_a_side_is_the_shorter_one_beside_it(x, y, step):
    assert _step(x, y) == pytest.approx(step)


def test_a_slanted_edge_has_no_staircase():
    # every third row is one pixel wider: the long side has the direction (1, 3), its staircase would be a third longer
    ramp = np.pad(np.array([np.arange(100) <= row // 3 for row in range(300)]), 1)
    assert perimeter(ramp).value == pytest.approx(100 + 300 + math.hypot(100, 300), rel=0.01)


@pytest.mark.parametrize("radius", [5, 10, 20, 50, 200])
def test_a_disc_is_round(radius):
    mask = disc(radius, 0.3, 0.2)
    length = perimeter(mask).value
    assert length == pytest.approx(2 * math.pi * radius, rel=0.03 if radius < 20 else 0.01)
    assert 4 * math.pi * mask.sum() / length**2 == pytest.approx(1, abs=0.05 if radius < 10 else 0.03)


@pytest.mark.parametrize("crs", [32633, None])
def test_a_described_disc_is_compact(crs):
    region = measured(trace(disc(12, 0.2, 0.4)), view_of(crs=crs), id=1)
    facts = region_facts(region)
    assert facts["compactness"] == pytest.approx(1, abs=0.03)


@given(masks, st.integers(0, 3), st.booleans(), st.integers(0, 5), st.integers(0, 5))
def test_moving_turning_and_mirroring_do_not_change_the_length(mask, turns, mirrored, down, right):
    moved = np.rot90(np.pad(mask, ((down, 1), (right, 2))), turns)
    moved = moved[:, ::-1] if mirrored else moved
    length, again = perimeter(mask), perimeter(moved)
    assert again.value == pytest.approx(length.value)
    assert again.plus_minus == pytest.approx(length.plus_minus)


@given(masks, st.floats(0.01, 100))
def test_the_length_grows_with_the_pixel(mask, pixel):
    assert perimeter(mask, pixel, pixel).value == pytest.approx(pixel * perimeter(mask).value)
    assert perimeter(mask, pixel, pixel).plus_minus == pytest.approx(pixel * perimeter(mask).plus_minus)


@given(masks)
def test_a_length_is_never_above_the_staircase_and_never_below_the_hull(mask):
    outline, length = trace(mask), perimeter(mask).value
    parts = getattr(outline, "geoms", [outline])
    hulls = sum(part.buffer(-0.49, join_style="mitre").convex_hull.length for part in parts)
    assert hulls <= length <= outline.length + 1e-9


def test_the_edge_of_a_hole_is_as_long_as_what_would_fill_it():
    hole = disc(9.3, 0.1, 0.4)
    around = np.pad(hole, 5)
    outer = np.ones_like(around)
    assert perimeter(outer & ~around).value == pytest.approx(perimeter(hole).value + perimeter(outer).value)


def test_parts_add_up():
    small, large = disc(4.2), disc(9.7)
    both = np.zeros((40, 60), bool)
    both[: small.shape[0], : small.shape[1]] = small
    both[-large.shape[0] :, -large.shape[1] :] = large
    assert perimeter(both).value == pytest.approx(perimeter(small).value + perimeter(large).value)


def test_pixels_that_touch_at_a_corner_are_two_parts():
    assert perimeter(np.eye(2, dtype=bool)).value == pytest.approx(8)


def test_long_pixels_stretch_the_length_and_not_the_count():
    # a disc of 20 m radius, seen by pixels of 2 m x 0.5 m
    x, y = np.arange(-12, 13) * 2.0, np.arange(-45, 46)[:, None] * 0.5
    measure = perimeter((x - 0.3) ** 2 + (y - 0.1) ** 2 <= 20**2, 2.0, 0.5)
    assert measure.value == pytest.approx(2 * math.pi * 20, rel=0.02)
    assert abs(measure.value - 2 * math.pi * 20) < measure.plus_minus < 0.05 * measure.value


def test_on_the_ground_pixels_in_degrees_are_not_square():
    # at 60 degrees north a degree of longitude is half as long as one of latitude: 55.80 and 111.41 km
    view = replace(view_of(), georeference=Georeference(CRS.from_epsg(4326), Affine(1e-5, 0, 10, 0, -1e-5, 60)))
    wide = measured(trace(bar(30, 10)), view, id=1).perimeter.value
    tall = measured(trace(bar(10, 28)), view, id=1).perimeter.value
    assert wide == pytest.approx(2 * (30 * 0.558 + 10 * 1.1141), rel=0.01)
    assert tall == pytest.approx(2 * (10 * 0.558 + 28 * 1.1141), rel=0.01)


def test_across_180_degrees_a_boundary_is_as_long_as_elsewhere():
    def length(west):
        place = Georeference(CRS.from_epsg(4326), Affine(1e-4, 0, west, 0, -1e-4, 10))
        return perimeter_on_ground(boundary_of(trace(bar(30, 20))), place, 11.0).value

    assert length(180 - 15e-4) == pytest.approx(length(50), rel=1e-6)


def test_a_side_as_long_as_a_continent_is_measured_along_its_parallel():
    place = Georeference(CRS.from_epsg(4326), Affine(0.1, 0, 0, 0, -0.1, 60.1))
    length = perimeter_on_ground(boundary_of(trace(np.pad(np.ones((2, 900), bool), 1))), place, 7_900.0).value
    # two sides of 90 degrees along 59.9 north, of 55.97 km a degree; the great circle would be 8 % shorter
    assert length == pytest.approx(2 * 90 * 55_970 + 2 * 0.2 * 111_400, rel=0.003)


def test_a_boundary_around_a_pixel_beside_the_earth_is_finite():
    class Limb(Georeference):
        __slots__ = ()

        def to_lonlat(self, x, y):
            lon, lat = super().to_lonlat(x, y)
            beside = (np.asarray(x) > 7) & (np.asarray(y) > 7)
            return np.where(beside, np.inf, lon), np.where(beside, np.inf, lat)

    place = Limb(CRS.from_epsg(4326), Affine(1e-5, 0, 0, 0, -1e-5, 0))
    corner = bar(14, 14)
    corner[7:, 7:] = False
    boundary = boundary_of(trace(corner))
    assert not np.isfinite(place.to_lonlat(*boundary.corners[boundary.bend < 0].T)).any()
    assert perimeter_on_ground(boundary, place, 1.1).value == pytest.approx(perimeter(corner).value * 1.11, rel=0.05)


@pytest.mark.parametrize(("size", "bias"), [(10.0, 0.04), (40.0, 0.02)])
def test_ideal_shapes_of_every_angle_have_a_small_bias(size, bias):
    cells = perimeter_table.measure_cells(seed=11, masks=16 if size < 20 else 10, sizes=(size,), compare=False)
    worst = max(cells, key=lambda cell: abs(cell.bias))
    assert abs(worst.bias) < bias, (worst.shape, worst.degrees)


@pytest.mark.parametrize("size", [5.0, 10.0, 40.0])
def test_the_plus_minus_holds_for_nine_of_ten_and_is_no_wider_than_it_needs(size):
    cells = perimeter_table.measure_cells(seed=12, masks=12, sizes=(size,), compare=False)
    error = np.concatenate([cell.estimate - cell.length for cell in cells])
    half = np.concatenate([cell.plus_minus for cell in cells])
    assert np.mean(np.abs(error) <= half) >= 0.9
    assert np.median(half) <= 3 * np.sqrt(np.mean(error**2))
