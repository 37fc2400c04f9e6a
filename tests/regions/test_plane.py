"""Planar steps: distances, rectangles and neighbours at 180 degrees, at the poles and across continents."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from rasterio.crs import CRS
from shapely.geometry import Point, box
from views.data import cropped, mask_of, region_of, view_of

from t2s_agent.regions.build import build_regions
from t2s_agent.regions.plane import LocalPlane, bbox_of, distance_m
from t2s_agent.regions.polygons import to_lonlat
from t2s_agent.regions.relations import nearest_of, pairs_within
from t2s_agent.regions.units import METRES
from t2s_agent.scene.georeference import georeference_of

WGS84 = Geod(ellps="WGS84")


def regions_of(geometries):
    return [region_of(number, each) for number, each in enumerate(geometries, 1)]


def distances(geometries):
    regions = regions_of(geometries)
    return [each.distance.value for each in nearest_of(regions, regions, units=METRES, itself=True)]


def near(geometries, others, metres):
    return pairs_within(regions_of(geometries), regions_of(others), metres, units=METRES)


@pytest.mark.parametrize("left", [179.9995, 178.0])
def test_a_field_of_30_by_50_m_has_this_size_on_both_sides_of_180_degrees(left):
    east, north = WGS84.fwd(0, 0, 90, 30)[0], WGS84.fwd(0, 0, 0, 50)[1]  # degrees at the equator
    view = view_of(100, 400, transform=Affine(east / 60, 0, left, 0, -north / 100, north), crs=4326)
    field = build_regions(cropped([mask_of(view, 20, 0, 80, 100)]), view).regions[0]
    assert (field.length.value, field.width.value) == (pytest.approx(50, abs=0.01), pytest.approx(30, abs=0.01))
    assert min(field.orientation_deg, 180 - field.orientation_deg) < 0.1


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180))
def test_distances_and_neighbours_are_the_same_at_any_longitude(left):
    place = georeference_of(CRS.from_epsg(4326), Affine(1e-5, 0, left, 0, -1e-5, -16.8), (), 400, 100)
    boxes = [to_lonlat(box(x, 10, x + 40, 50), place) for x in (0, 60, 200, 300)]
    gap = WGS84.inv(0, -16.8003, 20e-5, -16.8003)[2]  # 20 pixels of a hundred-thousandth of a degree: 21.3 m
    assert gap == pytest.approx(21.3, abs=0.1)
    assert distances(boxes) == pytest.approx([gap, gap, 3 * gap, 3 * gap], rel=1e-3)
    assert near(boxes[2:], boxes[:2], gap * 4.9) == 0
    assert near(boxes[2:3], boxes[:2], gap * 5.1) == 1
    assert near(boxes[:1], boxes[1:], gap * 1.01) == 1


def test_regions_on_both_sides_of_a_pole_are_as_far_apart_as_over_it():
    place = georeference_of(CRS.from_epsg(6931), Affine(1000, 0, -50_000, 0, -1000, 50_000), (), 100, 100)
    left, right = (to_lonlat(box(x, 40, x + 10, 60), place) for x in (20, 70))
    over = to_lonlat(box(45, 45, 55, 55), place)
    assert distance_m(left, right) == pytest.approx(40_000, rel=1e-3)
    assert distances([left, over, right]) == pytest.approx([15_000] * 3, rel=1e-3)
    assert near([over], [to_lonlat(box(50, 50, 51, 51), place)], 0) == 1  # inside, at the pole itself
    view = view_of(100, 100, transform=place.transform, crs=6931)
    region = build_regions(cropped([mask_of(view, 40, 45, 60, 55)]), view).regions[0]
    assert (region.length.value, region.width.value) == pytest.approx((20_000, 10_000), rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((-74.0, 40.7), (2.35, 48.85)),  # New York and Paris
        ((151.2, -33.9), (-70.7, -33.4)),  # Sydney and Santiago
        ((0.0, 0.0), (10.0, 0.0)),
        ((-1.0, 89.0), (179.0, 88.0)),
    ],
)
def test_far_regions_are_as_far_apart_as_their_nearest_corners(a, b):
    half = 0.01
    corners = [[(x + dx, y + dy) for dx in (-half, half) for dy in (-half, half)] for x, y in (a, b)]
    nearest = min(WGS84.inv(*p, *q)[2] for p in corners[0] for q in corners[1])
    first, second = (box(x - half, y - half, x + half, y + half) for x, y in (a, b))
    metres = distance_m(first, second)
    assert metres <= nearest * (1 + 1e-9)
    assert metres == pytest.approx(nearest, rel=1e-3)
    third = box(a[0] + 0.02, a[1] - half, a[0] + 0.03, a[1] + half)
    assert distances([first, second, third])[0] == pytest.approx(distance_m(first, third), rel=1e-3)
    assert near([first], [second], metres * 1.001) == 1
    assert near([first], [second], metres * 0.999) == 0


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-50_000, 50_000), st.floats(-50_000, 50_000))
def test_converting_to_a_plane_and_back_is_the_identity(lon, lat, x, y):
    plane = LocalPlane(lon, lat)
    back = plane.flat(plane.lonlat(Point(x, y)))
    assert (back.x, back.y) == (pytest.approx(x, abs=1e-3), pytest.approx(y, abs=1e-3))


def test_a_continent_has_no_smallest_rectangle():
    view = view_of(65, 70, transform=Affine(1, 0, -20, 0, -1, 35), crs=4326)
    continent = build_regions(cropped([mask_of(view, 0, 0, 70, 65)]), view).regions[0]
    assert (continent.length, continent.width, continent.orientation_deg, continent.compactness) == (None,) * 4


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(10, 20)], (10, 20)),
        ([(170, 180), (-180, -170)], (170, -170)),
        ([(-180, -170), (0, 10), (170, 180)], (0, -170)),  # the largest gap, -170 to 0, is left out
        ([(-180, 0), (0, 180)], (-180, 180)),
    ],
)
def test_a_bbox_takes_the_shorter_way_round(spans, expected):
    import shapely

    west, _, east, _ = bbox_of(shapely.MultiPolygon([box(w, 0, e, 1) for w, e in spans]))
    assert (west, east) == expected


def test_pixels_of_a_polar_view_come_back_from_their_own_outline():
    from t2s_agent.regions.grid import masks_in_view
    from t2s_agent.scene import View, Window

    place = georeference_of(
        CRS.from_epsg(3031), Affine(1000, 0, -50_500, 0, -1000, 50_500), (), 101, 101
    )  # a pixel centre at the pole
    view = View(
        np.zeros((101, 101, 3), np.uint8), np.ones((101, 101), bool), place, Window(0, 0, 101, 101), 1000.0, (1, 2, 3)
    )
    mask = np.zeros((101, 101), bool)
    mask[30:70, 20:80] = True
    (found,) = masks_in_view([to_lonlat(box(20, 30, 80, 70), place, 7)], view)
    assert (found.full(101, 101) == mask).all()


def test_the_centroid_of_a_large_area_lies_in_its_middle_and_not_on_the_other_side_of_the_earth():
    from t2s_agent.regions.plane import centroid_of

    africa = centroid_of(box(-20, -30, 50, 35))
    assert (africa.x, africa.y) == (pytest.approx(15, abs=0.01), pytest.approx(2.7, abs=1))
    cap = centroid_of(box(-180, 60, 180, 90))
    assert cap.y == pytest.approx(90, abs=1e-6)
    holed = centroid_of(box(-60, -60, 60, 60).difference(box(10, -20, 40, 20)))
    assert holed.x < -1


def test_long_sides_along_a_parallel_are_curved_on_the_ground():
    """Sides of a region are straight in degrees. From 59.9 N to the parallel 60 N is a tenth of a degree: 11.1 km; to the straight
    line between two of its places four degrees apart, it is 1.7 km more."""
    strip, place = box(-2, 60, 2, 61), box(-0.001, 59.89, 0.001, 59.9)
    exact = WGS84.inv(0, 59.9, 0, 60)[2]
    assert distance_m(strip, place) == pytest.approx(exact, rel=1e-3)
    assert distances([strip, place]) == pytest.approx([exact, exact], rel=1e-3)
    assert near([place], [strip], exact * 1.01) == 1
    view = view_of(10, 500, transform=Affine(0.01, 0, -2.5, 0, -0.0001, 60.0005), crs=4326)
    thin = build_regions(cropped([mask_of(view, 50, 4, 450, 5)]), view).regions[0]
    height = 1683 + 11  # the arc's: (4 degrees)^2 sin 60 cos 60 R / 8
    assert thin.width.value == pytest.approx(height, rel=0.03)
    assert abs(thin.width.value - height) < thin.width.plus_minus


def test_a_cap_around_a_pole_is_a_disc_with_sides_in_degrees_too():
    view = view_of(200, 360, transform=Affine(1, 0, -180, 0, -0.1, 90), crs=4326)
    cap, large = (build_regions(cropped([mask_of(view, 0, 0, 360, rows)]), view).regions[0] for rows in (50, 180))
    across = 2 * WGS84.inv(0, 90, 0, 85)[2]
    assert (cap.length.value, cap.width.value) == (pytest.approx(across, rel=0.01), pytest.approx(across, rel=0.01))
    assert large.length is None  # 4,000 km across
