"""Which sensor a file is from: by its name, its tags, the names of its bands, or the caller; never by their number alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.bands import Band
from t2s_agent.scene.recognising import in_order, recognise
from t2s_agent.scene.sensors import load_sensors

SENSORS = load_sensors()


def bands(names, dtype="uint16"):
    return [Band(i, name, "undefined", dtype) for i, name in enumerate(names, 1)]


def sensor_of(names, file="a.tif", tags=(), wanted=""):
    found = recognise(bands(names), file, dict(tags), SENSORS, wanted)
    return (found.sensor.id, found.why) if found else None


S2 = ("B02", "B03", "B04", "B08")
NAMELESS = {count: ("",) * count for count in (1, 2, 3, 4, 5, 6, 8)}


@pytest.mark.parametrize(
    ("names", "file", "sensor"),
    [
        (S2, "S2A_MSIL2A_20220301T105901_N0400_R094_T31UFU_20220301T150000.tif", "sentinel-2-l2a"),
        (S2, "S2B_MSIL1C_20200301T105901_N0209_R094_T31UFU.tif", "sentinel-2-l1c"),
        (("B02", "B03", "B04", "B05"), "HLS.L30.T10SEH.2021001T184000.v2.0.tif", "hls-l30"),
        (("B02", "B03", "B04", "B8A"), "HLS.S30.T10SEH.2021001T184000.v2.0.tif", "hls-s30"),
        (("SR_B4", "SR_B5"), "LC08_L2SP_016037_20210101_20210308_02_T1.tif", "landsat-8-9-c2-l2"),
        (("SR_B3", "SR_B4"), "LE07_L2SP_016037_20010101_20200917_02_T1.tif", "landsat-4-7-c2-l2"),
        (("B4", "B5"), "LC09_L1TP_016037_20220101_20220101_02_T1.tif", "landsat-8-9-c2-l1"),
        (NAMELESS[4], "m_4709963_se_14_1_20120731.tif", "naip"),
        (NAMELESS[4], "naip_2020.tif", "naip"),
        (NAMELESS[8], "20220101_101010_12_2416_3B_AnalyticMS_SR_8b_clip.tif", "planetscope-8-sr"),
        (NAMELESS[8], "20220101_101010_12_2416_3B_AnalyticMS_8b.tif", "planetscope-8"),
        (NAMELESS[4], "20190101_101010_1012_3B_AnalyticMS_SR.tif", "planetscope-4-sr"),
        (NAMELESS[4], "20190101_101010_1012_3B_AnalyticMS.tif", "planetscope-4"),
        (NAMELESS[8], "10JUN12222505-M2AS-052298844010_01_P001.TIF", "worldview-8"),
        (NAMELESS[4], "10JUN12222505-S2AS-052298844010_01_P001.TIF", "maxar-4"),
        (NAMELESS[1], "10JUN12222505-P2AS-052298844010_01_P001.TIF", "maxar-pan"),
        (NAMELESS[4], "IMG_PHR1A_PMS_202005110231585_ORT_5547047101_R1C1.TIF", "pleiades"),
        (NAMELESS[1], "IMG_PHR1B_P_202005110231585_SEN_5547047101_R1C1.TIF", "pleiades"),
        (NAMELESS[4], "IMG_SPOT6_MS_201701211409016_ORT_C0000000062690_R1C1.TIF", "spot-6-7"),
        (NAMELESS[6], "IMG_PNEO3_202204031105489_PMS-FS_ORT_PWOI_000125930_1_1_F_1.TIF", "pleiades-neo"),
        (NAMELESS[3], "IMG_PNEO3_202204031105489_PMS-FS_ORT_PWOI_000125930_1_1_F_1_NED_R2C1.TIF", "pleiades-neo-ned"),
        (("VV", "VH"), "s1a-iw-grd-20200101.tif", "sentinel-1-grd"),
        (("VV", "VH"), "Subset_S1B_IW_GRDH_1SDV_20200101T060606_Cal.tif", "sentinel-1-grd"),
        (("Blue", "Green", "Red", "NIR", "Red edge"), "micasense_field_3.tif", "micasense-rededge"),
    ],
)  # fmt: skip
def test_a_products_own_file_name_names_its_sensor(names, file, sensor):
    assert sensor_of(names, file) == (sensor, "the file's name")


@pytest.mark.parametrize(
    ("names", "tags", "sensor", "key"),
    [
        (S2, {"PRODUCT_TYPE": "S2MSI2A"}, "sentinel-2-l2a", "PRODUCT_TYPE"),
        (S2, {"PROCESSING_LEVEL": "Level-1C"}, "sentinel-2-l1c", "PROCESSING_LEVEL"),
        (("",), {"TIFFTAG_IMAGEDESCRIPTION": "Sentinel-1A IW GRD HR L1"}, "sentinel-1-grd", "TIFFTAG_IMAGEDESCRIPTION"),
        (NAMELESS[5], {"TIFFTAG_MODEL": "RedEdge-M"}, "micasense-rededge", "TIFFTAG_MODEL"),
        (NAMELESS[6], {"EXIF_Model": "Altum"}, "micasense-altum", "EXIF_Model"),
        (NAMELESS[4], {"EXIF_Model": "Sequoia"}, "parrot-sequoia", "EXIF_Model"),
        (NAMELESS[5], {"EXIF_Model": "FC6360"}, "dji-p4m", "EXIF_Model"),
        (NAMELESS[4], {"EXIF_Model": "M3M"}, "dji-m3m", "EXIF_Model"),
    ],
)  # fmt: skip
def test_a_tag_names_the_sensor_and_is_named_itself(names, tags, sensor, key):
    assert sensor_of(names, tags=tags) == (sensor, f"the tag {key}")


def test_names_that_only_one_sensor_has_are_enough():
    assert sensor_of(S2) == ("sentinel-2", "the names of its bands")
    assert sensor_of(["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7", "ST_B6"]) == (
        "landsat-4-7-c2-l2",
        "the names of its bands",
    )
    assert sensor_of([f"SR_B{n}" for n in range(1, 8)]) == ("landsat-8-9-c2-l2", "the names of its bands")


@pytest.mark.parametrize(
    ("names", "file"),
    [
        (NAMELESS[4], "a.tif"),
        (NAMELESS[8], "a.tif"),
        (("B1", "B2", "B3", "B4"), "a.tif"),
        (("B02", "B03"), "a.tif"),  # two names are too few
        (("SR_B2", "SR_B3", "SR_B4", "SR_B5"), "a.tif"),  # of Landsat 4 to 7 as much as of 8 and 9
        (("red", "green", "blue", "nir"), "a.tif"),
        (("ndvi",), "S2A_MSIL2A_20220301T105901_N0400_R094_T31UFU.tif"),
        (NAMELESS[3], "m_4709963_se_14_1_20120731.tif"),  # a copy with three bands: which three is not known
        (NAMELESS[4], "snaiper.tif"),
        (NAMELESS[4], "sequoia_park.tif"),
        (NAMELESS[5], "ndvi_rededge.tif"),
        (("B02", "ndvi", "dem", "slope"), "S2A_MSIL2A_x.tif"),
    ],
)
def test_otherwise_no_sensor_is_guessed(names, file):
    assert sensor_of(names, file) is None


def test_the_caller_names_the_sensor_and_bands_without_names_are_in_its_order():
    found = recognise(bands(NAMELESS[5]), "a.tif", {}, SENSORS, "micasense-rededge")
    assert found.why == "the caller"
    assert [band.common for band in found.bands] == ["blue", "green", "red", "rededge", "nir"]
    assert in_order(found, bands(NAMELESS[5]))
    named = ("Blue", "Green", "Red", "NIR", "Red edge")
    assert not in_order(recognise(bands(named), "a.tif", {}, SENSORS, "micasense-rededge"), bands(named))


def test_stacks_in_the_order_of_a_camera_have_a_sensor_of_their_own():
    found = recognise(bands(NAMELESS[5]), "a.tif", {}, SENSORS, "micasense-camera-order")
    assert [band.common for band in found.bands] == ["blue", "green", "red", "nir", "rededge"]


def test_a_sensor_with_other_bands_is_refused_with_both():
    with pytest.raises(T2SError, match="4 bands with no names; WorldView-2/3, 8 bands has other bands") as refused:
        sensor_of(NAMELESS[4], wanted="worldview-8")
    assert refused.value.code == "bands_unknown"
    assert "coastal, blue, green" in refused.value.fix


def test_names_in_a_file_are_preferred_to_the_sensors_order():
    found = recognise(bands(("nir", "red", "green", "blue")), "m_4709963_se_14_1_20120731.tif", {}, SENSORS)
    assert [band.common for band in found.bands] == ["nir", "red", "green", "blue"]


def test_an_alpha_band_is_none_of_the_sensors():
    listed = [*bands(NAMELESS[4]), Band(5, "", "alpha", "uint16")]
    found = recognise(listed, "naip_2020.tif", {}, SENSORS)
    assert [band and band.common for band in found.bands] == ["red", "green", "blue", "nir", None]


@pytest.mark.parametrize(
    ("file", "sensor", "common"),
    [
        ("LC08_L2SP_016037_20210101_20210308_02_T1_SR_B5.TIF", "landsat-8-9-c2-l2", "nir08"),
        ("LC08_L2SP_016037_20210101_20210308_02_T1_ST_B10.TIF", "landsat-8-9-c2-l2", "lwir11"),
        ("T31UFU_20220301T105901_B04_10m.jp2", "sentinel-2", "red"),
        ("HLS.S30.T10SEH.2021001T184000.v2.0.B8A.tif", "hls-s30", "nir08"),
        ("IMG_PHR1B_P_202005110231585_SEN_5547047101_R1C1.TIF", "pleiades", "pan"),
        ("s1a-iw-grd-vh-20200101t060606-20200101t060631-030000-037000-002.tiff", "sentinel-1-grd", "VH"),
    ],
)
def test_a_file_of_one_band_has_the_bands_name_in_its_own(file, sensor, common):
    found = recognise(bands(("",)), file, {}, SENSORS)
    assert (found.sensor.id, found.bands[0].common) == (sensor, common)


@pytest.mark.parametrize("name", ["B4, central wavelength 665 nm", "T31UFU_20200101_B04_10m.jp2", "b4", "B04"])
def test_spellings_of_a_numbered_band(name):
    found = recognise(bands((name,)), "S2A_MSIL2A_x.tif", {}, SENSORS)
    assert found.bands[0].common == "red"


def test_a_fourth_band_that_programs_write_as_alpha_is_the_sensors(tmp_path, sensors):
    with open_scene(sensors.naip(tmp_path / "m_4709963_se_14_1_20120731.tif")) as scene:
        assert [band.common for band in scene.bands] == ["red", "green", "blue", "nir"]
        assert scene.data_bands == (1, 2, 3, 4)
        assert scene.view().valid.all()
        assert "band 4 is interpreted as alpha and is the sensor's nir: it is read as that" in scene.remarks()


@given(
    st.lists(
        st.sampled_from(["", "B02", "red", "SR_B4", "VV", "B8A", "Band 1", "\x00"]) | st.text(max_size=8), max_size=9
    ),
    st.text(max_size=40) | st.sampled_from(["S2A_MSIL2A_", "LC08_L2SP_", "naip", "PNEO3_RGB."]),
    st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=4),
)
def test_any_names_and_tags_are_recognised_or_not_without_an_error(names, file, tags):
    found = recognise(bands(names), file, tags, SENSORS)
    assert found is None or len(found.bands) == len(names)
