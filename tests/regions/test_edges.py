"""Estimated outlines: gaps between drawn shapes come back within their plus/minus."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import Point, box
from views.data import cropped, mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.edges import edges_of, with_edges
from t2s_agent.regions.polygons import rasterised, trace, traced_all
from t2s_agent.regions.relations import nearest_of
from t2s_agent.regions.units import METRES, PIXELS
from t2s_agent.scene import Window

SHAPES = {
    "edges": lambda gap: (box(-15, gap / 2, 15, gap / 2 + 12), box(-12, -gap / 2 - 9, 14, -gap / 2)),
    "thin bars": lambda gap: (box(-15, gap / 2, 15, gap / 2 + 2.5), box(-12, -gap / 2 - 3, 14, -gap / 2)),
    "discs": lambda gap: (Point(0, gap / 2 + 10).buffer(10, 64), Point(0, -gap / 2 - 7).buffer(7, 64)),
    "a corner and an edge": lambda gap: (
        affinity.translate(affinity.rotate(box(0, 0, 12, 12), -135, (0, 0)), 0, -gap / 2),
        box(-15, gap / 2, 15, gap / 2 + 12),
    ),
}


def found_gaps(shape, count, rng):
    view, off, bounds = view_of(90, 90, crs=None), [], []
    for _ in range(count):
        gap, angle, place = rng.uniform(2, 20), rng.uniform(0, 180), 45 + rng.random(2)
        drawn = [affinity.translate(affinity.rotate(each, angle, (0, 0)), *place) for each in SHAPES[shape](gap)]
        built = build_regions([Mask.of(rasterised(each, 90, 90)) for each in drawn], view)
        first, second = with_edges(built.regions, built.labels, view.georeference, view.window)
        (found,) = nearest_of([first], [second], units=PIXELS)
        off.append(found.distance.value - gap)
        bounds.append(found.distance.plus_minus)
    return np.array(off), np.array(bounds)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_distance_of_drawn_shapes_is_within_its_plus_minus(shape):
    off, bounds = found_gaps(shape, 120, np.random.default_rng(11))
    assert (abs(off) <= bounds).mean() >= 0.9
    assert abs(off.mean()) < 0.5
    assert (bounds == 1).all()  # half a pixel of each


def test_along_the_grid_an_edge_is_where_the_pixels_end():
    view = view_of(crs=None)
    outlines = [
        trace(mask_of(view, 3, 4, 9, 30)),
        trace(mask_of(view, 20, 20, 21, 21)),
        trace(mask_of(view, 0, 0, 7, 1)),
    ]
    for outline, edge in zip(outlines, edges_of(outlines), strict=True):
        assert edge.equals(outline)


def test_a_hole_stays_a_hole_and_a_region_in_it_stays_separate():
    view = view_of(crs=None)
    ring = mask_of(view, 5, 5, 35, 35) & ~mask_of(view, 10, 10, 30, 30)
    built = build_regions(cropped([ring, mask_of(view, 18, 18, 22, 22)]), view)
    regions = with_edges(built.regions, built.labels, view.georeference, view.window)
    assert [each.distance.value for each in nearest_of(regions, regions, units=PIXELS, itself=True)] == [8, 8]


def test_neighbours_that_share_an_edge_touch():
    view = view_of()
    built = build_regions(cropped([mask_of(view, 5, 5, 15, 15), mask_of(view, 15, 5, 30, 15)]), view)
    regions = with_edges(built.regions, built.labels, view.georeference, view.window)
    assert [each.distance.value for each in nearest_of(regions, regions, units=METRES, itself=True)] == [0, 0]


def test_in_a_part_of_a_scene_edges_are_in_pixels_of_the_scene():
    view = view_of(crs=None)
    built = build_regions(cropped([mask_of(view, 0, 0, 10, 10)]), view)
    (region,) = with_edges(built.regions, built.labels, view.georeference, Window(100, 200, 120, 80))
    assert region.geometry.equals(box(100, 200, 120, 220))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(0.1, 0.95))
def test_the_estimated_edge_of_any_mask_is_valid_and_within_a_pixel_of_its_outline(seed, share):
    mask = np.random.default_rng(seed).random((12, 15)) < share
    for outline in traced_all(mask.astype(np.int32)).values():
        (edge,) = edges_of([outline])
        assert edge.is_valid
        assert not edge.is_empty
        assert shapely.hausdorff_distance(outline.boundary, edge.boundary) < 2.5
        assert outline.buffer(1.01).contains(edge)
