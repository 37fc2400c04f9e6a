"""Regions as GeoJSON: decimals follow the pixel, and what a reader relies on is always true."""

import json

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape
from views.data import mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.fields import About
from t2s_agent.regions.geojson import feature_collection, regions_from
from t2s_agent.regions.measure import area_m2
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.units import METRES, PIXELS
from t2s_agent.results.record import measures_of


def six_by_six(pixel_m, crs=32633):
    view = view_of(transform=Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_000_000), crs=crs)
    return build_regions([Mask.of(mask_of(view, 10, 10, 16, 16))], view)


@pytest.mark.parametrize("pixel_m", [1000, 10, 0.1, 0.01, 0.001])
def test_areas_and_outlines_of_36_pixels_are_right_for_pixels_of_any_size(pixel_m):
    collection = json.loads(json.dumps(feature_collection(six_by_six(pixel_m)), allow_nan=False))
    (feature,) = collection["features"]
    expected = 36 * pixel_m**2 / 0.9996**2  # UTM's scale on its central meridian
    assert feature["properties"]["area_m2"] == pytest.approx(expected, rel=2e-3)
    assert 0 < feature["properties"]["area_pm_m2"] < expected
    assert area_m2(shape(feature["geometry"])) == pytest.approx(expected, rel=0.02)
    assert feature["properties"]["pixel_m"] == pytest.approx(pixel_m, rel=1e-3)
    record = measures_of(six_by_six(pixel_m))
    assert record["total_area"] == pytest.approx(expected, rel=2e-3)
    assert record["regions"][0].area == feature["properties"]["area_m2"]
    west, south, east, north = record["regions"][0].bbox
    assert west < east
    assert south < north


@pytest.mark.parametrize("crs", [4978, 32633])
def test_the_unit_agrees_with_the_description_of_the_coordinates(crs):
    regions = six_by_six(1.0, crs=crs)
    collection = feature_collection(regions)
    (feature,) = collection["features"]
    if regions.units.on_earth:
        assert "lon/lat" in collection["coordinates"]
        assert "area_m2" in feature["properties"]
    else:
        assert "pixels" in collection["coordinates"]
        assert feature["properties"]["area_px2"] == 36
        assert not any(name.endswith(("_m", "_m2")) for name in feature["properties"])
        assert feature["bbox"] == [10, 10, 16, 16]


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e4), st.integers(0, 40), st.integers(0, 25), st.integers(1, 15), st.integers(1, 12))
def test_a_file_comes_back_as_it_was_written(pixel_m, x, y, width, height):
    view = view_of(transform=Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_000_000))
    regions = build_regions([Mask.of(mask_of(view, x, y, x + width, y + height))], view)
    (was,), (now,) = regions.regions, regions_from(json.loads(json.dumps(feature_collection(regions), allow_nan=False)))
    assert not now.geometry.is_empty
    assert now.geometry.equals(was.geometry)
    assert (now.bbox, now.centroid) == (was.bbox, was.centroid)
    for after, before in ((now.area, was.area), (now.perimeter, was.perimeter)):
        assert after.value == pytest.approx(before.value, rel=0.005)
        assert after.plus_minus == pytest.approx(before.plus_minus, rel=0.06, abs=0.006)
    assert now.rounding.places == was.rounding.places


def test_a_region_over_the_limb_is_measured_without_pixels_off_the_earth():
    view = view_of(120, 120, transform=Affine(1e5, 0, -6e6, 0, -1e5, 6e6), crs="+proj=geos +h=35785831")
    regions = build_regions([Mask.of(mask_of(view, 0, 40, 40, 80)), Mask.of(mask_of(view, 0, 0, 5, 5))], view)
    assert [region.id for region in regions.regions] == [1]
    assert any("edge of the Earth" in warning for warning in regions.warnings)
    assert regions.labels[60, 20] == 1
    assert regions.labels[60, 0] == 0
    text = json.dumps(feature_collection(regions), allow_nan=False)
    assert json.loads(text)["features"][0]["properties"]["area_m2"] > 1e12


def test_label_and_agreement_come_back_from_a_file_without_prompts():
    view = view_of()
    masks = [Mask.of(mask_of(view, *box)) for box in ((0, 5, 10, 9), (20, 0, 30, 12))]
    regions = build_regions(masks, view, names=["tank", ""], agreements=[0.75, None])
    back = regions_from(feature_collection(regions))
    assert [(region.label, region.agreement, region.instance) for region in back] == [
        ("tank", 0.75, None),
        ("", None, None),
    ]


