"""From a question to a result with a named sensor, radar in decibels, and an image placed by its camera model."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from t2s_agent.pipeline import Refinement, refine, replay, segment
from t2s_agent.pipeline.loading import view_of
from t2s_agent.scene.decibels import decibels

_spec = importlib.util.spec_from_file_location(
    "sensor_files", Path(__file__).parents[1] / "data" / "sensors" / "data.py"
)
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)
ASKED = "the square"


@pytest.fixture
def asked(engine, tmp_path):
    """The engine with one answer, a box of 10 x 10 px, and settings to change."""
    raw = '<answer>```json[{"bbox_2d": [5, 5, 15, 15]}]```</answer>'
    (tmp_path / "script.json").write_text(json.dumps([{"question": ASKED, "raw": raw}]), encoding="utf-8")
    return lambda **settings: replace(engine, settings=engine.settings.model_copy(update=settings))


def test_an_image_with_a_camera_model_is_measured_in_metres_at_the_height_and_in_pixels_without(asked, tmp_path):
    path = files.rpc(tmp_path / "a.tif")
    without, at_100 = segment(asked(), path, ASKED), segment(asked(height_m=100.0), path, ASKED)
    assert (without.unit_area, without.regions[0].area) == ("px2", 100)
    assert at_100.unit_area == "m2"
    # a pixel is 0.0005 degrees: 39.4 m x 55.6 m at 45 degrees north
    assert at_100.regions[0].area == pytest.approx(100 * 39.42 * 55.57, rel=0.01)
    assert at_100.regions[0].centroid == pytest.approx((3 - 0.005, 45 + 0.005), abs=1e-4)
    assert at_100.scene.height_m == 100
    assert any("is 7.9 m beside its place" in warning for warning in at_100.warnings)
    assert any("set height_m" in warning for warning in without.warnings)


def test_a_result_is_opened_again_at_its_own_height_whatever_the_settings_say(asked, tmp_path):
    made = segment(asked(height_m=100.0), files.rpc(tmp_path / "a.tif"), ASKED)
    plain = asked()
    assert view_of(plain, made).gsd_m == pytest.approx(made.scene.view_gsd_m, rel=1e-4)
    assert refine(plain, made.id, Refinement(keep=(1,))).unit_area == "m2"
    assert replay(plain, made.id).first_difference is None


def test_a_picture_in_decibels_is_the_same_again(asked, tmp_path):
    engine = asked()
    made = segment(engine, files.radar(tmp_path / "a.tif"), ASKED, bands="sar")
    assert made.scene.bands == (-1, -2, decibels(1, 2))
    assert view_of(engine, made).digest() == made.scene.pixels_sha256
    assert replay(engine, made.id).first_difference is None


def test_a_named_sensor_is_in_the_record_and_used_again(asked, tmp_path):
    path = files.micasense(tmp_path / "field.tif", names=False)
    made = segment(asked(sensor="micasense-rededge"), path, ASKED, bands="false")
    assert (made.scene.sensor, made.scene.bands) == ("micasense-rededge", (5, 3, 2))
    assert "read as MicaSense RedEdge (3, M, MX), by the caller" in made.warnings
    assert replay(asked(), made.id).first_difference is None
