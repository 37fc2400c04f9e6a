"""A stretch in the words of a person."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.named_stretch import is_ranges, parse_stretch, stretch_words

finite = st.floats(-1e30, 1e30)


def written(path, values):
    count, height, width = values.shape
    options = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype.name}
    with rasterio.open(path, "w", crs="EPSG:32631", transform=Affine(1, 0, 0, 0, -1, 0), **options) as file:
        file.write(values)
    return path


@pytest.fixture
def scene(tmp_path):
    values = np.stack([np.full((20, 30), value, np.uint16) for value in (200, 1600, 3000)])
    with open_scene(written(tmp_path / "three.tif", values)) as opened:
        yield opened


def test_one_range_is_that_of_three_bands():
    assert parse_stretch("200:3000") == parse_stretch("200:3000,200:3000,200:3000")
    assert parse_stretch(" 1:2, 3:4, 5:6.5 ").high == (2, 4, 6.5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("3000:200", "low end is not below"),
        ("5:5", "low end is not below"),
        ("1:2,3:4", "2 ranges"),
        ("1:2:3", "not LOW:HIGH"),
        (":3000", "not LOW:HIGH"),
        ("0:1e999", "finite"),
        ("-1e308:1e308", "finite"),
        ("-:3", "not LOW:HIGH"),
    ],
)
def test_what_is_wrong_is_named_with_an_example(text, why):
    with pytest.raises(T2SError, match=why) as raised:
        parse_stretch(text)
    assert "200:3000" in raised.value.fix
    assert raised.value.code == "argument_invalid"


@pytest.mark.parametrize("text", ["200-3000", "200,3000", "200;3000", "2%:98%", "200 - 3000", "nan:1"])
def test_ranges_that_are_badly_written_are_no_names(text):
    assert is_ranges(text)
    with pytest.raises(T2SError, match=r"LOW:HIGH|finite"):
        parse_stretch(text)


@pytest.mark.parametrize(
    "text", ["r_0123456789", "whole.tif", "https://host/a.tif", "C:/a.tif", "12", "2020-01-01", "2020-01.tif"]
)
def test_names_are_no_ranges(text):
    assert not is_ranges(text)


@given(low=st.tuples(finite, finite, finite), wide=st.tuples(*[st.floats(1e-3, 1e30)] * 3))
def test_words_are_read_as_they_were_written(low, wide):
    high = tuple(a + b for a, b in zip(low, wide, strict=True))
    if all(a < b for a, b in zip(low, high, strict=True)):
        read = parse_stretch(stretch_words(low, high))
        assert (read.low, read.high) == (low, high)


def test_the_range_is_what_is_black_and_white(scene):
    scene.name_stretch(parse_stretch("200:3000"))
    assert scene.view().rgb[0, 0].tolist() == [0, 128, 255]  # 1600 is in the middle: 127.5
    assert scene.is_named()
    scene.name_stretch(parse_stretch("0:400,1500:1700,2000:3000"))
    assert scene.view().rgb[0, 0].tolist() == [128, 128, 255]


def test_it_is_of_the_bands_for_which_it_was_named(scene):
    scene.name_stretch(parse_stretch("0:4000"), "3,2,1")
    assert scene.view(bands="3,2,1").rgb[0, 0].tolist() == [191, 102, 13]
    assert not scene.is_named("1,2,3")


def test_a_range_that_no_value_of_the_type_meets_is_refused(tmp_path):
    with open_scene(written(tmp_path / "eight.tif", np.ones((3, 9, 9), np.uint8))) as scene:
        with pytest.raises(T2SError, match=r"300:3000 has no value of band 1, which stores uint8 \(0 to 255\)"):
            scene.name_stretch(parse_stretch("300:3000"))
        scene.name_stretch(parse_stretch("0:2"))
        assert scene.view().rgb[0, 0].tolist() == [128] * 3


def test_a_picture_that_is_almost_black_or_white_is_said(scene):
    scene.name_stretch(parse_stretch("0:60000"))
    scene.view()
    assert any("almost only black (values 1 to 13" in remark for remark in scene.remarks())
    scene.name_stretch(parse_stretch("0:100"))
    scene.view()
    assert any("almost only white" in remark for remark in scene.remarks())


def test_what_an_image_measures_can_be_named_for_it(tmp_path):
    values = np.random.default_rng(1).integers(0, 9000, (3, 40, 50)).astype(np.uint16)
    with open_scene(written(tmp_path / "noise.tif", values)) as scene:
        before, own = scene.view(), scene.stretch()
        scene.name_stretch(parse_stretch(stretch_words(own.low, own.high)))
        assert scene.view().digest() == before.digest()


def test_decibels_have_a_range_in_decibels(tmp_path):
    values = np.full((2, 10, 10), 0.1, np.float32)  # -10 dB
    with open_scene(written(tmp_path / "radar.tif", values)) as scene:
        scene.name_stretch(parse_stretch("-20:0,-20:0,-10:10"), "sar:1,2")
        assert scene.view(bands="sar:1,2").rgb[0, 0].tolist() == [128, 128, 128]


def test_a_colour_table_has_no_stretch(tmp_path):
    path = tmp_path / "classes.tif"
    with rasterio.open(path, "w", driver="GTiff", height=4, width=4, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 4, 4), np.uint8))
        file.write_colormap(1, {1: (10, 20, 30, 255)})
    with open_scene(path) as scene:
        assert scene.stretch() is None
        with pytest.raises(T2SError, match="colour table"):
            scene.name_stretch(parse_stretch("0:9"))
