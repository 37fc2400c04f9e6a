"""Refinements, one by one, on a harbour of 120 x 100 pixels of half a metre: two tanks of 100 m2 and a quay of 125 m2."""

import json
import math

import pytest
from served.data import SCRIPT, said, settings_in, stage

from t2s_agent.bounds import MOST_IDS
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.pipeline.refinement import refinement_of

FOLLOWED_UP = (
    "tanks (found before, as left, top, right, bottom: 1: 8% 10% 25% 30%; 2: 67% 10% 83% 30%). Now: the pier instead"
)


@pytest.fixture
def engine(tmp_path):
    stage(tmp_path)
    script = [{"question": q, "raw": raw} for q, raw in (SCRIPT | {FOLLOWED_UP: said([(60, 60, 70, 64)])}).items()]
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    return Engine.open(settings_in(tmp_path))


@pytest.fixture
def image(tmp_path):
    return lambda name="harbour.tif": tmp_path / "images" / name


@pytest.fixture
def tanks(engine, image):
    return segment(engine, image(), "tanks")


@pytest.fixture
def quay(engine, image):
    return segment(engine, image(), "quay")


@pytest.fixture
def all_three(engine, tanks, quay):
    return refine(engine, tanks.id, Refinement(other=quay.id, operation="union"))


def areas(record):
    return [round(region.area) for region in record.regions]


def refused(engine, parent, how, code="argument_invalid"):
    before = len(engine.store.listed().results)
    with pytest.raises(T2SError) as caught:
        refine(engine, parent.id, how)
    assert caught.value.code == code
    assert len(engine.store.listed().results) == before
    return str(caught.value)


def test_a_union_has_the_regions_of_both_with_their_sources_and_its_parents(tanks, quay, all_three):
    assert areas(all_three) == [100, 100, 125]
    assert [[(s.result, s.id) for s in region.sources] for region in all_three.regions] == [
        [(tanks.id, 1)],
        [(tanks.id, 2)],
        [(quay.id, 1)],
    ]
    assert [region.label for region in all_three.regions] == ["tank", "tank", "thing"]


def test_keep_and_drop_name_regions_of_the_parent_and_are_counted(engine, all_three):
    kept = refine(engine, all_three.id, Refinement(keep=(1, 3)))
    assert (areas(kept), kept.left_out) == ([100, 125], {"keep": 1})
    dropped = refine(engine, all_three.id, Refinement(drop=(1, 2)))
    assert (areas(dropped), dropped.left_out) == ([125], {"drop": 2})
    both = refine(engine, all_three.id, Refinement(keep=(1, 3), drop=(1,)))
    assert (areas(both), both.left_out) == ([125], {"keep": 1, "drop": 1})
    assert "4" in refused(engine, all_three, Refinement(keep=(4,)), "region_unknown")


@pytest.mark.parametrize(
    ("how", "left", "left_out"),
    [
        (Refinement(min_area_m2=110), [125], {"min_area_m2": 2}),
        (Refinement(max_area_m2=110), [100, 100], {"max_area_m2": 1}),
        (Refinement(min_length_m=15), [125], {"min_length_m": 2}),  # a tank is 10 m long, the quay 25 m
        (Refinement(max_length_m=15), [100, 100], {"max_length_m": 1}),
        (Refinement(min_area_m2=110, max_length_m=15), [], {"min_area_m2": 2, "max_length_m": 1}),
        (Refinement(sort_by="area", descending=True), [125, 100, 100], {}),
        (Refinement(sort_by="area", descending=True, first=1), [125], {"first": 2}),
        (Refinement(min_area_m2=1e6), [], {"min_area_m2": 3}),
    ],
)
def test_sizes_and_orders_leave_what_they_name_and_count_what_goes(engine, all_three, how, left, left_out):
    found = refine(engine, all_three.id, how)
    assert (areas(found), found.left_out) == (left, left_out)
    assert [region.id for region in found.regions] == list(range(1, len(left) + 1))


def test_a_size_of_just_the_limit_is_kept(engine, all_three):
    exact = all_three.regions[2].area
    assert len(refine(engine, all_three.id, Refinement(max_area_m2=exact + 0.01)).regions) == 3
    assert len(refine(engine, all_three.id, Refinement(max_area_m2=exact - 0.01)).regions) == 2


@pytest.mark.parametrize(
    ("how", "left", "left_out"),
    [  # the first tank lies 30 m above the quay; the second 15 m to the right of it besides: 33.5 m
        ({"within_m": 31}, [1], {"within_m": 1}),
        ({"beyond_m": 31}, [2], {"beyond_m": 1}),
        ({"beyond_m": 31, "within_m": 33}, [], {"beyond_m": 1, "within_m": 1}),
        ({"within_m": 29}, [], {"within_m": 2}),
        ({"within_m": 35}, [1, 2], {}),
        ({"beyond_m": 35}, [], {"beyond_m": 2}),
    ],
)
def test_distances_are_from_edge_to_edge_in_metres(engine, tanks, quay, how, left, left_out):
    found = refine(engine, tanks.id, Refinement(other=quay.id, **how))
    assert ([region.sources[0].id for region in found.regions], found.left_out) == (left, left_out)


