"""Boxes and points in other reference systems, and axes that were exchanged."""

import math

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_origin

from t2s_agent.errors import T2SError
from t2s_agent.scene import Window, open_scene
from t2s_agent.scene.georeference import format_extent
from t2s_agent.scene.places import box_window, crs_named, extent_in, pixel_box, pixel_points, swapped

UTM = from_origin(590_000, 5_750_000, 10, 10)


def a_file(path, crs="EPSG:32631", transform=UTM, side=100):
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=CRS.from_string(crs) if crs else None, transform=transform) as file:
        file.write(np.full((3, side, side), 90, np.uint8))
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with open_scene(a_file(tmp_path_factory.mktemp("places") / "utm.tif")) as opened:
        yield opened


def test_a_box_in_the_images_own_system_is_exactly_its_pixels(scene):
    assert box_window(scene, (590_200, 5_749_500, 590_300, 5_749_700), "image") == Window(20, 30, 10, 20)
    assert box_window(scene, (590_200, 5_749_500, 590_300, 5_749_700), "32631") == Window(20, 30, 10, 20)


def test_a_box_in_pixels_is_those_pixels(scene):
    assert box_window(scene, (20, 30, 30, 50), "pixels") == Window(20, 30, 10, 20)


def test_a_box_is_cut_at_the_edge_of_the_image(scene):
    assert box_window(scene, (589_000, 5_749_900, 590_100, 5_760_000), "EPSG:32631") == Window(0, 0, 10, 10)


def test_the_edges_of_a_box_are_followed_where_they_are_curved_in_the_image(tmp_path):
    # A box of Web Mercator 800 km wide: its lower edge is a parallel, which bows by 4 pixels of 1 km in UTM.
    path = a_file(tmp_path / "wide.tif", transform=from_origin(-1_000_000, 7_000_000, 1_000, 1_000), side=2_500)
    with open_scene(path) as wide:
        west, south, east, north = 0.0, 7_400_000.0, 800_000.0, 7_500_000.0  # metres of EPSG:3857
        left, _, right, bottom = pixel_box(wide, (west, south, east, north), "EPSG:3857")
        corners_x, corners_y = zip(
            *pixel_points(wide, [(x, y) for x in (west, east) for y in (south, north)], "EPSG:3857"), strict=True
        )
    assert left <= min(corners_x)
    assert right >= max(corners_x)
    assert bottom > max(corners_y) + 3  # the lower edge sags below both corners


def test_the_error_for_a_box_elsewhere_names_the_extent_in_its_system(scene):
    with pytest.raises(T2SError) as caught:
        box_window(scene, (0, 0, 10, 10), "image")
    assert caught.value.code == "bbox_outside"
    assert "590000.0, 5749000.0, 591000.0, 5750000.0" in caught.value.fix


@pytest.mark.parametrize("box", [(2, 1, 1, 2), (1, 2, 2, 1), (1, 1, 1, 2), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)])
def test_an_empty_box_is_refused(scene, box):
    with pytest.raises(T2SError) as caught:
        pixel_box(scene, box, "image")
    assert caught.value.code == "bbox_invalid"


@pytest.mark.parametrize("name", ["EPSG:99999", "utm31", "+proj=utm +zone=31", "", "-1", "EPSG:", "PROJCS[]"])
def test_an_unknown_system_is_named(name):
    with pytest.raises(T2SError) as caught:
        crs_named(name)
    assert caught.value.code == "argument_invalid"


def test_systems_are_known_by_code_and_number():
    assert crs_named("EPSG:4326") == crs_named("epsg:4326") == crs_named(" 4326 ")


def test_an_image_without_a_place_takes_pixels_and_refuses_degrees(tmp_path):
    path = a_file(tmp_path / "photo.tif", crs=None, transform=rasterio.Affine.identity())
    with open_scene(path) as photo:
        assert box_window(photo, (1, 2, 3, 4), "pixels") == Window(1, 2, 2, 2)
        for crs in ("EPSG:4326", "image"):
            with pytest.raises(T2SError) as caught:
                box_window(photo, (1, 2, 3, 4), crs)
            assert caught.value.code == "no_georeference"


@given(x=st.floats(590_000, 591_000), y=st.floats(5_749_000, 5_750_000))
def test_points_in_degrees_are_at_the_same_pixels_as_in_the_images_system(scene, x, y):
    [direct] = pixel_points(scene, [(x, y)], "image")
    [round_trip] = pixel_points(scene, [(x, y)], "EPSG:32631")
    assert direct == pytest.approx(((x - 590_000) / 10, (5_750_000 - y) / 10), abs=1e-6)
    assert round_trip == pytest.approx(direct, abs=1e-3)


def test_the_extent_in_degrees_is_that_of_the_bounds(scene):
    west, south, east, north = scene.bounds_lonlat
    assert extent_in(scene, "EPSG:4326") == pytest.approx((west, south, east, north), abs=1e-9)


@pytest.mark.parametrize(
    ("place", "bounds", "expected"),
    [
        ((51.9, 4.3), (4.2, 51.8, 4.4, 52.0), True),
        ((4.3, 51.9), (4.2, 51.8, 4.4, 52.0), False),
        ((51.85, 4.25, 51.95, 4.35), (4.2, 51.8, 4.4, 52.0), True),
        ((10.0, 10.5), (4.2, 51.8, 4.4, 52.0), False),
        ((-17.0, 179.9), (179.5, -18.0, -179.5, -16.0), True),  # across 180 degrees
        ((-17.0, -179.9), (179.5, -18.0, -179.5, -16.0), True),
        ((-179.9, -17.0), (179.5, -18.0, -179.5, -16.0), False),
        ((), (4.2, 51.8, 4.4, 52.0), False),
    ],
)
def test_exchanged_axes_are_recognised(place, bounds, expected):
    assert swapped(place, bounds) == expected


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ((4.0, 51.0, 4.5, 51.25), "4.000000, 51.000000, 4.500000, 51.250000"),
        ((4.0, 51.0, 4.00000002, 51.00000001), "4.00000000000, 51.00000000000, 4.00000002000, 51.00000001000"),
        ((590000.0, 5750000.0, 590000.1, 5750000.02), "590000.00000, 5750000.00000, 590000.10000, 5750000.02000"),
        ((590000.0, 5750000.0, 591000.0, 5751000.0), "590000.0, 5750000.0, 591000.0, 5751000.0"),
        ((179.5, 10.0, -179.5, 11.0), "179.500000, 10.000000, -179.500000, 11.000000"),
    ],
)
def test_an_extent_has_enough_decimals_to_distinguish_its_edges(extent, words):
    assert format_extent(extent) == words
