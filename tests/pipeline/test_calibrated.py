"""Results with a calibration: measured, carried over, dropped where pixels changed, and done again."""

import dataclasses
import json

import pytest

from t2s_agent.calibration import Loaded
from t2s_agent.errors import T2SError
from t2s_agent.models import Usable
from t2s_agent.pipeline import Refinement, describe, refine, replay, segment
from t2s_agent.regions.plus_minus import LEVEL, LEVEL_PIXELS
from t2s_agent.results.record import pm_level
from tests.test_calibration import table

TANKS, SHIPS = "Where are the storage tanks?", "ships"


@pytest.fixture
def calibrated(engine):
    """The Engine, its models with a calibration: 20 % of areas and lengths, 50 % of totals, up to twice the count."""
    usable = Usable(Loaded(table(), "c" * 64), "")
    engine.models.calibration = lambda *, own_prompts: usable
    return engine


@pytest.fixture
def tanks(calibrated, scene):
    return segment(calibrated, scene, TANKS)


def features(engine, result):
    path = engine.store.artifact(result.id, "regions.geojson")
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_result_says_which_calibration_and_level_its_numbers_have(calibrated, tanks):
    assert tanks.calibration.sha256 == "c" * 64
    assert tanks.calibration.level == 0.9
    assert all(region.calibrated for region in tanks.regions)
    for region in tanks.regions:
        assert region.area_pm == pytest.approx(0.2 * region.area, rel=0.01)
        assert region.length_pm == pytest.approx(0.2 * region.length, rel=0.01)
    assert (tanks.count_low, tanks.count_high) == (3, 15)  # 7 found: 0.5 * 8 - 1, 2 * 8 - 1
    assert tanks.total_area_pm > 0.5 * tanks.total_area
    assert pm_level(tanks) == LEVEL
    assert "drawn data, 40 images (2026-11-28)" in tanks.method


def test_every_feature_says_the_level_and_the_probability(calibrated, tanks):
    collection = features(calibrated, tanks)
    assert collection["measured"] == tanks.method
    assert {each["properties"]["pm_level"] for each in collection["features"]} == {LEVEL}
    assert {each["properties"]["unsure"] for each in collection["features"]} == {False}  # without a score it is 0.5


def test_nothing_found_has_a_plus_minus_and_a_range_too(calibrated, scene):
    none = segment(calibrated, scene, "helicopters")
    assert (none.status, none.count_low, none.count_high) == ("empty", 0, 2)
    assert none.total_area_pm == pytest.approx(3 * 0.01 * none.scene.view_area, rel=0.001)


def test_regions_that_stay_as_they_are_keep_their_numbers(calibrated, tanks):
    fewer = refine(calibrated, tanks.id, Refinement(keep=(2, 5)))
    by_id = {region.id: region for region in tanks.regions}
    assert [(r.area_pm, r.length_pm, r.calibrated, r.probability) for r in fewer.regions] == [
        (by_id[i].area_pm, by_id[i].length_pm, True, by_id[i].probability) for i in (2, 5)
    ]
    assert fewer.calibration == tanks.calibration
    assert (fewer.count_low, fewer.count_high) == (None, None)
    assert fewer.total_area_pm == pytest.approx(sum(r.area_pm for r in fewer.regions), rel=1e-3)
    assert "missed and false regions are not in it" in fewer.method


def test_regions_with_other_pixels_are_pixel_only_again(calibrated, tanks, scene):
    smooth = refine(calibrated, tanks.id, Refinement(smooth_m=4.0))
    changed = [region for region in smooth.regions if region.was is None]
    assert changed
    assert not any(region.calibrated for region in changed)
    assert all(region.area_pm < 0.2 * region.area for region in changed)
    assert LEVEL_PIXELS in smooth.method
    again = refine(calibrated, smooth.id, Refinement(first=2, sort_by="area"))
    assert [r.calibrated for r in again.regions] == [
        r.was in {x.id for x in smooth.regions if x.calibrated} for r in again.regions
    ]


