"""Neighbours are simplified together, so that no point belongs to two regions."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from views.data import view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.neighbours import touching
from t2s_agent.regions.polygons import simplified_all, traced_all


def cells(seed, size=60, count=9):
    """Labels of cells around random points, cut at 18 px: most share an edge with others, some have holes between them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centres = rng.uniform(0, size, (count, 2))
    distance = np.hypot(y[..., None] - centres[:, 0], x[..., None] - centres[:, 1])
    return np.where(distance.min(-1) > 18, 0, distance.argmin(-1) + 1).astype(np.int32)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_simplified_neighbours_share_no_area_and_keep_theirs(seed):
    outlines = list(traced_all(cells(seed)).values())
    simple = np.array(simplified_all(outlines), object)
    assert shapely.is_valid(simple).all()
    assert shapely.area(simple).sum() - shapely.union_all(simple).area == pytest.approx(0, abs=1e-6)
    assert shapely.area(simple) == pytest.approx(shapely.area(np.array(outlines, object)), rel=0.05, abs=1)
    assert shapely.hausdorff_distance(simple, np.array(outlines, object)).max() <= 1.5


def test_a_slanted_edge_between_two_regions_loses_its_steps_on_both_sides():
    labels = np.full((20, 40), 2, np.int32)
    labels[np.arange(20)[:, None] > np.arange(40)[None]] = 1  # steps of one pixel
    below, above = simplified_all(list(traced_all(labels).values()))
    assert shapely.get_num_coordinates(below) < 8  # 20 steps have 41 corners
    assert below.intersection(above).area == 0
    assert below.intersection(above).length == pytest.approx(19 * 2**0.5, abs=1)


def test_regions_on_the_ground_do_not_overlap_either():
    labels = cells(1, size=40)
    view = view_of(40, 40)
    masks = [Mask.of(labels == value) for value in np.unique(labels[labels > 0])]
    outlines = np.array([region.geometry for region in build_regions(masks, view).regions], object)
    shared = shapely.area(outlines).sum() - shapely.union_all(outlines).area
    assert shared == pytest.approx(0, abs=1e-6 * shapely.area(outlines).sum())


def test_exactly_the_touching_outlines_are_found():
    labels = np.zeros((10, 30), np.int32)
    labels[2:5, 2:5], labels[2:5, 5:8], labels[5:8, 8:11], labels[2:5, 20:25] = 1, 2, 3, 4
    assert touching(list(traced_all(labels).values())).tolist() == [0, 1, 2]  # the third by its corner
