"""Masks to regions, compared with a simple slow method."""

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, shape
from views.data import cropped, mask_of, view_of

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.regions import build
from t2s_agent.regions.build import SAME_IOU, build_regions, subset
from t2s_agent.regions.polygons import trace, traced_all

HEIGHT, WIDTH = 30, 40


@st.composite
def stacks(draw):
    """Full masks (N, 30, 40): rectangles and discs, some with holes, some the same as others, some empty."""
    count = draw(st.integers(0, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    stack = np.zeros((count, HEIGHT, WIDTH), bool)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for index, mask in enumerate(stack):
        kind = rng.integers(5)
        if kind == 0 and index:
            mask |= stack[rng.integers(index)] & (rng.random((HEIGHT, WIDTH)) > 0.1)
        elif kind in (1, 2):
            mask |= np.hypot(x - rng.integers(WIDTH), y - rng.integers(HEIGHT)) < rng.uniform(0, 12)
        elif kind == 3:
            x0, y0 = rng.integers(WIDTH), rng.integers(HEIGHT)
            mask[y0 : y0 + rng.integers(15), x0 : x0 + rng.integers(15)] = True
            mask &= rng.random((HEIGHT, WIDTH)) > 0.05
    scores = rng.choice([0.2, 0.5, 0.9], count).astype(np.float32)
    valid = rng.random((HEIGHT, WIDTH)) > 0.03
    return stack, scores, valid


def slowly(stack, scores, valid):
    """Labels (H, W) and which masks are left, with full arrays and every pair compared."""
    stack = stack & valid
    kept = []
    for index in sorted(range(len(stack)), key=lambda i: (-scores[i], i)):
        ious = [(stack[index] & stack[k]).sum() / (stack[index] | stack[k]).sum() for k in kept]
        if stack[index].any() and not any(iou > SAME_IOU for iou in ious):
            kept.append(index)
    kept.sort()
    labels = np.zeros((HEIGHT, WIDTH), int)
    for index in sorted(kept, key=lambda i: -stack[i].sum()):
        labels[stack[index]] = index + 1
    left = [index for index in kept if (labels == index + 1).any()]
    ids = np.zeros((HEIGHT, WIDTH), int)
    for number, index in enumerate(left):
        ids[labels == index + 1] = number + 1
    return ids, left


@settings(deadline=None)
@given(stacks())
def test_regions_are_equal_to_those_of_a_simple_slow_method(drawn):
    stack, scores, valid = drawn
    view = view_of(HEIGHT, WIDTH)
    view.valid[:] = valid
    regions = build_regions(cropped(stack), view, scores=scores)
    ids, left = slowly(stack, scores, valid)
    assert (regions.labels == ids).all()
    assert [region.id for region in regions.regions] == [i + 1 for i in range(len(left))]
    assert [region.score for region in regions.regions] == pytest.approx([float(scores[i]) for i in left])
    assert len(regions.warnings) == len(stack) - len(left)


@settings(deadline=None)
@given(stacks())
def test_outlines_traced_together_equal_those_traced_one_by_one(drawn):
    stack, _, _ = drawn
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    for index, mask in enumerate(stack):
        labels[mask] = index + 1
    found = traced_all(labels)
    assert sorted(found) == [value for value in np.unique(labels) if value]
    for value, outline in found.items():
        own = labels == value
        parts = [shape(g) for g, _ in rasterio.features.shapes(own.astype(np.uint8), mask=own, connectivity=4)]
        alone = parts[0] if len(parts) == 1 else MultiPolygon(parts)
        assert shapely.equals_exact(outline, alone)
        assert shapely.equals_exact(outline, trace(own))


def test_an_outline_runs_along_the_edges_of_its_pixels():
    labels = np.zeros((6, 8), np.int32)
    labels[2:4, 3:7] = 5
    assert traced_all(labels)[5].bounds == (3, 2, 7, 4)
    assert traced_all(np.zeros((6, 8), np.int32)) == {}


def test_a_mask_below_others_is_left_out_with_a_warning():
    view = view_of()
    masks = cropped([mask_of(view, 0, 0, 10, 10), mask_of(view, 0, 0, 5, 10), mask_of(view, 5, 0, 10, 10)])
    regions = build_regions([*masks, EMPTY], view)
    assert [region.id for region in regions.regions] == [1, 2]
    assert regions.warnings == ("instance 4 has an empty mask", "instance 1 has no pixels of its own and is left out")


def test_of_two_duplicates_the_higher_score_is_kept_and_none_counts_as_zero():
    view = view_of()
    same = cropped([mask_of(view, 0, 0, 10, 10)] * 3)
    assert build_regions(same, view, scores=[0.2, 0.9, np.nan]).warnings == (
        "instance 1 repeats instance 2 and is left out",
        "instance 3 repeats instance 2 and is left out",
    )


def test_a_union_is_one_region_of_all():
    view = view_of()
    masks = cropped([mask_of(view, 0, 0, 10, 10), mask_of(view, 20, 20, 30, 30)])
    (region,) = build_regions(masks, view, merge="union", scores=[0.5, 0.5]).regions
    assert region.area.value == pytest.approx(200 / 4, rel=1e-3)
    assert region.score is None


def test_more_regions_than_ids_are_refused(monkeypatch):
    monkeypatch.setattr(build, "MOST_REGIONS", 2)
    dots = [Mask(np.ones((1, 1), bool), x, 0) for x in (0, 5, 10)]
    assert len(build_regions(dots[:2], view_of()).regions) == 2
    with pytest.raises(T2SError) as caught:
        build_regions(dots, view_of())
    assert caught.value.code == "limit_exceeded"


def test_a_region_knows_its_own_place_size_label_and_whether_it_touches_an_edge():
    view = view_of(crs=None)
    boxes = [(0, 5, 10, 9), (20, 0, 30, 12), (52, 10, 60, 20), (20, 30, 24, 40), (30, 20, 40, 26)]
    labels = ["left", "top", "right", "bottom", ""]
    instances = [Instance(box, label=label) for box, label in zip(boxes, labels, strict=True)]
    regions = build_regions(cropped([mask_of(view, *box) for box in boxes]), view, instances=instances).regions
    assert [region.label for region in regions] == labels
    assert [region.centroid for region in regions] == [(5, 7), (25, 6), (56, 15), (22, 35), (35, 23)]
    assert [region.area.value for region in regions] == [40, 120, 80, 40, 60]
    assert [region.touches_edge for region in regions] == [True, True, True, True, False]
    assert [region.instance for region in regions] == instances


def test_label_and_agreement_are_those_of_the_prompt_unless_they_are_given():
    view, boxes = view_of(), [(0, 5, 10, 9), (20, 0, 30, 12)]
    masks = cropped([mask_of(view, *box) for box in boxes])
    prompted = [Instance(boxes[0], label="tank", score=0.75), None]
    regions = build_regions(masks, view, instances=prompted).regions
    assert [(region.label, region.agreement) for region in regions] == [("tank", 0.75), ("", None)]
    given_ = build_regions(masks, view, instances=prompted, names=["ship", "quay"], agreements=[None, 0.5]).regions
    assert [(region.label, region.agreement) for region in given_] == [("ship", None), ("quay", 0.5)]
    assert [region.instance for region in given_] == prompted


def test_on_earth_a_centroid_is_longitude_then_latitude_of_the_middle():
    view = view_of()
    (region,) = build_regions(cropped([mask_of(view, 30, 4, 50, 10)]), view).regions
    lon, lat = view.georeference.to_lonlat(np.array([40.0]), np.array([7.0]))
    assert region.centroid == pytest.approx((lon[0], lat[0]), abs=2e-7)
    assert region.pixel == pytest.approx(0.5, rel=1e-3)


def test_the_plus_minus_of_an_area_is_half_a_pixel_along_the_boundary():
    view = view_of()
    (region,) = build_regions(cropped([mask_of(view, 5, 5, 25, 15)]), view).regions
    assert region.area.plus_minus == pytest.approx(30 * 0.5 / 2, rel=0.01)  # the boundary measures 30 m
    assert region.perimeter.plus_minus < 0.1 * region.perimeter.value
    (same,) = build_regions(cropped([mask_of(view_of(crs=None), 5, 5, 25, 15)]), view_of(crs=None)).regions
    assert same.area.plus_minus == pytest.approx(60 / 2, rel=0.01)


def test_regions_below_the_least_area_are_counted_and_one_of_just_that_area_is_kept():
    view = view_of(crs=None)
    masks = cropped([mask_of(view, 0, 0, 4, 4), mask_of(view, 10, 0, 14, 5), mask_of(view, 20, 0, 21, 1)])
    regions = build_regions(masks, view, min_area_m2=20)
    assert ([region.area.value for region in regions.regions], regions.left_out) == ([20], {"min_area_m2": 2})


def test_overlaps_are_listed_in_the_order_of_their_new_numbers():
    view = view_of()
    masks = [mask_of(view, 0, 0, 20, 20), mask_of(view, 18, 0, 30, 5), mask_of(view, 18, 10, 30, 16)]
    regions = build_regions(cropped(masks), view)
    assert regions.regions[0].overlaps == (2, 3)
    assert subset(regions, [2, 1, 0]).regions[2].overlaps == (1, 2)
    assert subset(regions, [0, 2]).regions[0].overlaps == (2,)


def test_pixels_off_the_earth_belong_to_no_region_and_are_counted():
    grid = Affine(1e5, 0, -6e6, 0, -1e5, 6e6)  # the whole disc as a geostationary satellite sees it
    view = view_of(110, 120, transform=grid, crs="+proj=geos +h=35785831")
    masks = [mask_of(view, 0, 0, 5, 5), mask_of(view, 50, 50, 70, 70)]
    regions = build_regions(cropped(masks), view)
    assert [region.id for region in regions.regions] == [1]
    assert regions.warnings[0] == "25 pixels at or beyond the edge of the Earth are left out"
    assert not regions.labels[:5, :5].any()
