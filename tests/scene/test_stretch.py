"""Any values become a picture: undeclared fill, extreme floats, no output on standard error."""

import warnings

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.scene import open_scene
from t2s_agent.scene.stretch import IDENTITY, Stretch, fills_of, stretch_of

EVERYWHERE = np.ones((60, 60), bool)


def ramp(low, high, dtype):
    return (np.linspace(low / 2, high / 2, 3600) * 2).reshape(60, 60).astype(dtype)


def written(path, band):
    height, width = band.shape
    options = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": band.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it lies nowhere
        with rasterio.open(path, "w", **options) as file:
            file.write(band, 1)
    return path


def test_a_stretch_worked_by_hand():
    stretch = Stretch((0, 100, -1), (10, 300, 1))
    values = np.array([[[5.0]], [[400.0]], [[-0.5]]])
    assert stretch.apply(values, np.ones((1, 1), bool)).tolist() == [[[128, 255, 64]]]  # 127.5, cut, 63.75


def test_eight_bits_are_shown_as_they_are():
    values = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    valid = np.ones((3, 3), bool)
    valid[0, 0] = False
    shown = IDENTITY.apply(values, valid)
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[1, 2].tolist() == values[:, 1, 2].tolist()


@pytest.mark.parametrize(
    ("low", "high", "dtype", "fill"),
    [
        (200, 3000, "int16", -9999),
        (200, 3000, "int16", -32768),
        (200, 3000, "int16", 32767),
        (200, 4000, "uint16", 65535),
        (0, 1, "float32", -9999),
        (0, 1, "float32", float(np.finfo(np.float32).min)),
        (0, 1, "float32", 1e20),
        (0, 20_000, "int32", -9999),
        (0, 1, "float64", float(np.finfo(np.float64).max)),
        (0, 1, "float32", 77.0),  # no number that is known for it
    ],
)
def test_undeclared_fill_is_left_out_of_the_stretch_with_a_warning(tmp_path, low, high, dtype, fill):
    plain = ramp(low, high, dtype)
    filled = plain.copy()
    filled[:, :20] = fill
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_scene(written(tmp_path / "plain.tif", plain[:, 20:])) as scene:
            expected = scene.view()
        with open_scene(written(tmp_path / "filled.tif", filled)) as scene:
            view, said = scene.view(), scene.remarks()
    assert (view.rgb[:, 20:] == expected.rgb).all()
    assert len(np.unique(view.rgb[:, 20:])) > 200
    assert not view.rgb[:, :20].any()
    assert view.valid.all()  # not masked unasked
    shown = "-3.4028235e+38" if fill == float(np.finfo(np.float32).min) else f"{fill:.17g}"
    assert f"33.3% of band 1 is {shown}, not declared as nodata" in said[-1]
    assert f"gdal_edit.py -a_nodata {shown} FILE" in said[-1]
    assert len(said[-1]) < 200  # longer ones are cut in answers


def test_the_share_of_fill_is_of_all_pixels_those_of_zero_too(tmp_path):
    band = ramp(200, 3000, "uint16")
    band[:30], band[30:36] = 0, 65535
    with open_scene(written(tmp_path / "a.tif", band)) as scene:
        scene.view()
        assert scene.remarks()[-1].startswith("10.0% of band 1 is 65535")


@pytest.mark.parametrize(
    "band",
    [
        ramp(0, 4095, "uint16"),
        np.minimum(ramp(0, 6000, "uint16"), 4095),  # a third of it saturated: nothing is far from anything
        np.repeat([1, 2, 7], 1200).reshape(60, 60).astype("int16"),  # classes
        np.full((60, 60), 700, "int16"),
    ],
)
def test_no_fill_is_found_in_normal_pictures(band):
    assert fills_of(band.ravel().astype(float), band.dtype) == ()


