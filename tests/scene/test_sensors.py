"""The table of sensors: complete, with sources, and extensible by a file of a person's own."""

import re

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.legend import Sensing
from t2s_agent.scene.sensors import load_sensors

# STAC eo extension 2.0.0, and polarisations
COMMON = re.compile(
    "|(coastal|blue|green|green05|yellow|red|rededge(071|075|078)?|nir(08|09)?|cirrus|swir(16|22)|pan|lwir(11|12)?|[VH]{2})"
)


@pytest.mark.parametrize("sensor", load_sensors().entries, ids=lambda sensor: sensor.id)
def test_every_entry_has_a_source_and_bands_with_common_names(sensor):
    assert sensor.source
    assert all(COMMON.fullmatch(band.common) for band in sensor.bands)
    assert (sensor.scale is None) == bool(sensor.unscaled)
    assert all(band.nm is None or 350 < band.nm < 13_000 for band in sensor.bands)


def test_ids_are_unique_and_the_ones_asked_for_are_there():
    ids = [sensor.id for sensor in load_sensors().entries]
    assert len(set(ids)) == len(ids)
    assert {
        "sentinel-2-l1c", "sentinel-2-l2a", "landsat-8-9-c2-l2", "landsat-4-7-c2-l2", "landsat-8-9-c2-l1", "naip",
        "planetscope-4-sr", "planetscope-8-sr", "worldview-8", "maxar-4", "spot-6-7", "pleiades", "pleiades-neo",
        "micasense-rededge", "micasense-rededge-p", "micasense-altum", "micasense-camera-order", "parrot-sequoia", "dji-p4m", "dji-m3m", "pan",
        "sentinel-1-grd",
    } <= set(ids)  # fmt: skip


def test_an_unknown_sensor_is_refused_with_similar_names():
    with pytest.raises(T2SError, match="planetscope-4-sr") as refused:
        load_sensors().named("planetscope-sr")
    assert refused.value.code == "argument_invalid"


OWN = """
[[sensor]]
id = "skycam"
title = "Skycam"
source = "its manual"
file = "^SKY_"
unit = "reflectance"
scale = 0.001
dtypes = ["uint16"]
orders = [["near", "middle"]]
bands = [{ name = "near", common = "nir", nm = 850 }, { name = "middle", common = "red", nm = 660 }]

[[sensor]]
id = "skycam-2"
title = "Skycam 2"
like = "skycam"
file = "^SKY2_"
scale = 0.002
"""


def test_a_persons_own_file_is_read_before_the_package(tmp_path, sensors):
    own = tmp_path / "sensors.toml"
    own.write_text(OWN)
    path = sensors.write(
        tmp_path / "SKY2_a.tif", [sensors.halves(400, 400, "uint16"), sensors.halves(100, 100, "uint16")]
    )
    with open_scene(path, sensing=Sensing(sensors_file=own)) as scene:
        assert scene.legend.sensor_words == "Skycam 2, by the file's name"
        assert [band.common for band in scene.bands] == ["nir", "red"]
        assert scene.bands[0].scale == 0.002
    with open_scene(path) as scene:
        assert scene.legend.recognised is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[sensor]]\nid = 'a'\n", "title"),
        ("[[sensors]]\n", "something other"),
        ("x = [", "cannot be read"),
        (OWN.replace('"^SKY_"', '"("'), "not a regular expression"),
        (OWN.replace('like = "skycam"', 'like = "sky"'), "like names 'sky'"),
        (OWN.replace('["near", "middle"]', '["near", "far"]'), "'far'"),
        (OWN.replace("scale = 0.001", "scale = nan"), "scale"),
        (OWN.replace("scale = 0.001", "scale = 0"), "scale"),
        (OWN.replace("nm = 850", "nanometres = 850"), "nanometres"),
    ],
)
def test_a_fault_in_that_file_is_named(tmp_path, text, fault):
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(T2SError, match=re.escape(fault)) as refused:
        load_sensors(own)
    assert refused.value.code == "argument_invalid"
    assert "own.toml" in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(T2SError, match=r"none\.toml cannot be read"):
        load_sensors(tmp_path / "none.toml")
