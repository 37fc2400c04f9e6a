"""Outlines on the ground: around poles, across 180 degrees, over the limb. Areas against formulas and equal-area projections."""

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from shapely.geometry import Point, box

from t2s_agent.regions.measure import area_m2
from t2s_agent.regions.plane import bbox_of, centroid_of
from t2s_agent.regions.polygons import to_lonlat
from t2s_agent.regions.units import METRES
from t2s_agent.scene.georeference import georeference_of

KM_GRID = Affine(1000, 0, -256_000, 0, -1000, 256_000)  # 512 x 512 pixels around the origin, which is the pole
SQUARE = box(206, 206, 306, 306)  # 100 km, the pole in its middle
EARTH_M2 = 510_065_621_724_089  # of the WGS 84 ellipsoid
POLAR = ["EPSG:3031", "EPSG:3413", "EPSG:6931", "EPSG:6932"]


def on_ground(outline, crs, transform=KM_GRID, size=(512, 512), decimals=None):
    return to_lonlat(outline, georeference_of(CRS.from_user_input(crs), transform, (), *size), decimals)


def true_area(outline, crs, transform=KM_GRID):
    """By a Lambert equal-area projection of the pole, which knows neither cuts nor longitudes."""
    north = crs in ("EPSG:3413", "EPSG:6931")
    to_equal_area = pyproj.Transformer.from_crs(crs, "EPSG:6931" if north else "EPSG:6932", always_xy=True)
    fine = outline.segmentize(0.25)
    return shapely.transform(
        fine, lambda p: np.stack(to_equal_area.transform(*(transform @ (p[:, 0], p[:, 1]))), axis=1)
    ).area


@pytest.mark.parametrize("crs", POLAR)
@pytest.mark.parametrize(
    "outline",
    [
        SQUARE,
        box(256, 256, 300, 300),  # a corner at the pole
        box(256, 200, 300, 300),  # an edge through it
        SQUARE.difference(box(236, 236, 276, 276)),  # a ring around it
        SQUARE.difference(box(210, 210, 220, 220)),  # a hole beside it
        SQUARE.difference(box(256, 256, 276, 276)),  # a hole of which a corner lies there
        SQUARE.difference(box(256, 256, 306, 306)),  # an inner corner there
        box(100, 100, 150, 150),
    ],
)
def test_the_area_of_what_lies_over_at_or_around_a_pole(crs, outline):
    ground = on_ground(outline, crs)
    assert ground.is_valid
    assert area_m2(ground) == pytest.approx(true_area(outline, crs), rel=1e-4)
    assert area_m2(on_ground(outline, crs, decimals=6)) == pytest.approx(true_area(outline, crs), rel=1e-3)


def test_a_cap_has_the_area_of_the_formula():
    """2 pi R2 (1 - sin b): R the radius of a sphere as large as the Earth, b the latitude on it (authalic)."""
    radius_px = 100
    ground = on_ground(Point(256, 256).buffer(radius_px, 720), "EPSG:6931")
    (latitude,) = set(np.round(shapely.get_coordinates(ground)[:, 1], 6)) - {90.0}
    e = 0.0818191908426
    sine = np.sin(np.radians(latitude))

    def q(s):
        return (1 - e**2) * (s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e)

    sphere = EARTH_M2 / 2 * (1 - q(sine) / q(1.0))
    assert area_m2(ground) == pytest.approx(sphere, rel=1e-4)
    assert area_m2(ground) == pytest.approx(np.pi * 1e10, rel=1e-4)  # the grid is an equal-area one: 100 pixels of 1 km


def test_a_polygon_over_a_pole_closes_along_it():
    ground = on_ground(SQUARE, "EPSG:3031", decimals=6)
    assert ground.bounds[0::2] == (-180, 180)
    assert bbox_of(ground)[:3:2] == (-180, 180)
    assert bbox_of(ground)[1] == -90
    corners = shapely.get_coordinates(ground)
    assert {(-180.0, -90.0), (180.0, -90.0)} <= {tuple(c) for c in corners}
    assert centroid_of(ground).y == pytest.approx(-90, abs=1e-4)
    assert ground.exterior.is_ccw


