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
from t2s_agent.regions.build import build_regions, subset
from t2s_agent.regions.fields import About
from t2s_agent.regions.geojson import feature_collection, regions_from
from t2s_agent.regions.operations import combined, masks_of, require_known, smoothed
from t2s_agent.regions.picture import COLOURS, area_in_words, draw_picture, round_length
from t2s_agent.regions.raster import read_mask, write_mask
from t2s_agent.regions.region import Measure

areas = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 25), st.integers(1, 15), st.integers(1, 12)), max_size=4)


def three():
    view = view_of()
    boxes = [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    return view, build_regions(cropped(mask_of(view, *b) for b in boxes), view)


def test_an_unknown_id_is_told_the_valid_ones():
    with pytest.raises(T2SError, match="1, 2, 3") as caught:
        require_known([1, 2, 3], [1, 7])
    assert caught.value.code == "region_unknown"


def test_a_subset_is_numbered_again_and_its_pixels_with_it():
    _, regions = three()
    part = subset(regions, [2, 0])
    assert [(r.id, r.bbox) for r in part.regions] == [(1, regions.regions[2].bbox), (2, regions.regions[0].bbox)]
    assert (part.labels[35, 55], part.labels[5, 5], part.labels[5, 20]) == (1, 2, 0)


def disjoint(boxes, view):
    """Masks of boxes, each without the pixels of those before it: the regions of one result share no pixels."""
    taken = np.zeros((view.height, view.width), bool)
    found = []
    for x, y, w, h in boxes:
        mask = mask_of(view, x, y, x + w, y + h) & ~taken
        taken |= mask
        if mask.any():
            found.append(mask)
    return cropped(found)


def covered(pieces, view):
    """The pixels of all pieces; demands that no two pieces share one."""
    count = sum((piece.mask.full(view.height, view.width).astype(int) for piece in pieces), np.zeros((40, 60), int))
    assert count.max(initial=0) <= 1
    return count > 0


@given(areas, areas)
def test_areas_of_union_intersection_and_difference_add_up(first, second):
    view = view_of()
    a, b = disjoint(first, view), disjoint(second, view)
    whole_a, whole_b = union_of(a, 40, 60), union_of(b, 40, 60)
    union, both, less = (
        covered(combined(a, b, 40, 60, name), view) for name in ("union", "intersection", "difference")
    )
    assert (union == (whole_a | whole_b)).all()
    assert (both == (whole_a & whole_b)).all()
    assert (less == (whole_a & ~whole_b)).all()
    assert union.sum() == whole_a.sum() + whole_b.sum() - both.sum()
    assert (covered(combined(b, a, 40, 60, "union"), view) == union).all()


def test_twenty_eight_and_twelve_regions_that_do_not_overlap_are_forty():
    view = view_of()
    cells = [(x, y, 7, 7) for y in range(0, 40, 8) for x in range(0, 56, 7)]  # neighbours in a row touch
    masks = disjoint(cells, view)
    found = combined(masks[:28], masks[28:], 40, 60, "union")
    assert [(piece.own, piece.others) for piece in found] == [
        *((i, ()) for i in range(28)),
        *((None, (k,)) for k in range(12)),
    ]
    assert [piece.mask.area for piece in found] == [49] * 40


def test_of_a_union_objects_that_are_one_become_one_and_slightly_overlapping_ones_stay_apart():
    view = view_of()
    a = disjoint([(0, 0, 10, 10), (30, 0, 10, 10)], view)
    b = disjoint([(2, 0, 10, 10), (38, 0, 4, 10)], view)  # IoU 80 / 120 and 20 / 120
    one, large, small = combined(a, b, 40, 60, "union")
    assert (one.own, one.others, one.mask.area) == (0, (0,), 120)
    assert (large.own, large.others, large.mask.area) == (1, (), 80)
    assert (small.own, small.others, small.mask.area) == (None, (1,), 40)  # the smaller keeps what they share


def test_what_a_difference_cuts_through_stays_one_object_in_two_parts():
    view = view_of()
    (piece,) = combined(disjoint([(0, 10, 30, 4)], view), disjoint([(10, 0, 5, 40)], view), 40, 60, "difference")
    (region,) = build_regions([piece.mask], view).regions
    assert (piece.own, region.parts, piece.mask.area) == (0, 2, 100)


def test_an_intersection_names_all_that_it_comes_from():
    view = view_of()
    others = disjoint([(0, 0, 5, 5), (8, 0, 5, 5), (50, 0, 5, 5)], view)
    (piece,) = combined(disjoint([(0, 0, 30, 3)], view), others, 40, 60, "intersection")
    assert (piece.own, piece.others, piece.mask.area) == (0, (0, 1), 30)


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
    text = json.dumps(feature_collection(regions, About(question="q")))
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
        assert (file.crs.to_epsg(), file.nodata, file.dtypes) == (32633, 0, ("uint8",))
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
    draw_picture(view, regions, title="Where?").save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == 720
        assert picture.height > 480
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize(("width", "height", "size"), [(3000, 1500, (2048, 1024)), (64, 4096, (32, 2048))])
def test_the_picture_of_a_large_view_is_made_smaller(tmp_path, width, height, size):
    view = view_of(height, width)
    regions = build_regions(cropped([mask_of(view, width // 2, height // 2, width, height)]), view)
    draw_picture(view, regions).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == size[0]
        assert picture.height > size[1]
        pixels = np.asarray(picture.convert("RGB"))[: size[1]].astype(int)
    inked = (pixels == COLOURS[0]).all(-1)  # the outline
    ys, xs = np.nonzero(inked)
    assert (xs.min(), ys.min()) == (pytest.approx(size[0] / 2, abs=8), pytest.approx(size[1] / 2, abs=8))


def test_areas_are_said_shortly():
    assert area_in_words(Measure(549.4, 25.1, "m2")) == "549 ± 25 m2"
    assert area_in_words(Measure(7.81, 4.53, "px2")) == "7.8 ± 4.5 px2"
    assert area_in_words(Measure(6.63e12, 3.96e11, "m2")) == "6,630,000 ± 396,000 km2"
    assert area_in_words(Measure(2.5e6, 1.2e5, "m2")) == "2.50 ± 0.12 km2"


def test_every_region_is_outlined_in_its_colour_and_the_scale_bar_stands_below(tmp_path):
    view, regions = three()
    draw_picture(view, regions).save(tmp_path / "p.png")
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
