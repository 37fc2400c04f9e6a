"""Operations on regions: sets, smoothing, and regions of any result on a view's grid."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from views.data import cropped, mask_of, view_of

from t2s_agent.errors import T2SError
from t2s_agent.mask import union_of
from t2s_agent.regions.build import build_regions, subset
from t2s_agent.regions.operations import combined, masks_of, on_grid, require_known, smoothed
from t2s_agent.scene import Window

areas = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 25), st.integers(1, 15), st.integers(1, 12)), max_size=4)


def three():
    view = view_of()
    boxes = [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    return view, build_regions(cropped(mask_of(view, *b) for b in boxes), view)


def test_the_error_for_an_unknown_id_names_the_valid_ones():
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


def test_a_union_merges_duplicates_and_keeps_slightly_overlapping_objects():
    view = view_of()
    a = disjoint([(0, 0, 10, 10), (30, 0, 10, 10)], view)
    b = disjoint([(2, 0, 10, 10), (38, 0, 4, 10)], view)  # IoU 80 / 120 and 20 / 120
    one, large, small = combined(a, b, 40, 60, "union")
    assert (one.own, one.others, one.mask.area) == (0, (0,), 120)
    assert (large.own, large.others, large.mask.area) == (1, (), 80)
    assert (small.own, small.others, small.mask.area) == (None, (1,), 40)  # the smaller keeps what they share


def test_an_object_cut_in_two_by_a_difference_stays_one_object():
    view = view_of()
    (piece,) = combined(disjoint([(0, 10, 30, 4)], view), disjoint([(10, 0, 5, 40)], view), 40, 60, "difference")
    (region,) = build_regions([piece.mask], view).regions
    assert (piece.own, region.parts, piece.mask.area) == (0, 2, 100)


def test_an_intersection_names_all_that_it_comes_from():
    view = view_of()
    others = disjoint([(0, 0, 5, 5), (8, 0, 5, 5), (50, 0, 5, 5)], view)
    (piece,) = combined(disjoint([(0, 0, 30, 3)], view), others, 40, 60, "intersection")
    assert (piece.own, piece.others, piece.mask.area) == (0, (0, 1), 30)


def test_smoothing_removes_a_spur_and_keeps_masks_that_would_become_empty():
    view = view_of()
    spurred = mask_of(view, 10, 10, 30, 30)
    spurred[20, 30:40] = True
    dot = mask_of(view, 50, 5, 51, 6)
    smooth = [mask.full(40, 60) for mask in smoothed(cropped([spurred, dot]), view, 1.0)]
    assert not smooth[0][20, 35]
    assert smooth[0][20, 20]
    assert (smooth[1] == dot).all()


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


def test_existing_ids_are_accepted():
    require_known([1, 2, 3], [3, 1, 3])
    require_known([], [])


@pytest.mark.parametrize(("pixel_m", "left"), [(0.5, False), (2.0, True)])
def test_a_radius_on_earth_is_metres(pixel_m, left):
    """A spur of 3 pixels is 1.5 m or 6 m wide: what is narrower than twice 1 m goes."""
    view = view_of(transform=Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_000_000))
    spurred = mask_of(view, 5, 5, 25, 35)
    spurred[20:23, 25:40] = True
    (smooth,) = smoothed(cropped([spurred]), view, 1.0)
    assert smooth.full(40, 60)[21, 35] == left


@pytest.mark.parametrize(("window", "left"), [(Window(0, 0, 60, 40), True), (Window(0, 0, 240, 160), False)])
def test_a_radius_without_a_georeference_is_in_pixels_of_the_scene(window, left):
    """A spur of 5 pixels of the view is 5 or 20 pixels of the scene wide: radii of 2 and of 12 go through it or not."""
    view = replace(view_of(crs=None), window=window)
    spurred = mask_of(view, 5, 5, 25, 35)
    spurred[20:25, 25:40] = True
    radius = 2.0 if left else 12.0
    (smooth,) = smoothed(cropped([spurred]), view, radius)
    assert smooth.full(40, 60)[22, 35] == left
    (smooth,) = smoothed(cropped([spurred]), view, radius * 2 if left else radius / 2)
    assert smooth.full(40, 60)[22, 35] != left


def test_what_is_smoothed_at_the_right_and_at_the_lower_edge_stays_there():
    view = view_of()
    masks = [mask_of(view, 50, 5, 60, 25), mask_of(view, 5, 30, 25, 40)]
    for mask, smooth in zip(masks, smoothed(cropped(masks), view, 1.0), strict=True):
        assert smooth.area == pytest.approx(mask.sum(), rel=0.05)
        assert (smooth.full(40, 60) & ~mask).sum() == 0


@pytest.mark.parametrize("crs", [32633, None])
def test_regions_of_another_result_lie_on_a_views_pixels_where_their_outlines_do(crs):
    fine = view_of(80, 120, transform=Affine(0.25, 0, 500_000, 0, -0.25, 5_000_000), crs=crs)
    regions = build_regions(cropped([mask_of(fine, 100, 8, 120, 24), mask_of(fine, 4, 60, 24, 80)]), fine).regions
    view = view_of() if crs else replace(view_of(crs=None), window=Window(0, 0, 120, 80))
    assert [mask.bounds for mask in on_grid(regions, view)] == [(50, 4, 60, 12), (2, 30, 12, 40)]


def test_without_a_place_a_view_of_a_part_shows_regions_moved_and_scaled_by_its_own_factors():
    whole = view_of(80, 120, crs=None)
    regions = build_regions(cropped([mask_of(whole, 30, 20, 60, 40)]), whole).regions
    part = replace(view_of(40, 60, crs=None), window=Window(20, 10, 60, 80))  # 1 x 2 pixels of the scene a pixel
    assert [mask.bounds for mask in on_grid(regions, part)] == [(10, 5, 40, 15)]


@pytest.mark.parametrize(("row", "left"), [(78, True), (15, False)])
def test_a_radius_is_metres_at_the_place_of_the_mask_and_not_of_the_view(row, left):
    """A spur of 3 pixels, each of 110 km (the root of its area) at 10 degrees north, and of 57 km at 74: 130 km is between."""
    view = view_of(90, 60, transform=Affine(1, 0, 0, 0, -1, 90), crs=4326)
    spurred = mask_of(view, 5, row - 9, 25, row + 12)
    spurred[row : row + 3, 25:40] = True
    (smooth,) = smoothed(cropped([spurred]), view, 130_000)
    assert smooth.full(90, 60)[row + 1, 35] == left


@pytest.mark.parametrize("crs", [32633, None])
def test_what_lies_below_or_beside_a_view_is_cut_off(crs):
    whole = view_of(80, 120, crs=crs)
    regions = build_regions(cropped([mask_of(whole, 20, 30, 30, 70), mask_of(whole, 40, 10, 100, 20)]), whole).regions
    view = view_of(40, 60, crs=crs)
    assert [mask.bounds for mask in on_grid(regions, view)] == [(20, 30, 30, 40), (40, 10, 60, 20)]