@pytest.mark.parametrize("left", [-180, 0])
def test_the_whole_globe_is_as_large_as_the_earth(left):
    ground = on_ground(box(0, 0, 360, 180), "EPSG:4326", Affine(1, 0, left, 0, -1, 90), (360, 180))
    assert area_m2(ground) == pytest.approx(EARTH_M2, rel=1e-9)
    assert bbox_of(ground) == (-180, -90, 180, 90)
    half = on_ground(box(90, 0, 270, 90), "EPSG:4326", Affine(1, 0, left, 0, -1, 90), (360, 180))
    assert area_m2(half) == pytest.approx(EARTH_M2 / 4, rel=1e-9)


def test_nearly_the_whole_earth_around_a_point_is_a_globe_with_a_hole():
    grid = Affine(1e5, 0, -12.7e6, 0, -1e5, 12.7e6)
    disc = Point(127, 127).buffer(115, 64)
    ground = on_ground(disc, "+proj=laea +lat_0=0 +lon_0=0 +datum=WGS84", grid, (254, 254))
    assert area_m2(ground) == pytest.approx(disc.area * 1e10, rel=1e-3)
    assert bbox_of(ground) == (-180, -90, 180, 90)


@settings(max_examples=30, deadline=None)
@given(
    left=st.floats(-180, 180),
    west=st.integers(0, 60),
    north=st.integers(0, 60),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
)
def test_a_scene_shifted_by_any_longitude_has_the_same_areas(left, west, north, width, height):
    outline = box(west, north, west + width, north + height)
    shifted, plain = (
        on_ground(outline, "EPSG:4326", Affine(0.01, 0, lon, 0, -0.01, 60), (120, 120)) for lon in (left, 10.0)
    )
    assert area_m2(shifted) == pytest.approx(area_m2(plain), rel=1e-6)
    turn = (centroid_of(shifted).x - centroid_of(plain).x - left + 10 + 180) % 360 - 180
    assert turn == pytest.approx(0, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(meridian=st.floats(-180, 180), x=st.integers(0, 90), y=st.integers(0, 90), side=st.integers(1, 60))
def test_a_polar_scene_turned_to_any_meridian_has_the_same_areas(meridian, x, y, side):
    grid = Affine(1000, 0, -75_000, 0, -1000, 75_000)
    crs = "+proj=stere +lat_0=90 +lat_ts=70 +lon_0={} +datum=WGS84"
    turned, plain = (
        on_ground(box(x, y, x + side, y + side), crs.format(lon), grid, (150, 150)) for lon in (meridian, 0)
    )
    assert area_m2(turned) == pytest.approx(area_m2(plain), rel=1e-4)
    assert centroid_of(turned).y == pytest.approx(centroid_of(plain).y, abs=1e-5)


@pytest.mark.parametrize("pixel_m", [1000, 1, 0.1, 0.01, 0.001])
def test_an_outline_keeps_its_area_however_small_its_pixels_are(pixel_m):
    from t2s_agent.regions.rounding import Rounding

    grid = Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_000_000)
    decimals = Rounding.of(pixel_m, METRES).places
    ground = on_ground(box(10, 10, 16, 16), "EPSG:32633", grid, (40, 40), decimals)
    assert area_m2(ground) == pytest.approx(36 * pixel_m**2 / 0.9996**2, rel=0.01)


def test_off_the_earth_there_is_no_outline():
    ground = on_ground(box(0, 0, 5, 5), "+proj=geos +h=35785831", Affine(1e5, 0, -6e6, 0, -1e5, 6e6), (120, 120))
    assert ground.is_empty
