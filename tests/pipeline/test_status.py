"""`empty` is what a model said, not what became of its answer."""

import json

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, segment
from t2s_agent.settings import load_settings


def asked(tmp_path, scene, boxes, **how):
    script = tmp_path / "script.json"
    raw = "<answer>```json" + json.dumps([{"bbox_2d": box} for box in boxes]) + "```</answer>"
    script.write_text(json.dumps([{"question": "*", "raw": raw}]), encoding="utf-8")
    engine = Engine.open(load_settings(prompter=f"scripted:{script}", segmenter="box", store=tmp_path / "store"))
    return segment(engine, scene, "tanks", **how)


def test_an_empty_list_is_empty(tmp_path, scene):
    assert asked(tmp_path, scene, []).status == "empty"


def test_objects_of_which_no_pixel_was_drawn_are_no_empty_answer(tmp_path, scene):
    with pytest.raises(T2SError) as caught:
        asked(tmp_path, scene, [[10.6, 10.6, 11.4, 11.4]])  # between the centres of pixels 10 and 11
    assert caught.value.code == "model_failed"
    assert "1 object" in caught.value.what
    assert not list((tmp_path / "store").glob("r_*"))


def test_numbers_from_0_to_1_are_shares_of_the_picture_and_that_is_said(tmp_path, scene):
    result = asked(tmp_path, scene, [[0.2, 0.3, 0.4, 0.6]])
    width, height = result.scene.view_size
    assert result.prompted.instances[0]["box"] == pytest.approx([0.2 * width, 0.3 * height, 0.4 * width, 0.6 * height])
    assert any("within 0 to 1" in warning for warning in result.warnings)


def test_what_a_smallest_area_leaves_out_is_said(tmp_path, scene):
    result = asked(tmp_path, scene, [[10, 10, 20, 20]], min_area_m2=1e6)
    assert result.left_out == {"min_area_m2": 1}
    assert result.status == "found"  # by the model; `empty` would say that nothing is there
