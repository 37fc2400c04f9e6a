"""A picture that is no overhead image: the result says so in its record and in its picture, and hides nothing."""

import json

import numpy as np
import pytest
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine, Refinement, refine, segment
from t2s_agent.scene.not_overhead import REMARKS
from t2s_agent.settings import load_settings

FOUND = '<think>x</think><answer>```json[{"bbox_2d": [20, 20, 90, 90], "label": "tank"}]```</answer>'


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "script.json").write_text(json.dumps([{"question": "tanks", "raw": FOUND}]), encoding="utf-8")
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return Engine.open(
        load_settings(
            store=tmp_path / "store",
            prompter=f"scripted:{tmp_path / 'script.json'}",
            segmenter="box",
            roots=(tmp_path,),
        )
    )


def test_the_remark_is_the_first_warning_and_the_regions_stay(engine):
    made = segment(engine, "noise.png", "tanks")
    assert made.warnings[0] == REMARKS["noise"]
    assert made.region_count == 1


def test_a_correction_of_it_has_the_remark_too(engine):
    made = segment(engine, "noise.png", "tanks")
    assert refine(engine, made.id, Refinement(keep=(1,))).warnings[0] == REMARKS["noise"]


def test_the_picture_has_room_for_the_remark(engine, tmp_path):
    made = segment(engine, "noise.png", "tanks")
    with Image.open(engine.store.artifact(made.id, "preview.png")) as picture:
        said = picture.height
    picture_without_remark().save(tmp_path / "plain.png")
    plain = segment(engine, "plain.png", "tanks")
    assert not set(plain.warnings) & set(REMARKS.values())
    with Image.open(engine.store.artifact(plain.id, "preview.png")) as picture:
        assert picture.height < said


def picture_without_remark():
    """Smooth waves with a little noise: neither blank, nor noise, nor a drawing."""
    y, x = np.mgrid[:200, :200]
    waves = 120 + 60 * np.sin(x / 9) * np.cos(y / 13) + np.random.default_rng(0).normal(0, 4, (200, 200))
    return Image.fromarray(np.repeat(np.clip(waves, 0, 255).astype(np.uint8)[..., None], 3, 2))


def test_objects_in_a_picture_without_any_data_are_no_fault_of_the_question(engine, tmp_path):
    Image.fromarray(np.zeros((200, 200, 4), np.uint8)).save(tmp_path / "clear.png")  # all of it is transparent
    with pytest.raises(T2SError, match="no pixel has data") as raised:
        segment(engine, "clear.png", "tanks")
    assert raised.value.code == "model_failed"
    assert "nodata" in raised.value.fix
