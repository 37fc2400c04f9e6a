"""Pictures by the name of a composite and by names of bands."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.scene import Sensing, Window, open_scene
from t2s_agent.scene.composites import choose
from t2s_agent.scene.decibels import bands_behind, decibels

LANDSAT = "LC08_L2SP_016037_20210101_20210308_02_T1.tif"


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (None, (3, 2, 1)),
        ("true", (3, 2, 1)),
        ("False", (7, 3, 2)),
        ("swir", (10, 7, 3)),
        ("nir,red,green", (7, 3, 2)),
        ("B8, B4, B3", (7, 3, 2)),
        ("B08,b04,B3", (7, 3, 2)),
        ("b8a,B11,4", (8, 9, 4)),
        ("nir08", (8, 8, 8)),
        ("nir", (7, 7, 7)),
        ("swir16,nir,red", (9, 7, 3)),
        ("red edge", (4, 4, 4)),
        ("4,3,2", (4, 3, 2)),
        ([4, 3, 2], (4, 3, 2)),
    ],
)
def test_bands_of_sentinel_2(tmp_path, sensors, wanted, shown):
    with open_scene(sensors.sentinel2(tmp_path / "a.tif", {"PROCESSING_BASELINE": "05.09"})) as scene:
        assert choose(scene.legend, wanted) == shown
        assert scene.view(bands=wanted).bands == shown


def test_a_number_of_a_band_that_is_also_a_name_is_the_number(tmp_path, sensors):
    with open_scene(sensors.landsat8(tmp_path / LANDSAT)) as scene:
        assert choose(scene.legend, "5,4,3") == (5, 4, 3)
        assert choose(scene.legend, "SR_B5,B4,green") == (5, 4, 3)
        assert choose(scene.legend, "false") == (5, 4, 3)


def test_bands_of_an_unknown_sensor_have_the_names_in_the_file(tmp_path, sensors):
    names = ("depth", "Red", "VNIR-7", None)
    path = sensors.write(tmp_path / "a.tif", [sensors.halves(1, 2, "uint16")] * 4, names)
    with open_scene(path) as scene:
        assert choose(scene.legend, "depth,red,vnir 7") == (1, 2, 3)


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ("B99", "there is no band 'B99'"),
        ("swir", "the composite swir needs shortwave infrared (swir22 or swir16), near infrared and red"),
        ("sar", "no bands are known to be VV and VH"),
        ("sar:1,1", "no bands are known"),
        ("sar:9", "there is no band 9"),
        ("red,green", "are not one or three"),
        ("red,,green", "are not one or three"),
        ("pan", "the composite pan needs panchromatic"),
        ("nir,red,7", "there is no band 7"),
    ],
)
def test_what_an_image_does_not_have_is_refused_with_what_it_has(tmp_path, sensors, wanted, what):
    path = sensors.naip(tmp_path / "m_4709963_se_14_1_20120731.tif")
    with open_scene(path) as scene, pytest.raises(T2SError) as refused:
        choose(scene.legend, wanted)
    assert refused.value.code == "bands_unknown"
    assert what in refused.value.what
    assert "the image has bands 1 (red), 2 (green), 3 (blue), 4 (nir)" in refused.value.what
    assert "true, false, swir, pan, sar" in refused.value.fix


@pytest.mark.parametrize("wanted", [[1, -2, 3], [-1, -2], [-9], "-9", [decibels(1, 7)] * 3])
def test_numbers_of_decibels_are_of_bands_that_there_are(tmp_path, sensors, wanted):
    with open_scene(sensors.radar(tmp_path / "a.tif")) as scene, pytest.raises(T2SError) as refused:
        choose(scene.legend, wanted)
    assert refused.value.code == "bands_unknown"


def test_one_band_is_shown_as_panchromatic(tmp_path, sensors):
    path = sensors.write(tmp_path / "IMG_PHR1B_P_202005110231585_SEN_1_R1C1.TIF", [sensors.halves(100, 200, "uint16")])
    with open_scene(path) as scene:
        assert scene.view(bands="pan").bands == (1, 1, 1)


@pytest.mark.parametrize("unit", ["power", "amplitude", "dB"])
def test_radar_is_shown_in_decibels_whatever_is_stored(tmp_path, sensors, unit):
    with open_scene(sensors.radar(tmp_path / "a.tif", unit=unit)) as scene:
        view = scene.view(bands="sar")
        assert view.bands == (-1, -2, decibels(1, 2))
        assert view.valid.all()
        sea, field, town = (view.rgb[:, x].mean(0) for x in (5, 20, 35))
        assert sea[0] < field[0] < town[0]
        # a third of the picture each: in decibels the field lies between, in power it would be as dark as the sea
        assert field[0] - sea[0] > 60
        (said,) = (remark for remark in scene.remarks("sar") if "decibels" in remark)
    assert said.endswith(
        "band 1 in decibels; band 2 in decibels; band 1 minus band 2 in decibels (band 1 is VV, band 2 is VH)"
    )


def test_the_same_ground_in_power_and_in_decibels_gives_the_same_picture(tmp_path, sensors):
    pictures = []
    for unit in ("power", "dB"):
        with open_scene(sensors.radar(tmp_path / f"{unit}.tif", unit=unit)) as scene:
            pictures.append(scene.view(bands="sar").rgb.astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_one_polarisation_is_grey(tmp_path, sensors):
    with open_scene(sensors.radar(tmp_path / "a.tif", names=("VV",))) as scene:
        view = scene.view(bands="sar")
        assert view.bands == (-1, -1, -1)
        assert (view.rgb[..., 0] == view.rgb[..., 2]).all()


def test_a_recognised_radar_is_shown_in_decibels_without_asking(tmp_path, sensors):
    path = sensors.radar(tmp_path / "s1a-iw-grd-20200101.tif", unit="amplitude")
    with open_scene(path) as scene:
        assert scene.view().bands == (-1, -2, decibels(1, 2))
        assert scene.remarks()[0] == "read as Sentinel-1 GRD, by the file's name"
        assert scene.fills() == ()


def test_a_view_of_decibels_is_made_again_from_its_numbers(tmp_path, sensors):
    with open_scene(sensors.radar(tmp_path / "a.tif", names=(None, None))) as scene:
        first = scene.view(bands="sar:1,2")
    with open_scene(sensors.radar(tmp_path / "a.tif", names=(None, None))) as scene:
        assert scene.view(bands=list(first.bands)).digest() == first.digest()


def test_the_stretch_in_decibels_is_the_scenes(tmp_path, sensors):
    with open_scene(sensors.radar(tmp_path / "a.tif")) as scene:
        whole = scene.view(bands="sar")
        part = scene.view(bands="sar", window=Window(20, 0, 20, 40))
    assert (part.rgb == whole.rgb[:, 20:]).all()


def test_pixels_without_backscatter_are_no_data(tmp_path, sensors):
    vv = np.full((20, 20), 0.1, np.float32)
    vv[:5] = 0
    with open_scene(sensors.write(tmp_path / "a.tif", [vv], ("VV",))) as scene:
        assert scene.view(bands="sar").valid.sum() == 300


def test_the_caller_names_the_sensor_for_names_of_its_bands(tmp_path, sensors):
    path = sensors.micasense(tmp_path / "field.tif", names=False)
    with open_scene(path) as scene, pytest.raises(T2SError, match="name it with sensor"):
        scene.view(bands="nir,red,green")
    with open_scene(path, sensing=Sensing("micasense-rededge")) as scene:
        assert scene.view(bands="nir,red,green").bands == (5, 3, 2)


def test_a_file_of_one_band_is_told_how_to_stack(tmp_path, sensors):
    path = sensors.write(tmp_path / "T31UFU_20220301T105901_B04_10m.tif", [sensors.halves(1500, 2500, "uint16")])
    with open_scene(path) as scene, pytest.raises(T2SError, match="gdalbuildvrt -separate"):
        scene.view(bands="nir,red,green")


@pytest.fixture(scope="module")
def legend(sensors, tmp_path_factory):
    with open_scene(sensors.sentinel2(tmp_path_factory.mktemp("legend") / "a.tif")) as scene:
        return scene.legend


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.text(max_size=30)
    | st.lists(st.sampled_from(["B8", "nir", "3", "-1", "sar:", "-10002", "", "99"]), max_size=4).map(",".join)
)
def test_any_text_names_bands_or_is_refused(legend, wanted):
    code = ""
    try:
        shown = choose(legend, wanted)
    except T2SError as error:
        shown, code = (1, 1, 1), error.code
    assert code in ("", "bands_unknown")
    assert len(shown) == 3
    assert all(1 <= band <= 10 for band in bands_behind(shown))
