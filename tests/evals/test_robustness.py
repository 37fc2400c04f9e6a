"""Robustness: what comes back from a changed picture lies where it was, and what is compared is worked by hand."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.datasets.sample import Sample
from evals.robustness.__main__ import main
from evals.robustness.changes import MARGIN_PX, base_of, brightness, changes, haze, rotate, shift
from evals.robustness.measure import Comparison, answers_by_models, compare_answers
from evals.robustness.report import as_text, summary
from t2s_agent.models import Models
from t2s_agent.settings import load_settings

SIDE = 96 + 2 * MARGIN_PX


def picture(*boxes):
    """Black, with white boxes (left, top, right, bottom) in pixels of the base."""
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    for left, top, right, bottom in boxes:
        rgb[MARGIN_PX + top : MARGIN_PX + bottom, MARGIN_PX + left : MARGIN_PX + right] = 255
    return rgb


def sample(rgb, **metadata):
    return Sample("s1", "i1", "white boxes", lambda: rgb, lambda: None, metadata)


def bright(pictures, question):
    """A perfect model: whatever is brighter than most of it is one region."""
    return [(each.astype(int).sum(-1) > 400).astype(np.int32) for each in pictures]


def quadrants(pictures, question):
    """A perfect model for boxes in different quarters of the picture: one region a quarter."""
    found = []
    for rgb in pictures:
        height, width = rgb.shape[:2]
        ids = 1 + 2 * (np.arange(height) >= height // 2)[:, None] + (np.arange(width) >= width // 2)[None]
        found.append(np.where(rgb.astype(int).sum(-1) > 400, ids, 0))
    return found


def by_name(rows):
    return {row.change: row for row in rows}


@settings(max_examples=20, deadline=None)
@given(box=st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(56, 96)] * 2))
def test_a_perfect_model_agrees_with_itself_under_every_change(box):
    even = tuple(2 * (side // 2) for side in box)  # odd edges fall between the pixels of half resolution
    for row in compare_answers([sample(picture(even))], bright):
        assert row.iou == 1.0, row.change


def test_boxes_on_even_pixels_are_mapped_back_exactly_with_the_same_count():
    rows = compare_answers([sample(picture((4, 4, 20, 30), (60, 6, 80, 40), (10, 60, 40, 90)))], quadrants)
    for row in rows:
        if row.family != "shift":  # which quarter a box lies in changes there
            assert (row.iou, row.count_before, row.count_after) == (1.0, 3, 3), row.change
            assert row.area_before == row.area_after == 16 * 26 + 20 * 34 + 30 * 30


def test_a_shift_compares_only_what_both_pictures_show():
    """A box at the upper left leaves the picture when the window moves away from it, and is not missed."""
    gone = picture((0, 0, 6, 6), (50, 50, 60, 60))
    row = by_name(compare_answers([sample(gone)], bright))["shifted by 8 px"]
    assert (row.iou, row.area_before, row.area_after) == (1.0, 100, 100)
    rgb = np.arange(SIDE * SIDE, dtype=np.int64).reshape(SIDE, SIDE, 1).repeat(3, 2)
    assert (shift(3).apply(rgb)[0, 0] == base_of(rgb)[3, 3]).all()


def test_a_region_that_is_mostly_outside_of_the_image_is_not_counted():
    mostly_gone = picture((0, 0, 10, 10))  # after 8 px, 4 of its 100 pixels are left
    row = by_name(compare_answers([sample(mostly_gone)], bright))["shifted by 8 px"]
    assert (row.area_before, row.count_before) == (4, 0)
    assert row.count_after == 1  # what the moved picture shows of it lies wholly in sight


def test_a_model_with_a_fixed_answer_has_the_iou_of_the_shift():
    def stuck(pictures, question):
        labels = np.zeros((96, 96), np.int32)
        labels[40:50, 40:50] = 1
        return [labels for _ in pictures]

    row = by_name(compare_answers([sample(picture())], stuck, which=[shift(4)]))["shifted by 4 px"]
    assert row.iou == pytest.approx(36 / (200 - 36))  # two squares of 10 px, 6 x 6 in common


def test_one_empty_answer_has_iou_0_and_two_empty_answers_are_left_out():
    def only_dark(pictures, question):
        return [bright([each], question)[0] * int(each.max() < 255) for each in pictures]

    rows = by_name(
        compare_answers([sample(picture((10, 10, 30, 30)))], only_dark, which=[brightness(0.8), brightness(1.25)])
    )
    dark = rows["0.80 times as bright"]
    assert (dark.iou, dark.one_sided, dark.area_moved) == (0.0, True, 1.0)
    both = rows["1.25 times as bright"]
    assert (both.iou, both.one_sided, both.area_moved) == (None, False, None)
    facts = summary(list(rows.values()))
    assert facts["0.80 times as bright"]["iou"]["value"] == 0.0
    assert (facts["1.25 times as bright"]["found"], facts["1.25 times as bright"]["iou"]["value"]) == (0, None)


def test_a_summary_has_the_numbers_worked_by_hand():
    def row(iou, before, after, area_before, area_after, cluster):
        return Comparison("s", cluster, "shifted by 8 px", "shift", iou, before, after, area_before, area_after)

    facts = summary([row(0.5, 3, 5, 100, 80, "a"), row(0.0, 2, 0, 50, 0, "b"), row(None, 0, 0, 0, 0, "c")])
    own = facts["shifted by 8 px"]
    assert (own["samples"], own["found"]) == (3, 2)
    values = {name: own[name]["value"] for name in ("iou", "one_sided", "same_count", "count_moved", "area_moved")}
    assert values == {
        "iou": 0.25,
        "one_sided": 0.5,
        "same_count": 0.0,
        "count_moved": 2.0,
        "area_moved": pytest.approx(0.6),
    }
    assert "2/3" in as_text("made", facts)


def test_changes_have_the_right_names_and_pixels():
    names = [change.name for change in changes()]
    assert len(set(names)) == len(names)
    assert {f"shifted by {px} px" for px in (1, 2, 4, 8, 16)} < set(names)
    rgb = picture((0, 0, 10, 96))
    assert (rotate(1).apply(rgb) == np.rot90(base_of(rgb))).all()
    grey = np.full((SIDE, SIDE, 3), 100, np.uint8)
    assert haze(0.3).apply(grey)[0, 0].tolist() == [127, 131, 137]  # 70 + 30 % of 191, 204 and 224
    assert brightness(1.25).apply(np.full((SIDE, SIDE, 3), 240, np.uint8)).max() == 255
    assert changes()[9].apply(rgb).shape == (48, 48, 3)
    with pytest.raises(ValueError, match="0 to 16"):
        shift(17)


def test_the_product_answers_with_regions_as_it_stores_them(tmp_path):
    boxes = [{"bbox_2d": [10, 10, 40, 40]}, {"bbox_2d": [60, 60, 80, 90]}]
    raw = f"<think>Two.</think><answer>```json{json.dumps(boxes)}```</answer>"
    (tmp_path / "script.json").write_text(json.dumps([{"question": "boxes", "raw": raw}]))
    models = Models(load_settings(prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box"))
    [labels] = answers_by_models(models)([np.zeros((96, 96, 3), np.uint8)], "boxes")
    assert np.bincount(labels.ravel()).tolist() == [96 * 96 - 900 - 600, 900, 600]


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["robustness", "--count", "1", "--segmenter", "box", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "half resolution" in capsys.readouterr().out
    stored = json.loads((tmp_path / "robustness.json").read_text())
    assert stored["changes"]["unchanged"]["iou"]["value"] in (1.0, None)
