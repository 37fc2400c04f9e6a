"""How stored values become reflectance: the file's own rule, the sensor's, or a statement that it is not known."""

import pytest

from t2s_agent.scene import open_scene
from t2s_agent.scene.legend import Sensing

ESA_NAME = "S2A_MSIL2A_20220301T105901_{}_R094_T31UFU_20220301T150000.tif"


def legend_of(path, sensor=""):
    with open_scene(path, sensing=Sensing(sensor)) as scene:
        return scene.legend


@pytest.mark.parametrize(
    ("file", "tags", "offset", "how"),
    [
        ("a.tif", {"PROCESSING_BASELINE": "04.00"}, -0.1, "-1000 by the processing baseline 04.00 in the tag PROCESSING_BASELINE"),
        ("a.tif", {"PROCESSING_BASELINE": "05.09"}, -0.1, "baseline 05.09"),
        ("a.tif", {"PROCESSING_BASELINE": "03.01"}, 0.0, "without offset by the processing baseline 03.01"),
        ("a.tif", {"s2:processing_baseline": "N0510"}, -0.1, "baseline 05.10"),
        ("a.tif", {"BOA_ADD_OFFSET": "-900"}, -0.09, "-900 by the tag BOA_ADD_OFFSET"),
        ("a.tif", {"PROCESSING_BASELINE": "05.09", "BOA_OFFSET_APPLIED": "true"}, 0.0, "applied already"),
        ("a.tif", {"PRODUCT_URI": ESA_NAME.format("N0400")}, -0.1, "in the tag PRODUCT_URI"),
        (ESA_NAME.format("N0301"), {}, 0.0, "in the file's name"),
        (ESA_NAME.format("N0400"), {}, -0.1, "in the file's name"),
    ],
)  # fmt: skip
def test_the_offset_of_sentinel_2_is_that_of_its_baseline(tmp_path, sensors, file, tags, offset, how):
    scaling = legend_of(sensors.sentinel2(tmp_path / file, tags)).scalings[2]
    assert (scaling.known, scaling.scale, scaling.offset) == (True, 0.0001, pytest.approx(offset))
    assert how in scaling.words


def test_without_a_baseline_values_stay_as_stored_and_a_remark_says_why(tmp_path, sensors):
    with open_scene(sensors.sentinel2(tmp_path / "stack.tif")) as scene:
        scaling = scene.legend.scalings[0]
        assert (scaling.known, scaling.other_offset) == (False, pytest.approx(-0.1))
        assert not scene.bands[0].scaled
        read_as, doubt = scene.remarks()
    assert read_as == "read as Sentinel-2 (level not known), by the names of its bands"
    assert doubt.startswith("the processing baseline is not known: from 04.00 on -1000 is added")


def test_landsat_collection_2_has_its_own_scale_and_offset_and_flags_have_none(tmp_path, sensors):
    legend = legend_of(sensors.landsat8(tmp_path / "LC08_L2SP_016037_20210101_20210308_02_T1.tif"))
    assert (
        legend.scalings[3].words
        == "surface reflectance = stored x 2.75e-05 - 0.2, as Landsat 8/9 Collection 2 Level-2 is stored"
    )
    assert (legend.scalings[7].scale, legend.scalings[7].unit) == (0.00341802, "kelvin at the surface")
    assert not legend.scalings[8].known


def test_the_files_own_scale_is_preferred(tmp_path, sensors):
    import rasterio

    path = sensors.sentinel2(tmp_path / "a.tif", {"PROCESSING_BASELINE": "05.09"})
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [0.0002] * 10, [0.0] * 10
    assert legend_of(path).scalings[0].words == "reflectance = stored x 0.0002, by the scale and offset in the file"


def test_floating_point_values_are_taken_as_scaled_and_other_types_are_not_scaled(tmp_path, sensors):
    floats = [sensors.halves(0.05, 0.4, "float32")] * 4
    path = sensors.write(tmp_path / "f.tif", floats, ("B02", "B03", "B04", "B08"))
    assert "as floating-point values is taken as scaled" in legend_of(path).scalings[0].words
    bytes_ = [sensors.halves(50, 200, "uint8")] * 4
    path = sensors.write(tmp_path / "b.tif", bytes_, ("B02", "B03", "B04", "B08"))
    assert "uint8 is not the type" in legend_of(path).scalings[0].words


@pytest.mark.parametrize(
    ("maker", "file", "words"),
    [
        ("planetscope8", "20220101_101010_12_2416_3B_AnalyticMS_SR_8b.tif", "surface reflectance = stored x 0.0001"),
        ("naip", "m_4709963_se_14_1_20120731.tif", "stored values of NAIP: the aerial cameras' 8-bit brightness is not calibrated"),
        ("micasense", "micasense.tif", "reflectance = stored x 3.051757812e-05"),
    ],
)  # fmt: skip
def test_each_sensor_says_its_rule(tmp_path, sensors, maker, file, words):
    assert legend_of(getattr(sensors, maker)(tmp_path / file)).scaling_words[0].startswith(words)
