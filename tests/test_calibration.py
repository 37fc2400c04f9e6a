"""The table of a calibration: what it says, when it is refused, and what a result says with it and without it."""

import json
from types import SimpleNamespace

import pytest

from t2s_agent.calibration import (
    FILE,
    MEASURED,
    Calibration,
    Features,
    ForPrompts,
    Loaded,
    Made,
    Totals,
    Usual,
    Widths,
)
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.models import Models
from t2s_agent.pipeline.calibrating import prompts_of, unsure_words
from t2s_agent.regions.plus_minus import LEVEL, LEVEL_PIXELS, CalibrationUsed, level_of, levels, method_of
from t2s_agent.regions.region import RegionSet
from t2s_agent.regions.units import METRES
from t2s_agent.settings import load_settings


def usual(intercept=0.0, weights=(0.0, 0.0, 0.0, 0.0)):
    return Usual(intercept=intercept, weights=weights, low=(0.0, 0.0, 0.0, 0.0), high=(20.0, 1.0, 9.0, 1.0))


def table(segmenter="s", prompter="p", **fields):
    widths = Widths(usual=usual(), edges=(100.0,), factors=(0.5, 0.2), n=(30, 30))
    measures = dict.fromkeys(MEASURED, widths)
    return Calibration(
        level=0.9,
        segmenter=segmenter,
        prompter=prompter,
        style="box_2_points",
        samples=1,
        made=Made(data="drawn data", split="half", date="2026-11-28", images=40),
        prompts={"model": ForPrompts(measures=measures), "box": ForPrompts(measures=measures)},
        probability=usual(-5.0, (0.0, 10.0, 0.0, 0.0)),
        cut=0.4,
        totals=Totals(
            edges=(1.0,),
            view_share=0.01,
            area_factors=(3.0, 0.5),
            count_low=(1.0, 0.5),
            count_high=(3.0, 2.0),
            n=(50, 50),
        ),
    ).model_copy(update=fields)


def written(folder, calibration):
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(calibration.model_dump_json(), encoding="utf-8")
    return folder


def test_half_widths_are_the_usual_error_times_the_factor_of_the_size():
    loaded = Loaded(table(), "")
    assert loaded.widths("model", Features(50, 0.9, 0.1, False))["area"] == pytest.approx(0.5)
    assert loaded.widths("model", Features(100, 0.9, 0.1, False))["length"] == pytest.approx(0.2)
    assert loaded.widths("point", Features(100, 0.9, 0.1, False)) is None


def test_features_beyond_what_was_seen_are_taken_as_the_limit():
    steep = usual(0.0, (1.0, 0.0, 0.0, 0.0)).model_copy(update={"low": (1.0, 0, 0, 0), "high": (2.0, 1, 9, 1)})
    assert steep.at(Features(1e9, 0.5, 0.5, False)) == pytest.approx(2.0)
    assert steep.at(Features(1, 0.5, 0.5, False)) == pytest.approx(1.0)


def test_a_probability_grows_with_the_score_and_is_one_half_where_the_sum_is_0():
    loaded = Loaded(table(), "")
    chances = [loaded.probability(Features(50, score, 0.1, False)) for score in (0.1, 0.5, 0.9)]
    assert chances == sorted(chances)
    assert chances[1] == pytest.approx(0.5)


def test_a_total_has_a_plus_minus_where_nothing_was_found_too():
    loaded = Loaded(table(), "")
    assert loaded.total_area(0, 0.0, 10_000.0) == pytest.approx(300.0)  # 3 * (0 + 1 % of 10,000)
    assert loaded.total_area(4, 900.0, 10_000.0) == pytest.approx(500.0)


def test_a_count_has_a_range_of_whole_numbers_from_0_on():
    loaded = Loaded(table(), "")
    assert loaded.count(0) == (0, 2)
    assert loaded.count(5) == (2, 11)  # 0.5 * 6 - 1 = 2; 2 * 6 - 1 = 11