@pytest.mark.parametrize("far", [1e38, 3e38, -1e30])
def test_a_few_extreme_numbers_of_all_kinds_do_not_blacken_the_rest(far):
    band = ramp(0, 1, "float32")
    band[::8, ::2] = far * np.linspace(0.5, 1, 8 * 30).reshape(8, 30).astype("float32")
    stretch = stretch_of(np.stack([band] * 3), EVERYWHERE)
    assert stretch.wild
    shown = stretch.apply(np.stack([band] * 3), EVERYWHERE)[1::8]
    assert len(np.unique(shown)) > 20


@pytest.mark.parametrize(
    "band",
    [
        ramp(-1.7e308, 1.7e308, "float64"),
        ramp(0, 3e38, "float32"),
        ramp(0, 1e-310, "float64"),
        ramp(0, 1e-44, "float32"),
        ramp(-1e-320, 1e-320, "float64"),
    ],
)
def test_the_widest_and_the_smallest_numbers_still_make_a_picture(tmp_path, band):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_scene(written(tmp_path / "a.tif", band)) as scene:
            view = scene.view()
    assert view.rgb.min() == 0
    assert view.rgb.max() == 255
    assert len(np.unique(view.rgb)) > 5  # the smallest have few values themselves


def test_values_that_are_not_finite_are_no_data(tmp_path):
    band = ramp(0, 1, "float32")
    band[0], band[1], band[2] = np.nan, np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_scene(written(tmp_path / "a.tif", band)) as scene:
            view = scene.view()
    assert not view.valid[:3].any()
    assert view.valid[3:].all()
    assert len(np.unique(view.rgb[3:])) > 200


@given(arrays(np.float64, (3, 4, 5), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_any_numbers_at_all_give_a_picture_without_a_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        valid = np.isfinite(values).all(0)
        shown = stretch_of(values, valid).apply(values, valid)
    assert shown.shape == (4, 5, 3)
    assert not shown[~valid].any()


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6), scale=st.floats(1e-6, 1e6), offset=st.floats(-1e6, 1e6))
def test_a_picture_does_not_depend_on_scale_and_offset_of_its_values(low, span, scale, offset):
    values = np.stack([ramp(low, low + span, "float64")] * 3)
    moved = values * scale + offset
    if np.ptp(moved) < 1e-6 * np.abs(moved).max():
        return  # the numbers themselves are too coarse for a picture
    a = stretch_of(values, EVERYWHERE).apply(values, EVERYWHERE).astype(int)
    b = stretch_of(moved, EVERYWHERE).apply(moved, EVERYWHERE).astype(int)
    assert np.abs(a - b).max() <= 1


@pytest.mark.parametrize(
    ("dtype", "fills"),
    [
        ("float32", (-9999, -32768)),
        ("float32", (-9999, -9998.5)),
        ("float32", (3e38, -3e38)),
        ("float64", (-1e300, 1e31)),
        ("uint16", (65535, 65534)),
        ("int16", (-32768, -32767, 32767)),
        ("uint64", (2**64 - 1,)),
        ("int64", (-(2**63), 2**63 - 1)),
    ],
)
def test_several_fill_values_are_all_left_out(tmp_path, dtype, fills):
    plain = ramp(200, 3000, dtype)
    filled = plain.copy()
    for i, fill in enumerate(fills):
        filled[:, 8 * i : 8 * i + 8] = fill
    rest = slice(8 * len(fills), None)
    with open_scene(written(tmp_path / "plain.tif", plain[:, rest])) as scene:
        expected = scene.view().rgb
    with open_scene(written(tmp_path / "filled.tif", filled)) as scene:
        view, found = scene.view(), {fill.shown for fill in scene.fills()}
    assert (view.rgb[:, rest] == expected).all()
    assert not view.rgb[:, : rest.start].any()
    assert found == {str(np.dtype(dtype).type(fill)).removesuffix(".0") for fill in fills}


def test_values_at_an_end_that_lie_close_to_others_are_no_fill():
    steps = np.repeat(np.linspace(1, 100, 20), 50)  # each of the twenty holds 5 %
    assert fills_of(steps, np.dtype("float32")) == ()
