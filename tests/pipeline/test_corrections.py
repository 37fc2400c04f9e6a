"""Corrections say what they did."""

from dataclasses import replace

import numpy as np
import pytest
from views.data import cropped, mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.pipeline import Refinement, refine, segment
from t2s_agent.pipeline.corrections import corrected
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.lineage import of_parent
from t2s_agent.segmenting.segmenter import Masks

TANKS = "Where are the storage tanks?"


def draws(*boxes, score=0.5):
    """A segmenter that draws these boxes, whatever it is asked."""

    def draw(asked):
        assert len(asked) == len(boxes)
        view = view_of()
        masks = [Mask.of(mask_of(view, *each)) for each in boxes]
        return Masks(tuple(masks), np.full(len(boxes), score, np.float32), view.height, view.width)

    return draw


@pytest.fixture
def two():
    view = view_of()
    masks = cropped([mask_of(view, 0, 0, 10, 10), mask_of(view, 20, 0, 30, 10)])
    return view, of_parent(build_regions(masks, view, scores=[0.6, 0.6]), "r_0")


def test_a_positive_point_that_grows_its_region_is_a_change_and_no_warning(two):
    view, regions = two
    after, did = corrected(regions, view, [(5, 5)], [], None, draws((0, 0, 12, 10)))
    (change,) = did.changes(after)
    assert (change.region, change.was, change.why) == (1, 1, "positive point")
    assert (change.area_before, change.area_after) == pytest.approx((25, 30), rel=1e-3)
    assert did.warnings == ()


def test_a_corrected_region_keeps_its_label_and_loses_the_agreement_of_earlier_answers(two):
    view, regions = two
    named = tuple(replace(region, label=f"tank {region.id}", agreement=0.75) for region in regions.regions)
    after, _ = corrected(replace(regions, regions=named), view, [(5, 5)], [], None, draws((0, 0, 12, 10)))
    assert [(region.label, region.agreement) for region in after.regions] == [("tank 1", None), ("tank 2", 0.75)]
    assert [region.instance is None for region in after.regions] == [False, True]


def test_a_point_that_does_the_contrary_is_warned_of(two):
    view, regions = two
    _, shrunk = corrected(regions, view, [(5, 5)], [], None, draws((0, 0, 8, 10)))
    assert "region 1 shrank by a positive point" in shrunk.warnings[0]
    _, grown = corrected(regions, view, [], [(25, 5)], None, draws((20, 0, 33, 10)))
    assert "region 2 grew by a negative point" in grown.warnings[0]


def test_a_region_that_becomes_one_with_another_is_named(two):
    view, regions = two
    after, did = corrected(regions, view, [(5, 5)], [], None, draws((18, 0, 30, 10), score=0.9))
    assert len(after.regions) == 1
    assert any("region 2 was taken over: it became one with region 1" in warning for warning in did.warnings)
    assert {(change.was, change.region) for change in did.changes(after)} == {(1, 1), (2, 1)}


def test_a_region_that_loses_most_of_its_pixels_is_named(two):
    view, regions = two
    after, did = corrected(regions, view, [(5, 5)], [], None, draws((24, 0, 32, 10)))
    assert any("region 2 lost most of its pixels" in warning for warning in did.warnings)
    changes = {change.was: change for change in did.changes(after)}
    assert changes[2].area_after == pytest.approx(10, rel=1e-3)


def test_a_box_that_adds_nothing_says_so(two):
    view, regions = two
    _, repeated = corrected(regions, view, [], [], (0, 0, 11, 10), draws((0, 0, 11, 10)))
    assert "the box added nothing: what was drawn repeats region 1" in repeated.warnings
    _, nothing = corrected(regions, view, [], [], (40, 30, 50, 40), draws((40, 30, 40, 30)))
    assert any("nothing was drawn there" in warning for warning in nothing.warnings)


def test_a_box_that_adds_an_object_is_a_change_from_nothing(two):
    view, regions = two
    after, did = corrected(regions, view, [], [], (40, 20, 50, 30), draws((40, 20, 50, 30)))
    (change,) = did.changes(after)
    assert (change.region, change.was, change.area_before, change.why) == (3, 0, 0, "box")
    assert change.area_after == pytest.approx(25, rel=1e-3)


def test_the_record_keeps_changes_and_sources(engine, scene):
    tanks = segment(engine, scene, TANKS)
    made = refine(engine, tanks.id, Refinement(box=(10, 10, 40, 40), pixels=True, drop=(1,)))
    (change,) = made.changes
    assert (change.region, change.was, change.why) == (len(tanks.regions), 0, "box")
    assert [[each.id for each in region.sources] for region in made.regions] == [[2], [3], [4], [5], [6], [7], []]
    stored = engine.store.load(made.id)
    assert (stored.changes, stored.regions) == (made.changes, made.regions)
