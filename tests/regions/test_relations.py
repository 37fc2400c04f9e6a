"""Distances between regions: numbers worked by hand, laws, and drawings with known gaps."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box
from views.data import cropped, mask_of, region_of, view_of

from t2s_agent.regions import relations
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.edges import with_edges
from t2s_agent.regions.region import Measure
from t2s_agent.regions.relations import Difference, Distances, nearest_of, pairs_within
from t2s_agent.regions.units import METRES, PIXELS

corner, side = st.integers(0, 90), st.integers(1, 9)
# of one result: no two have the same outline
boxes = st.lists(st.tuples(corner, corner, side, side), max_size=12, unique=True)


def regions_of(corners, first=1):
    return [region_of(i, box(x, y, x + w, y + h)) for i, (x, y, w, h) in enumerate(corners, first)]


def test_the_nearest_of_three_and_none_of_a_region_itself():
    three = regions_of([(0, 0, 10, 10), (13, 0, 7, 10), (50, 0, 10, 10)])
    found = nearest_of(three, three, units=PIXELS, itself=True)
    assert [(each.id, each.other_id, each.distance.value) for each in found] == [(1, 2, 3), (2, 1, 3), (3, 2, 30)]
    assert found[0].distance.unit == "px"
    assert nearest_of(three[:1], three[:1], units=PIXELS, itself=True) == [None]
    assert nearest_of(three, [], units=PIXELS) == [None] * 3


def test_the_same_outline_in_another_result_is_at_no_distance():
    three = regions_of([(0, 0, 10, 10), (13, 0, 7, 10)])
    assert [each.distance.value for each in nearest_of(three, three, units=PIXELS)] == [0, 0]


def test_a_region_that_was_corrected_is_not_its_own_neighbour_either():
    before = regions_of([(0, 0, 10, 10), (20, 0, 10, 10)])
    grown = region_of(1, box(0, 0, 12, 12))
    (found,) = nearest_of([grown], before, units=PIXELS, own=[{1}])
    assert (found.other_id, found.distance.value) == (2, 8)


def slow(one, other):
    return one.geometry.distance(other.geometry)


@settings(deadline=None)
@given(boxes, boxes, st.integers(0, 60), st.integers(1, 30))
def test_results_equal_those_of_comparing_each_pair(first, second, metres, at_once):
    a, b = regions_of(first), regions_of(second, 100)
    for region_, found in zip(a, nearest_of(a, b, units=PIXELS), strict=True):
        expected = min(((slow(region_, other), other.id) for other in b), default=None)
        assert (found and (found.distance.value, found.other_id)) == expected
    usual = relations._PAIRS
    relations._PAIRS = at_once
    try:
        assert pairs_within(a, b, metres, units=PIXELS) == sum(slow(x, y) <= metres for x in a for y in b)
        own = sum(slow(x, y) <= metres for i, x in enumerate(a) for y in a[:i])
        assert pairs_within(a, a, metres, units=PIXELS, itself=True) == own
    finally:
        relations._PAIRS = usual


@settings(deadline=None, max_examples=20)
@given(boxes)
def test_minimum_median_and_maximum_name_their_pairs(corners):
    regions = regions_of(corners)
    found = Distances.of(nearest_of(regions, regions, units=PIXELS, itself=True))
    if len(regions) < 2:
        assert found is None
        return
    least = [min(slow(x, y) for y in regions if y is not x) for x in regions]
    assert (found.smallest.distance.value, found.largest.distance.value) == (min(least), max(least))
    assert found.median.value == np.median(least)
    by_id = {each.id: each for each in regions}
    for pair in (found.smallest, found.largest):
        assert slow(by_id[pair.id], by_id[pair.other_id]) == pair.distance.value


PLACES = {
    "UTM": view_of(),
    "across 180 degrees": view_of(transform=Affine(1e-5, 0, 179.9997, 0, -1e-5, 10), crs=4326),
    "at the north pole": view_of(transform=Affine(0.5, 0, -15, 0, -0.5, 10), crs=3413),
}


@pytest.mark.parametrize("place", PLACES)
def test_distances_on_the_ground_are_right_at_180_degrees_and_at_a_pole(place):
    view = PLACES[place]
    masks = [mask_of(view, 0, 0, 10, 10), mask_of(view, 14, 0, 28, 10), mask_of(view, 40, 0, 60, 10)]
    built = build_regions(cropped(masks), view)
    regions = with_edges(built.regions, built.labels, view.georeference, view.window)
    metres = {"UTM": 0.5 / 0.9996, "across 180 degrees": 1.0966, "at the north pole": 0.5155}[place]  # a pixel's width
    found = nearest_of(regions, regions, units=METRES, itself=True)
    assert [each.other_id for each in found] == [2, 1, 2]
    assert [each.distance.value for each in found] == pytest.approx([4 * metres, 4 * metres, 12 * metres], rel=5e-3)
    assert pairs_within(regions, regions, 5 * metres, units=METRES, itself=True) == 1
    assert pairs_within(regions, regions, 50 * metres, units=METRES, itself=True) == 3


def test_regions_on_two_continents_are_measured_too():
    far = [region_of(i, box(lon, 10, lon + 0.1, 10.1)) for i, lon in enumerate((179.8, -179.8, 20.0), 1)]
    found = nearest_of(far, far, units=METRES, itself=True)
    assert [each.other_id for each in found] == [2, 1, 1]
    assert found[0].distance.value == pytest.approx(0.3 * 109_640, rel=2e-3)  # degrees of longitude at 10 north
    assert pairs_within(far, far, 40_000, units=METRES, itself=True) == 1
    assert pairs_within(far, far, 2e7, units=METRES, itself=True) == 3


def test_the_plus_minus_is_a_share_of_a_pixel_of_each():
    (found,) = nearest_of([region_of(1, box(0, 0, 1, 1), 3.0)], [region_of(2, box(9, 0, 10, 1), 4.0)], units=PIXELS)
    assert found.distance.plus_minus == pytest.approx(0.5 * 7)


def test_a_difference_is_undecided_where_its_plus_minus_covers_zero():
    near = Difference.of(Measure(100, 6, "m2"), Measure(110, 5, "m2"))
    assert (near.value, near.plus_minus, near.undecided) == (-10, 11, True)
    assert not Difference.of(Measure(100, 4, "m2"), Measure(110, 5, "m2")).undecided
    assert replace(near, value=11.0).undecided


def test_what_lies_less_than_a_twentieth_of_the_smaller_pixel_apart_touches():
    def apart(gap):
        (found,) = nearest_of(
            [region_of(1, box(0, 0, 1, 1), 2.0)], [region_of(2, box(1 + gap, 0, 2 + gap, 1), 4.0)], units=PIXELS
        )
        return found.distance.value

    assert (apart(0.09), apart(0.0)) == (0, 0)
    assert apart(0.11) == pytest.approx(0.11)


def test_of_equally_near_ones_the_first_counts_on_a_plane_and_across_continents():
    middle, sides = region_of(1, box(10, 0, 11, 1)), [region_of(i, box(x, 0, x + 1, 1)) for i, x in ((5, 13), (6, 7))]
    assert nearest_of([middle], sides, units=PIXELS)[0].other_id == 5
    assert nearest_of([middle], sides[::-1], units=PIXELS)[0].other_id == 6
    twice = [region_of(i, box(100, 0, 101, 1)) for i in (8, 9)]
    assert nearest_of([middle], twice, units=METRES)[0].other_id == 8


def test_far_regions_are_not_their_own_neighbours_either():
    far = [region_of(1, box(0, 0, 1, 1)), region_of(2, box(120, 0, 121, 1)), region_of(3, box(-100, 0, -99, 1))]
    moved = [region_of(7, box(0, 0, 1, 2)), *far[1:]]
    found = nearest_of(moved, far, units=METRES, own=[{1}, {2}, {3}])
    assert [each.other_id for each in found] == [3, 1, 1]
    assert nearest_of(far[:1], far[:1], units=METRES, itself=True) == [None]
