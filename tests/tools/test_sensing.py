"""What an agent says of an image: the bands shown, its brightness, its sensor, the height of its ground."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from sensors.data import micasense, radar, rpc
from t2s_agent.tools import describe_region, reason_segment

from t2s_agent.errors import T2SError


@pytest.fixture
def images(tmp_path, engine):
    """The folder of the engine's images, with one of 16 bits, one of radar, and one that has only a camera model."""
    folder = tmp_path / "images"
    profile = {"driver": "GTiff", "width": 60, "height": 50, "count": 4, "dtype": "uint16", "crs": "EPSG:32631"}
    place = Affine(0.5, 0, 600_000, 0, -0.5, 5_750_000)
    with rasterio.open(folder / "four.tif", "w", transform=place, **profile) as file:
        file.write(np.random.default_rng(0).integers(100, 4000, (4, 50, 60)).astype(np.uint16))
    rpc(folder / "camera.tif")
    radar(folder / "radar.tif")
    micasense(folder / "field.tif", names=False)
    return folder


def test_bands_and_stretch_are_those_that_were_asked_for(engine, images):
    answer = reason_segment(engine, "four.tif", "tanks", bands="4,3,2", stretch="200:3000", preview=False)
    scene = engine.store.load(answer.result_id).scene
    assert (scene.bands, scene.stretch.words, scene.stretch.named) == ((4, 3, 2), "200:3000", True)
    assert describe_region(engine, answer.result_id).measured["stretch"] == "200:3000 (named)"


@pytest.mark.parametrize("like", ["four.tif", "t2s://images/four.tif", "result"])
def test_a_stretch_may_be_that_of_an_image_or_a_result(engine, images, like):
    first = reason_segment(engine, "four.tif", "tanks", preview=False)
    stretch = first.result_id if like == "result" else like
    again = reason_segment(engine, "four.tif", "tanks", stretch=stretch, preview=False)
    shown = [engine.store.load(each.result_id).scene.stretch.words for each in (first, again)]
    assert shown[0] == shown[1]


def test_an_unknown_image_to_be_shown_like_has_near_names(engine, images):
    with pytest.raises(T2SError, match=r"Did you mean 'four\.tif'"):
        reason_segment(engine, "harbour.tif", "tanks", stretch="fuor.tif")


def test_an_image_with_a_camera_model_gets_metres_at_a_height(engine, images):
    assert "total_area_px2" in reason_segment(engine, "camera.tif", "tanks", preview=False).facts()
    placed = reason_segment(engine, "camera.tif", "tanks", height_m=0, preview=False)
    assert "total_area_m2" in placed.facts()
    assert engine.store.load(placed.result_id).scene.height_m == 0
    assert "gsd_m" in describe_region(engine, image="camera.tif", height_m=100).measured
    assert engine.settings.height_m is None


def test_a_sensor_is_named_for_one_call(engine, images):
    assert "sensor" not in describe_region(engine, image="field.tif").measured
    assert "MicaSense" in describe_region(engine, image="field.tif", sensor="micasense-rededge").measured["sensor"]
    made = reason_segment(engine, "field.tif", "tanks", sensor="micasense-rededge", bands="false", preview=False)
    assert engine.store.load(made.result_id).scene.sensor == "micasense-rededge"
    with pytest.raises(T2SError, match="micasense-rededge"):  # the message lists those there are
        reason_segment(engine, "field.tif", "tanks", sensor="micasens")


def test_a_sensor_of_a_result_is_refused(engine, images):
    made = reason_segment(engine, "harbour.tif", "tanks", preview=False)
    with pytest.raises(T2SError, match="sensor cannot be used here: it goes with image"):
        describe_region(engine, made.result_id, sensor="naip")


def test_windows_have_the_resolution_that_was_asked_for(engine, images):
    engine.settings = engine.settings.model_copy(update={"max_size": 32})
    answer = reason_segment(engine, "harbour.tif", "tanks", mode="full", gsd_m=1, preview=False)
    assert answer.windows["gsd_m"] == pytest.approx(1, rel=0.01)


def test_a_resolution_below_zero_is_refused_and_not_taken_for_the_images_own(engine):
    with pytest.raises(T2SError, match="not above zero"):
        reason_segment(engine, "harbour.tif", "tanks", mode="full", gsd_m=-0.5, preview=False)
