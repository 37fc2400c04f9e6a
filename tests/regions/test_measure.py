"""Measures: numbers worked by hand, and the truth of real footprints."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import box, shape
from views.data import cropped, mask_of, view_of

from t2s_agent.regions.build import build_regions
from t2s_agent.regions.measure import area_m2, seam_m
from t2s_agent.regions.operations import on_grid
from t2s_agent.regions.plane import distance_m
from t2s_agent.regions.polygons import rasterised, trace
from t2s_agent.scene import View, Window, open_scene

SHARED = Path(os.environ.get("T2S_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def test_a_rectangle_of_twenty_by_ten_pixels_of_half_a_metre_has_fifty_square_metres():
    view = view_of()
    region = build_regions(cropped([mask_of(view, 5, 5, 25, 15)]), view).regions[0]
    assert region.area.value == pytest.approx(50, rel=1e-3)  # UTM's scale is 0.9996 here
    assert region.perimeter.value == pytest.approx(30, rel=1e-3)
    assert region.area.plus_minus == pytest.approx(30 * 0.5 / 2, rel=1e-3)
    assert region.area.unit == "m2"
    lon, lat = view.georeference.to_lonlat(15, 10)
    assert region.centroid == pytest.approx((lon[0], lat[0]), abs=1e-6)


def test_without_a_crs_measures_are_pixels_of_the_scene():
    view = replace(view_of(crs=None), window=Window(100, 200, 120, 80))  # shown at half its size
    region = build_regions(cropped([mask_of(view, 0, 0, 10, 10)]), view).regions[0]
    assert (region.area.value, region.area.unit) == (400, "px2")
    assert region.bbox == (100, 200, 120, 220)


def test_mercator_does_not_stretch_areas():
    at_60_north = Affine(1, 0, 0, 0, -1, 8_399_738)
    view = view_of(transform=at_60_north, crs=3857)
    region = build_regions(cropped([mask_of(view, 0, 0, 20, 20)]), view).regions[0]
    assert region.area.value == pytest.approx(400 / 4, rel=0.01)


@given(st.integers(0, 50), st.integers(0, 30), st.integers(1, 10), st.integers(1, 10))
def test_masks_to_polygons_and_back_is_the_identity(x, y, w, h):
    view = view_of()
    mask = mask_of(view, x, y, x + w, y + h)
    assert (rasterised(trace(mask), 40, 60) == mask).all()
    regions = build_regions(cropped([mask]), view)
    assert ((regions.labels > 0) == mask).all()
    assert (on_grid(regions.regions, view)[0].full(40, 60) == mask).mean() > 0.99


def test_holes_are_kept_and_not_counted():
    view = view_of()
    mask = mask_of(view, 5, 5, 25, 25)
    mask[10:15, 10:15] = False
    region = build_regions(cropped([mask]), view).regions[0]
    assert len(region.geometry.interiors) == 1
    assert region.area.value == pytest.approx((400 - 25) / 4, rel=1e-3)


def test_outer_rings_run_counter_clockwise():
    view = view_of()
    region = build_regions(cropped([mask_of(view, 5, 5, 25, 25)]), view).regions[0]
    assert region.geometry.exterior.is_ccw


def test_a_region_across_the_antimeridian_is_cut_there():
    view = view_of(transform=Affine(0.01, 0, 179.8, 0, -0.01, 10), crs=4326)
    region = build_regions(cropped([mask_of(view, 10, 10, 30, 20)]), view).regions[0]
    assert len(region.geometry.geoms) == 2
    west, _, east, _ = region.bbox
    assert west == pytest.approx(179.9)
    assert east == pytest.approx(-179.9)
    assert abs(region.centroid[0]) == pytest.approx(180, abs=1e-6)
    whole = area_m2(box(0, 9.8, 0.2, 9.9))
    assert region.area.value == pytest.approx(whole, rel=1e-6)


def test_overlaps_go_to_the_smaller_and_repeats_become_one():
    view = view_of()
    large, small = mask_of(view, 0, 0, 30, 30), mask_of(view, 10, 10, 15, 15)
    regions = build_regions(cropped([large, small, large]), view)
    assert [r.id for r in regions.regions] == [1, 2]
    assert (regions.labels[10:15, 10:15] == 2).all()
    assert any("repeats" in warning for warning in regions.warnings)
    assert sum(r.area.value for r in regions.regions) == pytest.approx(900 / 4, rel=1e-3)


@pytest.mark.parametrize(("shift_px", "count"), [(12, 1), (14, 2)])
def test_masks_that_share_more_than_half_of_what_they_cover_are_one_object(shift_px, count):
    view = view_of()
    masks = cropped([mask_of(view, 0, 0, 40, 40), mask_of(view, shift_px, 0, 40 + shift_px, 40)])  # IoU 28/52, 26/54
    assert len(build_regions(masks, view).regions) == count


def test_nodata_belongs_to_no_region():
    view = view_of()
    view.valid[:, :10] = False
    region = build_regions(cropped([mask_of(view, 0, 0, 20, 10)]), view).regions[0]
    assert region.area.value == pytest.approx(100 / 4, rel=1e-3)


def test_small_regions_are_left_out_when_asked():
    view = view_of()
    regions = build_regions(cropped([mask_of(view, 0, 0, 4, 4), mask_of(view, 20, 20, 40, 40)]), view, min_area_m2=50)
    assert [round(r.area.value) for r in regions.regions] == [100]
    assert (regions.left_out, regions.warnings) == ({"min_area_m2": 1}, ())


def test_no_masks_are_no_regions():
    view = view_of()
    assert build_regions([], view).regions == ()


def test_one_degree_along_the_equator_is_111_km_319_m():
    assert distance_m(box(-0.001, -0.001, 0, 0.001), box(1, -0.001, 1.001, 0.001)) == pytest.approx(111_319, rel=1e-4)


def test_compactness_of_a_square():
    view = view_of()
    square = build_regions(cropped([mask_of(view, 0, 0, 30, 30)]), view).regions[0]
    assert square.compactness == pytest.approx(0.785, abs=2e-3)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "geo").is_dir(), reason="the footprints of ../shared/data are not here")
@pytest.mark.parametrize(
    ("raster", "truth"),
    [("kampala.tif", "kampala_buildings.geojson"), ("alexandria_height.tif", "alexandria_buildings.geojson")],
)
def test_real_footprints_come_back_within_two_percent_and_within_their_plus_minus(raster, truth):
    with open_scene(SHARED / "geo" / raster) as scene:
        view = scene.view(max_size=8192)
    view = replace(view, valid=np.ones_like(view.valid))
    inside = box(0, 0, view.width, view.height)
    true = found = bound = 0.0
    for feature in json.loads((SHARED / "geo" / truth).read_text(encoding="utf-8"))["features"]:
        footprint = shape(feature["geometry"])
        pixels = shapely.transform(
            footprint, lambda p: np.stack(view.georeference.from_lonlat(p[:, 0], p[:, 1]), axis=1)
        )
        if not inside.contains(pixels):
            continue
        x0, y0, x1, y1 = (int(v) for v in pixels.bounds)
        window = (max(0, x0 - 2), max(0, y0 - 2), x1 - x0 + 5, y1 - y0 + 5)
        part = view_part(view, *window)
        mask = rasterised(affinity.translate(pixels, -window[0], -window[1]), part.height, part.width)
        region = build_regions(cropped([mask]), part).regions[0]
        area = area_m2(footprint)
        assert abs(region.area.value - area) <= region.area.plus_minus
        true, found, bound = true + area, found + region.area.value, bound + region.area.plus_minus
    assert found == pytest.approx(true, rel=0.02)
    assert abs(found - true) <= bound


def view_part(view, x, y, width, height):
    width, height = min(width, view.width - x), min(height, view.height - y)
    part = (slice(y, y + height), slice(x, x + width))
    place = view.georeference.resized((x, y, width, height), width, height)
    return View(view.rgb[part], view.valid[part], place, Window(x, y, width, height), view.gsd_m, view.bands)


GLOBE = Affine(1, 0, -180, 0, -1, 90)  # a degree a pixel
TEN_DEGREES_M = 1_105_855  # of a meridian from the equator on, WGS 84


def parallel_m(latitude):
    """A whole circle of latitude: 2 pi N cos, N = a / sqrt(1 - e2 sin2)."""
    sine = np.sin(np.radians(latitude))
    return 2 * np.pi * 6_378_137 / np.sqrt(1 - 0.00669437999 * sine**2) * np.cos(np.radians(latitude))


@pytest.mark.parametrize(
    ("outline", "metres"),
    [
        (box(0, 80, 360, 100), 2 * TEN_DEGREES_M),  # ten degrees to each side of the equator
        (box(0, 80, 20, 100).union(box(340, 90, 360, 110)), TEN_DEGREES_M),  # ten rows are shared
        (box(0, 80, 20, 90).union(box(340, 90, 360, 110)), 0),  # a corner is
        (box(0, 80, 359, 100), 0),
        (box(1, 80, 360, 100), 0),
        (box(0, 70, 360, 110).difference(box(0, 80, 5, 90)), 3 * TEN_DEGREES_M),  # a notch of ten rows at the left
    ],
)
def test_where_a_picture_goes_around_the_earth_its_ends_are_no_boundary(outline, metres):
    view = view_of(180, 360, transform=GLOBE, crs=4326)
    assert seam_m(outline, view.georeference, 360) == pytest.approx(metres, rel=1e-2)


def test_the_ends_of_a_picture_that_goes_less_far_are_a_boundary():
    view = view_of(180, 350, transform=GLOBE, crs=4326)
    assert seam_m(box(0, 80, 350, 100), view.georeference, 350) == 0


def test_the_perimeter_of_a_belt_around_the_earth_is_that_of_two_circles():
    view = view_of(180, 360, transform=GLOBE, crs=4326)
    belt = build_regions(cropped([mask_of(view, 0, 80, 360, 100)]), view).regions[0]
    assert belt.perimeter.value == pytest.approx(2 * parallel_m(10), rel=0.01)


def test_a_long_side_is_measured_along_its_parallel_and_not_by_the_shortest_way():
    view = view_of(180, 360, transform=GLOBE, crs=4326)
    long = build_regions(cropped([mask_of(view, 50, 29, 170, 30)]), view).regions[0]  # 120 degrees at 60 to 61 north
    sides = (parallel_m(60) + parallel_m(61)) / 3 + 2 * TEN_DEGREES_M / 10
    assert long.perimeter.value == pytest.approx(sides, rel=0.02)  # the shortest way is a tenth shorter


def test_of_a_region_over_many_latitudes_each_pixel_counts_by_its_own_size():
    view = view_of(180, 360, transform=GLOBE, crs=4326)
    tall = build_regions(cropped([mask_of(view, 100, 10, 110, 90)]), view).regions[0]  # 80 to 0 degrees north
    assert tall.area.value == pytest.approx(area_m2(box(-80, 0, -70, 80)), rel=1e-6)
    assert 2 * 8 * TEN_DEGREES_M < tall.perimeter.value < 2.5 * 8 * TEN_DEGREES_M
    assert tall.perimeter.plus_minus < 0.1 * tall.perimeter.value
