"""Images that only have a camera model (RPC): measured at a stated height, or in pixels with a warning that says how to go on."""

import math

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene

# The camera of sensors.rpc: 40 x 40 px; at 100 m its middle is at 3 E, 45 N; a pixel is 0.0005 degrees; each metre higher
# moves the ground 0.00001 degrees to the west.


def test_without_a_height_measures_are_in_pixels_and_the_warning_names_rpc_and_the_way_out(tmp_path, sensors):
    with open_scene(sensors.rpc(tmp_path / "a.tif")) as scene:
        assert scene.gsd_m is None
        in_pixels, how = scene.remarks()
    assert in_pixels == "the image has no coordinate reference system: measures are in pixels"
    assert "camera model (RPC)" in how
    assert "height_m" in how
    assert "100 m" in how  # the height in the middle of the model's range
    assert "gdalwarp -rpc" in how


@pytest.mark.parametrize(("height", "lon"), [(100, 3.0), (200, 2.999), (0, 3.001)])
def test_at_a_stated_height_pixels_have_places(tmp_path, sensors, height, lon):
    with open_scene(sensors.rpc(tmp_path / "a.tif"), height_m=height) as scene:
        there = scene.georeference.to_lonlat(20.0, 20.0)
        assert (there[0][0], there[1][0]) == pytest.approx((lon, 45.0), abs=1e-7)
        corner = scene.georeference.to_lonlat(0.0, 0.0)
        assert (corner[0][0], corner[1][0]) == pytest.approx((lon - 0.01, 45.01), abs=1e-7)
        back = scene.georeference.from_lonlat(*there)
        assert (back[0][0], back[1][0]) == pytest.approx((20, 20), abs=1e-3)
        across = 0.0005 * math.cos(math.radians(45)) * 111_320
        assert scene.gsd_m == pytest.approx(math.sqrt(across * 0.0005 * 111_132), rel=0.01)


def test_the_uncertainty_of_the_height_is_said_in_metres(tmp_path, sensors):
    with open_scene(sensors.rpc(tmp_path / "a.tif"), height_m=100) as scene:
        (said,) = scene.remarks()
    # 10 m of height are 0.0001 degrees of longitude: 7.9 m at 45 degrees north
    assert said == (
        "positions are by the image's camera model (RPC) at a height of 100 m above the WGS 84 ellipsoid: ground 10 m higher or lower "
        "is 7.9 m beside its place"
    )


def test_an_image_with_a_transform_keeps_it(tmp_path, sensors):
    path = sensors.naip(tmp_path / "a.tif")
    with open_scene(path) as plain, open_scene(path, height_m=500) as asked:
        assert asked.georeference == plain.georeference
        assert asked.height_m is None


@pytest.mark.parametrize("broken", [{"line_scale": 0.0}, {"lat_scale": float("nan")}, {"long_off": 4000.0}])
def test_a_camera_model_that_makes_no_sense_gives_pixels_and_says_so(tmp_path, sensors, broken):
    with open_scene(sensors.rpc(tmp_path / "a.tif", **broken), height_m=100) as scene:
        assert scene.gsd_m is None
        assert (
            scene.remarks()[0]
            == "the image's camera model (RPC) gives no position at a height of 100 m: measures are in pixels"
        )


@pytest.mark.parametrize("height", [math.nan, math.inf, -12_000, 90_000])
def test_a_height_that_is_not_on_earth_is_refused(tmp_path, sensors, height):
    with pytest.raises(T2SError, match="height_m"):
        open_scene(sensors.rpc(tmp_path / "a.tif"), height_m=height)
