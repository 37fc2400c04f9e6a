"""Summaries of several regions."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from views.data import cropped, mask_of, view_of

from t2s_agent.regions.build import build_regions
from t2s_agent.regions.region import Measure
from t2s_agent.regions.summary import Summary, image_area, median_of, share_of
from t2s_agent.scene import Window

measures = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e3)), min_size=1, max_size=9)


def test_three_squares_of_four_nine_and_twenty_five_square_metres():
    view = view_of()
    squares = [mask_of(view, x, 0, x + side, side) for x, side in ((0, 6), (10, 4), (20, 10))]
    regions = build_regions(cropped(squares), view).regions
    found = Summary.of(regions)
    assert (found.count, found.smallest.id, found.largest.id) == (3, 2, 3)
    numbers = [each.value for each in (found.total, found.mean, found.median, found.smallest.measure)]
    assert numbers == pytest.approx([38, 38 / 3, 9, 4], rel=1e-3)
    half_a_pixel_of_each = 0.25 * (12 + 8 + 20)
    assert found.total.plus_minus == pytest.approx(half_a_pixel_of_each, rel=0.02)
    assert found.mean.plus_minus == pytest.approx(half_a_pixel_of_each / 3, rel=0.02)
    lengths = Summary.of(regions, "length")
    assert (lengths.largest.measure.value, lengths.total.unit) == (pytest.approx(5, rel=1e-3), "m")


def test_there_is_no_summary_of_no_regions():
    assert Summary.of([]) is None


@given(measures, st.data())
def test_the_median_moves_no_further_than_its_plus_minus_where_each_value_moves_within_its_own(pairs, data):
    given_ = [Measure(value, bound, "m2") for value, bound in pairs]
    found = median_of(given_)
    moved = [value + data.draw(st.floats(-bound, bound)) for value, bound in pairs]
    assert abs(np.median(moved) - found.value) <= found.plus_minus * (1 + 1e-9) + 1e-6


PLACES = {
    "degrees": (Affine(0.01, 0, 15, 0, -0.01, 50), 4326),
    "across 180 degrees": (Affine(0.01, 0, 179.8, 0, -0.01, -20), 4326),
    "Mercator": (Affine(1000, 0, 0, 0, -1000, 8_399_738), 3857),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_area_of_an_image_is_that_of_its_pixels_on_the_ground(place):
    transform, crs = PLACES[place]
    view = view_of(transform=transform, crs=crs)
    x, y = (
        [*range(60), *[60] * 40, *range(60, 0, -1), *[0] * 40],
        [*[0] * 60, *range(40), *[40] * 60, *range(40, 0, -1)],
    )
    lon, lat = view.georeference.to_lonlat(x, y)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(np.where(lon < 0, lon + 360, lon), lat)
    assert image_area(view) == pytest.approx(abs(area), rel=1e-4)
    view.valid[:, :30] = False
    assert image_area(view) == pytest.approx(abs(area) / 2, rel=1e-2)


def test_the_area_of_an_image_without_a_georeference_is_in_pixels_of_the_scene():
    view = replace(view_of(crs=None), window=Window(0, 0, 120, 80))
    view.valid[:10] = False
    assert image_area(view) == 120 * 60


def test_half_of_an_image_is_a_share_of_a_half_with_the_plus_minus_of_the_area():
    view = view_of()
    region = build_regions(cropped([mask_of(view, 0, 0, 30, 40)]), view).regions[0]
    share = share_of(region.area, image_area(view))
    assert share.value == pytest.approx(0.5, rel=1e-6)
    assert share.plus_minus == pytest.approx(0.5 * region.area.plus_minus / region.area.value)
    assert share_of(region.area, 0) is None