def test_a_table_comes_back_from_its_file_as_it_was(tmp_path):
    assert Loaded.load(tmp_path) is None
    loaded = Loaded.load(written(tmp_path, table()))
    assert loaded.table == table()
    assert len(loaded.sha256) == 64


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"level": 0.9}), "{}" + " " * 2_000_000])
def test_a_damaged_file_is_an_error_and_not_a_missing_one(tmp_path, text):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(T2SError) as error:
        Loaded.load(tmp_path)
    assert error.value.code == "model_unavailable"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Models whose segmenter and prompter are folders, with weights of the digests "s" and "p"."""
    folder = tmp_path / "model"
    folder.mkdir()
    found = Models(load_settings(store=tmp_path / "store", prompter=str(folder), segmenter=str(folder)))
    monkeypatch.setattr(found, "segmenter", lambda: SimpleNamespace(digest="s"))
    monkeypatch.setattr(found, "prompter", lambda: SimpleNamespace(digest="p"))
    return folder, found


def test_a_calibration_of_these_weights_is_used_and_of_others_refused_with_a_remark(models):
    folder, found = models
    assert found.calibration(own_prompts=True) == found.calibration(own_prompts=False)
    assert (found.calibration(own_prompts=True).loaded, found.calibration(own_prompts=True).remark) == (None, "")
    written(folder, table())
    assert found.calibration(own_prompts=True).loaded.table == table()
    for other, words in (
        (table(segmenter="another"), "another segmenter's weights"),
        (table(prompter="another"), "another prompter's weights"),
        (table(style="box_only"), "style"),
        (table(samples=4), "samples"),
    ):
        written(folder, other)
        usable = found.calibration(own_prompts=True)
        assert usable.loaded is None
        assert words in usable.remark


def test_the_tables_of_a_persons_prompts_do_not_ask_for_the_prompter(models):
    folder, found = models
    found.prompter = None  # calling it would fail
    written(folder, table(prompter="another"))
    assert found.calibration(own_prompts=False).loaded is not None


def test_which_prompts_an_instance_is():
    assert prompts_of(Instance((0, 0, 4, 4))) == "box"
    assert prompts_of(Instance((0, 0, 4, 4), ((1, 1),))) == "box_points"
    assert prompts_of(Instance((0, 0, 4, 4), (), ((1, 1),))) == "box_points"
    assert prompts_of(Instance(None, ((1, 1),))) == "point"


USED = CalibrationUsed("0" * 64, "held-out crops, 152 images", "2026-11-28", 0.4)


def test_without_a_calibration_every_wording_says_pixel_only():
    method = method_of(METRES, calibrated={1: False}, used=None, total=False)
    for words in (LEVEL_PIXELS, level_of(False), levels([False]), levels([]), method):
        assert "pixel only: the model's own error is not known" in words
    assert LEVEL not in method


def test_with_one_the_level_and_the_data_are_said_once_and_regions_without_are_named():
    method = method_of(METRES, calibrated={1: True, 2: False}, used=USED, total=True)
    assert "90 % of the regions" in method
    assert "held-out crops, 152 images (2026-11-28)" in method
    assert "of region 2: pixel only" in method
    assert "missed and false regions included" in method
    assert "missed and false regions are not in it" in method_of(METRES, calibrated={1: True}, used=USED, total=False)
    assert levels([True, True]) == LEVEL
    assert levels([True, False]) == f"90 %; of some regions {LEVEL_PIXELS}"


def test_a_result_of_nothing_with_a_calibrated_total_is_not_called_pixel_only():
    method = method_of(METRES, calibrated={}, used=USED, total=True)
    assert "pixel only" not in method
    assert levels([], total=True) == LEVEL


def test_unsure_words_need_a_cut(tmp_path):
    nothing = RegionSet((), None, True)
    assert unsure_words(nothing) == ""