@pytest.mark.parametrize(
    ("pixel", "units", "expected"),
    [
        (0.001, METRES, Rounding(10, 8, 5)),  # a fiftieth of a millimetre are 1.8e-10 degrees
        (0.5, METRES, Rounding(8, 3, 3)),
        (10, METRES, Rounding(6, 0, 1)),
        (1000, METRES, Rounding(6, 0, 0)),
        (2, PIXELS, Rounding(2, 2, 2)),
    ],
)
def test_decimals_are_those_of_a_hundredth_of_a_pixel(pixel, units, expected):
    assert Rounding.of(pixel, units) == expected


def test_trailing_zeros_are_left_out():
    fine = Rounding.of(0.05, METRES)  # 5 cm: an area could have five decimals
    assert (fine.areas, fine.lengths) == (5, 4)
    assert fine.shown((8.00444, 0.3), (11.93456, 0.11)).area(8.00444) == 8.0
    assert fine.shown((8.00444, 0.3), (11.93456, 0.11)).length(11.93456) == 11.93
    assert fine.shown((0.0036123, 0.00012), (1, 1)).area(0.0036123) == 0.00361  # two digits of the plus/minus
    assert fine.shown((0.0025, 0.01), (1, 1)).area(0.0025) == 0.0025  # three digits of the value


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.integers(0, 40), st.integers(0, 20), st.integers(1, 19), st.integers(1, 19))
def test_a_region_has_the_same_measures_at_any_longitude(left, x, y, width, height):
    def at(lon):
        view = view_of(transform=Affine(1e-3, 0, lon, 0, -1e-3, 50), crs=4326)
        (region,) = build_regions([Mask.of(mask_of(view, x, y, x + width, y + height))], view).regions
        return region.area.value, region.area.plus_minus, region.perimeter.value, region.perimeter.plus_minus

    assert at(left) == pytest.approx(at(10.0), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.integers(0, 40), st.integers(0, 20), st.integers(1, 19), st.integers(1, 19))
def test_a_region_beside_or_over_a_pole_has_the_same_measures_however_the_map_is_turned(meridian, x, y, width, height):
    def turned(lon):
        crs = f"+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0={lon} +datum=WGS84"
        view = view_of(transform=Affine(1000, 0, -30_000, 0, -1000, 20_000), crs=crs)
        (region,) = build_regions([Mask.of(mask_of(view, x, y, x + width, y + height))], view).regions
        return region.area.value, region.area.plus_minus, region.perimeter.value, region.perimeter.plus_minus

    assert turned(meridian) == pytest.approx(turned(0.0), rel=1e-3)


@pytest.mark.parametrize("left", [-180, 0])
def test_a_band_around_the_earth_has_no_boundary_where_the_picture_ends(left):
    view = view_of(180, 360, transform=Affine(1, 0, left, 0, -1, 90), crs=4326)
    cap, band = (
        build_regions([Mask.of(mask_of(view, 0, top, 360, bottom))], view).regions[0]
        for top, bottom in ((0, 20), (30, 50))
    )
    circles = {
        lat: 2 * np.pi * 6_378_137 * np.cos(np.radians(lat)) / np.sqrt(1 - 0.00669438 * np.sin(np.radians(lat)) ** 2)
        for lat in (70, 60, 40)
    }
    assert cap.perimeter.value == pytest.approx(circles[70], rel=0.03)
    assert band.perimeter.value == pytest.approx(circles[60] + circles[40], rel=0.02)
    assert build_regions([Mask.of(mask_of(view, 0, 0, 360, 180))], view).regions[0].perimeter.value < 1e6


def test_geojson_comes_back_as_it_was():
    view = view_of()
    regions = build_regions([Mask.of(mask_of(view, x, 0, x + 10, 10)) for x in (0, 14, 50)], view)
    text = json.dumps(feature_collection(regions, About(question="q")))
    back = regions_from(json.loads(text))
    assert [r.id for r in back] == [1, 2, 3]
    for was, now in zip(regions.regions, back, strict=True):
        assert now.geometry.equals(was.geometry)
        assert now.area.value == pytest.approx(was.area.value, abs=0.01)
        assert now.bbox == was.bbox