@pytest.mark.parametrize(("within_m", "count"), [(24, 0), (26, 2)])
def test_a_region_is_no_neighbour_of_itself(engine, tanks, within_m, count):
    found = refine(engine, tanks.id, Refinement(other=tanks.id, within_m=within_m))  # 25 m lie between the tanks
    assert len(found.regions) == count


def test_the_nearest_comes_first(engine, tanks, quay):
    near = refine(engine, tanks.id, Refinement(other=quay.id, sort_by="nearest", first=1))
    assert [region.sources[0].id for region in near.regions] == [1]
    far = refine(engine, tanks.id, Refinement(other=quay.id, sort_by="nearest", first=1, descending=True))
    assert [region.sources[0].id for region in far.regions] == [2]


def test_intersection_and_difference_name_both_sources_and_what_loses_all_goes(engine, tanks, all_three):
    both = refine(engine, all_three.id, Refinement(other=tanks.id, operation="intersection"))
    assert areas(both) == [100, 100]
    assert {source.result for source in both.regions[0].sources} == {tanks.id, all_three.id}
    less = refine(engine, all_three.id, Refinement(other=tanks.id, operation="difference"))
    assert areas(less) == [125]


def test_of_one_object_in_both_results_a_union_keeps_the_own_label_and_both_sources(engine, image, tanks):
    again = segment(engine, image(), "obey")  # the same two tanks under another label
    both = refine(engine, tanks.id, Refinement(other=again.id, operation="union"))
    assert [region.label for region in both.regions] == ["tank", "tank"]
    assert [{source.result for source in region.sources} for region in both.regions] == [{tanks.id, again.id}] * 2


def test_smoothing_changes_areas_by_little_and_nothing_vanishes(engine, tanks):
    smooth = refine(engine, tanks.id, Refinement(smooth_m=1.0))
    assert len(smooth.regions) == 2
    for region in smooth.regions:
        assert 95 < region.area < 99.9  # the corners are rounded: 4 - pi square metres less


@pytest.mark.parametrize(
    "how",
    [
        Refinement(),
        Refinement(pixels=True),
        Refinement(operation="union"),
        Refinement(within_m=5.0),
        Refinement(beyond_m=5.0),
        Refinement(sort_by="nearest"),
        Refinement(sort_by="beauty"),
        Refinement(min_area_m2=5, max_area_m2=4),
        Refinement(min_length_m=5, max_length_m=4),
        Refinement(min_area_m2=-1),
        Refinement(max_area_m2=math.nan),
        Refinement(smooth_m=math.inf),
        Refinement(min_length_m=-1),
        Refinement(positive=((1.0, math.nan),)),
        Refinement(negative=((1.0,),)),
        Refinement(instruction="the pier instead", keep=(1,)),
        Refinement(instruction="the pier instead", drop=(1,)),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_stored(engine, tanks, how):
    refused(engine, tanks, how)


@pytest.mark.parametrize("how", [{}, {"within_m": 40.0, "beyond_m": 50.0}])
def test_another_result_without_anything_to_do_with_it_is_refused(engine, tanks, quay, how):
    refused(engine, tanks, Refinement(other=quay.id, **how))


def test_more_ids_than_a_call_may_name_are_refused(engine, tanks):
    refused(engine, tanks, Refinement(keep=(1,) * (MOST_IDS + 1)), "limit_exceeded")


def test_a_box_of_three_numbers_is_refused(engine, tanks):
    refused(engine, tanks, Refinement(box=(1.0, 2.0, 3.0), pixels=True), "bbox_invalid")


@pytest.mark.parametrize("point", [(-1, 50), (121, 50), (50, -1), (50, 101)])
def test_a_point_beside_the_view_is_refused(engine, tanks, point):
    refused(engine, tanks, Refinement(positive=(point,), pixels=True), "bbox_outside")


def test_a_box_in_pixels_adds_an_object(engine, tanks):
    added = refine(engine, tanks.id, Refinement(box=(40, 50, 60, 60), pixels=True))
    assert areas(added) == [100, 100, 50]


def test_without_a_place_on_earth_degrees_are_refused_and_pixels_are_not(engine, image):
    photo = segment(engine, image("photo.png"), "tanks")
    refused(engine, photo, Refinement(box=(1.0, 1.0, 2.0, 2.0)), "no_georeference")
    added = refine(engine, photo.id, Refinement(box=(35, 30, 45, 40), pixels=True))
    assert areas(added)[-1] == 100


def test_a_model_is_told_what_was_found_and_what_is_wanted_now(engine, tanks):
    found = refine(engine, tanks.id, Refinement(instruction="the pier instead"))
    assert areas(found) == [10]  # 10 x 4 pixels
    assert found.query == "tanks; the pier instead"


def test_a_computed_instruction_asks_no_model_and_says_so(engine, all_three):
    found = refine(engine, all_three.id, Refinement(instruction="the largest"))
    assert areas(found) == [125]
    assert any("was computed from the regions: no model was asked" in warning for warning in found.warnings)


def test_a_record_holds_what_makes_its_refinement_again(engine, tanks, quay):
    how = Refinement(other=quay.id, within_m=31.0, keep=(1,), positive=((20.0, 20.0),), pixels=True)
    record = refine(engine, tanks.id, how)
    stored = json.loads(json.dumps(record.parameters))
    assert refinement_of(stored) == how
    assert refinement_of({}) == Refinement()
