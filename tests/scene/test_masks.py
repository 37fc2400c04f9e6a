"""Valid pixels: alpha in any band and type, masks, nodata, and their combinations."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp as Colour

from t2s_agent.scene import open_scene

LEFT, TOP = np.s_[:, :10], np.s_[:6, :]


def image(path, bands, alpha=None, **options):
    """Bands of 100 and, where given, an alpha band (30, 40) behind them."""
    stack = [np.full((30, 40), 100)] * bands + ([] if alpha is None else [alpha])
    dtype = np.asarray(stack[-1]).dtype.name if alpha is not None else options.pop("dtype", "uint8")
    size = {"driver": "GTiff", "height": 30, "width": 40, "count": len(stack), "dtype": dtype}
    with rasterio.open(path, "w", **size, **options) as file:
        file.write(np.stack(stack).astype(dtype))
        light = [Colour.red, Colour.green, Colour.blue, *[Colour.undefined] * bands][:bands]
        file.colorinterp = light + ([] if alpha is None else [Colour.alpha])
    return path


def valid_of(path, **options):
    with open_scene(path) as scene:
        return scene.view(**options).valid


@pytest.mark.parametrize("bands", [3, 4, 5])
@pytest.mark.parametrize(
    ("dtype", "opaque"),
    [("uint8", 255), ("uint8", 1), ("uint16", 65535), ("uint16", 255), ("uint16", 10_000), ("int16", 32767),
     ("float32", 1.0), ("float32", 255.0), ("float64", 1.0)],
)  # fmt: skip
def test_alpha_of_any_type_in_any_band_masks(tmp_path, bands, dtype, opaque):
    alpha = np.full((30, 40), opaque, dtype)
    alpha[LEFT] = 0
    valid = valid_of(image(tmp_path / "a.tif", bands, alpha))
    assert not valid[LEFT].any()
    assert valid[:, 10:].all()


def test_pixels_above_half_of_the_largest_alpha_are_valid(tmp_path):
    alpha = np.full((30, 40), 1000, np.uint16)
    alpha[0, :3] = 500, 501, 499
    assert valid_of(image(tmp_path / "a.tif", 3, alpha))[0, :4].tolist() == [False, True, False, True]


def test_nan_in_alpha_hides_pixels(tmp_path):
    alpha = np.ones((30, 40), np.float32)
    alpha[LEFT] = np.nan
    assert not valid_of(image(tmp_path / "a.tif", 3, alpha))[LEFT].any()


def test_an_alpha_band_of_zeros_hides_everything_with_a_warning(tmp_path):
    path = image(tmp_path / "a.tif", 3, np.zeros((30, 40), np.uint8))
    with open_scene(path) as scene:
        assert not scene.view().valid.any()
        assert "alpha band is 0 everywhere" in scene.remarks()[-1]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NodataShadowWarning")
def test_a_transparent_pixel_and_one_of_the_nodata_value_are_both_no_data(tmp_path):
    alpha = np.full((30, 40), 255, np.uint8)
    alpha[LEFT] = 0
    path = image(tmp_path / "a.tif", 3, alpha, nodata=7)
    with rasterio.open(path, "r+") as file:
        pixels = file.read()
        pixels[(slice(0, 3), *TOP)] = 7
        file.write(pixels)
    valid = valid_of(path)
    assert not valid[LEFT].any()
    assert not valid[TOP].any()
    assert valid[6:, 10:].all()


@pytest.mark.parametrize("nodata", [None, 7])
def test_an_internal_mask_counts_beside_alpha_and_nodata(tmp_path, nodata):
    alpha = np.full((30, 40), 255, np.uint8)
    alpha[LEFT] = 0
    path = image(tmp_path / "a.tif", 3, alpha, nodata=nodata)
    mask = np.full((30, 40), 255, np.uint8)
    mask[TOP] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    valid = valid_of(path)
    assert not valid[LEFT].any()
    assert not valid[TOP].any()
    assert valid[6:, 10:].all()


def test_nodata_in_one_of_three_bands_is_a_value_and_in_all_of_them_none(tmp_path):
    path = image(tmp_path / "a.tif", 3, nodata=0)
    with rasterio.open(path, "r+") as file:
        pixels = file.read()
        pixels[0, 0, 0] = 0
        pixels[:, 5, 5] = 0
        file.write(pixels)
    valid = valid_of(path)
    assert valid[0, 0]
    assert not valid[5, 5]
    assert valid.sum() == 30 * 40 - 1


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("float32", -3.4028234663852886e38), ("float32", 0.1), ("int16", -32768), ("uint16", 65535), ("float64", -1e300)],
)
def test_a_nodata_value_is_compared_as_the_pixels_hold_it(tmp_path, dtype, nodata):
    path = image(tmp_path / "a.tif", 1, dtype=dtype, nodata=nodata)
    with rasterio.open(path, "r+") as file:
        pixels = file.read()
        pixels[(0, *LEFT)] = nodata
        file.write(pixels)
    valid = valid_of(path)
    assert not valid[LEFT].any()
    assert valid[:, 10:].all()


def test_transparent_colours_of_a_palette_are_no_data(tmp_path):
    from PIL import Image

    picture = Image.fromarray(np.repeat([[0, 1, 2, 1]], 4, 0).astype(np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50, 1, 2, 3])
    picture.save(tmp_path / "p.png", transparency=bytes([0, 255, 0]))
    with open_scene(tmp_path / "p.png") as scene:
        view = scene.view()
    assert view.valid[0].tolist() == [False, True, False, True]
    assert view.rgb[0, 1].tolist() == [200, 100, 50]


def test_masks_are_decimated_with_the_picture(tmp_path):
    alpha = np.full((30, 40), 65535, np.uint16)
    alpha[:, :20] = 0
    valid = valid_of(image(tmp_path / "a.tif", 5, alpha), max_size=10)
    assert not valid[:, :5].any()
    assert valid[:, 5:].all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_alpha_band_that_looks_like_a_picture_gives_a_warning(tmp_path, dtype):
    """Many programs write red, green, blue and infrared as red, green, blue and alpha."""
    infrared = np.linspace(0, 255, 1200).reshape(30, 40).astype(dtype)
    feathered = np.full((30, 40), 255, dtype)
    feathered[:, :3] = 0, 80, 160
    for alpha, picture in ((infrared, True), (feathered, False)):
        with open_scene(image(tmp_path / "a.tif", 3, alpha)) as scene:
            scene.view()
            said = [line for line in scene.remarks() if "colorinterp_4 undefined" in line]
        assert bool(said) == picture
        assert all(len(line) < 200 for line in said)
