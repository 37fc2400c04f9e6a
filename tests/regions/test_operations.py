"""Operations on regions, and the files that regions become."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rasterio._env import del_gdal_config, set_gdal_config
from views.data import cropped, mask_of, view_of

from t2s_agent.errors import T2SError
from t2s_agent.mask import union_of
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.geojson import feature_collection, regions_from
from t2s_agent.regions.operations import combined, masks_of, selected, smoothed, within
from t2s_agent.regions.picture import COLOURS, area_in_words, draw_picture, round_length
from t2s_agent.regions.raster import read_mask, write_mask
from t2s_agent.regions.region import Measure

areas = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 25), st.integers(1, 15), st.integers(1, 12)), max_size=4)


def three():
    view = view_of()
    boxes = [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    return view, build_regions(cropped(mask_of(view, *b) for b in boxes), view)


def area_of(boxes, view):
    area = np.zeros((view.height, view.width), bool)
    for x, y, w, h in boxes:
        area |= mask_of(view, x, y, x + w, y + h)
    return area


def test_ids_are_kept_and_dropped():
    _, regions = three()
    assert selected(regions, keep=[1, 3]) == [0, 2]
    assert selected(regions, drop=[1]) == [1, 2]


def test_an_unknown_id_is_told_the_valid_ones():
    _, regions = three()
    with pytest.raises(T2SError, match="1, 2, 3") as caught:
        selected(regions, keep=[7])
    assert caught.value.code == "region_unknown"


def test_near_is_measured_in_metres_from_edge_to_edge():
    _, regions = three()
    a, others = regions.regions[:1], regions.regions[1:]
    assert within(others, a, 2.1, located=True) == [0]  # four pixels of half a metre
    assert within(others, a, 1.9, located=True) == []
    assert within(others, a, 100, located=True) == [0, 1]


@given(areas, areas)
def test_union_commutes_and_difference_and_intersection_are_parts_of_the_whole(first, second):
    view = view_of()
    a, b = area_of(first, view), area_of(second, view)
    one, other = (union_of(combined(cropped([p]), q, "union"), *a.shape) for p, q in ((a, b), (b, a)))
    assert (one == (a | b)).all()
    assert (other == (a | b)).all()
    less, both = (combined(cropped([a]), b, name)[0] for name in ("difference", "intersection"))
    assert (both.full(*a.shape) == (a & b)).all()
    assert (less.full(*a.shape) == (a & ~b)).all()


def test_smoothing_removes_a_spur_and_keeps_what_would_vanish():
    view = view_of()
    spurred = mask_of(view, 10, 10, 30, 30)
    spurred[20, 30:40] = True
    dot = mask_of(view, 50, 5, 51, 6)
    smooth = [mask.full(40, 60) for mask in smoothed(cropped([spurred, dot]), view, 1.0)]
    assert not smooth[0][20, 35]
    assert smooth[0][20, 20]
    assert (smooth[1] == dot).all()


def test_geojson_comes_back_as_it_was(tmp_path):
    _, regions = three()
    text = json.dumps(feature_collection(regions, query="q"))
    back = regions_from(json.loads(text))
    assert [r.id for r in back] == [1, 2, 3]
    for was, now in zip(regions.regions, back, strict=True):
        assert now.geometry.equals(was.geometry)
        assert now.area.value == pytest.approx(was.area.value, abs=0.01)
        assert now.bbox == was.bbox


def test_the_mask_is_a_cog_in_place(tmp_path):
    view, regions = three()
    write_mask(regions.labels, view, tmp_path / "mask.tif")
    assert (read_mask(tmp_path / "mask.tif") == regions.labels).all()
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.crs.to_epsg(), file.nodata, file.dtypes) == (32633, 0, ("uint16",))
        assert file.transform == view.georeference.transform


def test_what_the_environment_says_of_gdal_does_not_displace_a_mask(tmp_path, request):
    set_gdal_config("GDAL_GEOREF_SOURCES", "WORLDFILE")
    request.addfinalizer(lambda: del_gdal_config("GDAL_GEOREF_SOURCES"))
    view, regions = three()
    write_mask(regions.labels, view, tmp_path / "mask.tif")
    del_gdal_config("GDAL_GEOREF_SOURCES")
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert file.crs.to_epsg() == 32633


def test_a_mask_without_a_place_is_written_too(tmp_path):
    view = view_of(crs=None)
    labels = np.full((40, 60), 3, np.uint16)
    write_mask(labels, view, tmp_path / "mask.tif")
    assert (read_mask(tmp_path / "mask.tif") == labels).all()


def test_the_picture_shows_view_and_legend(tmp_path):
    view, regions = three()
    draw_picture(view, regions, tmp_path / "p.png", title="Where?")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == 720
        assert picture.height > 480
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_areas_are_said_shortly():
    assert area_in_words(Measure(549.4, 25.1, "m2")) == "549 ± 25 m2"
    assert area_in_words(Measure(7.81, 4.53, "px2")) == "7.8 ± 4.5 px2"
    assert area_in_words(Measure(6.63e12, 3.96e11, "m2")) == "6,630,000 ± 396,000 km2"
    assert area_in_words(Measure(2.5e6, 1.2e5, "m2")) == "2.50 ± 0.12 km2"


def test_every_region_is_outlined_in_its_colour_and_the_scale_bar_stands_below(tmp_path):
    view, regions = three()
    draw_picture(view, regions, tmp_path / "p.png")
    pixels = np.asarray(Image.open(tmp_path / "p.png"))
    for region in regions.regions:
        ys, xs = np.nonzero(regions.labels == region.id)
        factor = pixels.shape[1] // view.width
        part = pixels[ys.min() * factor : (ys.max() + 1) * factor, xs.min() * factor : (xs.max() + 1) * factor]
        assert (part == COLOURS[region.id - 1]).all(-1).any()
    below = pixels[int(view.height * factor * 0.93) : view.height * factor]
    assert (below == 255).all(-1).any()


@given(st.floats(0.01, 1e6))
def test_the_scale_bar_has_a_round_length_that_fits(metres):
    length = round_length(metres)
    assert metres / 2.6 <= length <= metres * 1.0001
    assert f"{length:e}"[0] in "125"


def test_masks_of_a_set_are_its_labels_in_the_order_of_the_regions():
    _, regions = three()
    assert [mask.bounds for mask in masks_of(regions)] == [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    shuffled = replace(regions, regions=tuple(regions.regions[i] for i in (2, 0, 1)))
    assert [mask.x for mask in masks_of(shuffled)] == [50, 0, 14]
    for region, mask in zip(shuffled.regions, masks_of(shuffled), strict=True):
        assert (mask.full(*regions.labels.shape) == (regions.labels == region.id)).all()


def test_a_region_without_pixels_has_an_empty_mask():
    _, regions = three()
    regions.labels[regions.labels == 2] = 0
    assert [mask.area for mask in masks_of(regions)] == [100, 0, 100]