def test_a_union_of_two_results_carries_both(calibrated, tanks, scene):
    ships = segment(calibrated, scene, SHIPS)
    both = refine(calibrated, tanks.id, Refinement(other=ships.id, operation="union"))
    assert all(region.calibrated for region in both.regions)


def test_a_box_of_a_person_has_the_numbers_of_such_boxes(calibrated, tanks, truth):
    (y, x), (h, w) = next((t.offset, t.mask.shape) for t in truth.objects if t.category == "ship")
    made = refine(calibrated, tanks.id, Refinement(box=(x, y, x + w, y + h), pixels=True))
    added = made.regions[-1]
    assert (added.calibrated, added.probability, added.unsure) == (True, None, None)
    pointed = refine(calibrated, tanks.id, Refinement(positive=((x + w / 2, y + h / 2),), pixels=True))
    assert not pointed.regions[-1].calibrated  # the table has none for single points
    assert f"of region {pointed.regions[-1].id}: {LEVEL_PIXELS}" in pointed.method


def test_a_least_probability_leaves_out_what_is_below_it_and_counts_it(calibrated, tanks):
    kept = refine(calibrated, tanks.id, Refinement(min_probability=0.5))
    gone = refine(calibrated, tanks.id, Refinement(min_probability=0.51))
    assert len(kept.regions) == len(tanks.regions)
    assert (len(gone.regions), gone.left_out) == (0, {"min_probability": 7})
    with pytest.raises(T2SError) as error:
        refine(calibrated, tanks.id, Refinement(min_probability=1.5))
    assert error.value.code == "argument_invalid"


def test_unsure_regions_are_kept_marked_and_counted_in_a_warning(engine, scene):
    usable = Usable(Loaded(table(cut=0.6), "c" * 64), "")
    engine.models.calibration = lambda *, own_prompts: usable
    result = segment(engine, scene, TANKS)
    assert [region.unsure for region in result.regions] == [True] * 7
    assert any(
        "7 of 7 regions are unsure" in warning and "min_probability 0.6" in warning for warning in result.warnings
    )


def test_models_without_one_say_pixel_only_and_a_refused_one_is_named(engine, scene):
    plain = segment(engine, scene, TANKS)
    assert (plain.calibration, plain.count_high, pm_level(plain)) == (None, None, LEVEL_PIXELS)
    assert LEVEL_PIXELS in plain.method
    engine.models.calibration = lambda *, own_prompts: Usable(None, "calibration.json is not used: made for others")
    refused = segment(engine, scene, TANKS)
    assert refused.regions == plain.regions
    assert "calibration.json is not used: made for others" in refused.warnings


def test_filters_by_size_and_unions_have_no_range_of_the_count(calibrated, scene):
    joined = segment(calibrated, scene, TANKS, merge="union")
    assert (joined.calibration, joined.count_high) == (None, None)
    assert LEVEL_PIXELS in joined.method
    large = segment(calibrated, scene, TANKS, min_area_m2=500.0)
    assert large.left_out
    assert large.count_high is None


def test_a_replay_uses_what_the_result_used(engine, scene):
    old = segment(engine, scene, TANKS)  # before there was a calibration
    usable = Usable(Loaded(table(), "c" * 64), "")
    engine.models.calibration = lambda *, own_prompts: usable
    assert replay(engine, old.id).first_difference is None
    new = segment(engine, scene, TANKS)
    assert replay(engine, new.id).first_difference is None
    engine.models.calibration = lambda *, own_prompts: dataclasses.replace(usable, loaded=Loaded(table(), "d" * 64))
    assert replay(engine, new.id).first_difference.name == "calibration"


def test_a_description_gives_level_range_and_probability(calibrated, tanks):
    said = describe(calibrated, result_id=tanks.id)
    assert (said.measured["pm_level"], said.measured["true_count"]) == (LEVEL, [3, 15])
    assert said.measured["total_area_pm_m2"] == pytest.approx(tanks.total_area_pm, rel=1e-3)
    assert "of distances: pixel only" in said.method
    one = describe(calibrated, result_id=tanks.id, region_id=1).measured
    assert (one["pm_level"], one["probability"]) == (LEVEL, 0.5)
