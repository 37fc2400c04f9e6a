"""Views of a scene: pixels, colours, nodata, position."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from t2s_agent.errors import T2SError
from t2s_agent.scene import Window, open_scene

SHARED = Path(os.environ.get("T2S_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def test_a_view_of_a_small_scene_is_its_pixels(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        view = scene.view()
    assert view.rgb.shape == (30, 40, 3)
    assert view.rgb[7, 5].tolist() == [5 + 14, 5 + 14 + 10, 5 + 14 + 20]
    assert view.bands == (1, 2, 3)
    assert view.valid.all()
    assert view.gsd_m == pytest.approx(0.5, rel=1e-3)


def test_a_window_is_read_where_it_lies(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        view = scene.view(window=Window(10, 20, 8, 5))
    assert view.rgb[0, 0, 0] == 10 + 40
    x, y = view.georeference.to_world(0, 0)
    assert (x[0], y[0]) == (500_005, 4_999_990)


def test_a_decimated_view_averages_and_knows_its_resolution(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        view = scene.view(max_size=20)
    assert view.rgb.shape == (15, 20, 3)
    assert view.rgb[0, 0, 0] in (1, 2)  # mean of 0, 1, 2, 3
    assert view.gsd_m == pytest.approx(1.0, rel=1e-3)


def test_nothing_is_enlarged(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        assert scene.view(max_size=4000).rgb.shape == (30, 40, 3)


def test_a_box_in_degrees_gives_the_pixels_it_touches(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        lon, lat = scene.georeference.to_lonlat([10.2, 19.8], [25.8, 8.2])
        window = scene.window_of((lon[0], lat[0], lon[1], lat[1]))
    assert window.x <= 10 <= window.x + 1
    assert window.y <= 8 <= window.y + 1
    assert abs(window.width - 10) <= 1
    assert abs(window.height - 18) <= 1


@pytest.mark.parametrize(
    ("bbox", "code"),
    [
        ((15.0, 45.0, 14.0, 44.0), "bbox_invalid"),
        ((15.0, float("nan"), 15.1, 45.2), "bbox_invalid"),
        ((15.0, 45.0, 15.1), "bbox_invalid"),
        ((500_000, 5_000_000, 500_010, 5_000_010), "bbox_invalid"),
        ((1.0, 1.0, 2.0, 2.0), "bbox_outside"),
    ],
)
def test_a_bad_box_is_named(tmp_path, make, bbox, code):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene, pytest.raises(T2SError) as caught:
        scene.view(bbox=bbox)
    assert caught.value.code == code


def test_the_error_for_a_box_outside_names_the_bounds_and_a_swap(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene:
        west, south, east, north = scene.bounds_lonlat
        with pytest.raises(T2SError, match="look swapped") as caught:
            scene.view(bbox=(south, west, north, east))
    assert f"{west:.6f}" in caught.value.fix


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_other_numbers_are_stretched_alike_in_every_window(tmp_path, make, dtype):
    with open_scene(make.geotiff(tmp_path / "a.tif", dtype=dtype, height=60, width=80)) as scene:
        whole = scene.view()
        part = scene.view(window=Window(30, 20, 25, 25))
    assert (part.rgb == whole.rgb[20:45, 30:55]).all()
    assert whole.rgb.min() == 0
    assert whole.rgb.max() == 255


def test_nodata_is_kept_out_of_the_stretch_and_of_the_view(tmp_path):
    pixels = np.linspace(1000, 2000, 1200).reshape(30, 40).astype(np.float32)
    pixels[:10] = -9999
    pixels[10, 0] = np.nan
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=30, width=40, count=1, dtype="float32", nodata=-9999
    ) as f:
        f.write(pixels, 1)
    with open_scene(tmp_path / "a.tif") as scene:
        view = scene.view()
    assert not view.valid[:10].any()
    assert not view.valid[10, 0]
    assert view.valid[11:].all()
    assert (view.rgb[:10] == 0).all()
    assert view.rgb[29, 20].min() > 240


def test_a_constant_band_does_not_divide_by_zero(tmp_path):
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", height=5, width=5, count=1, dtype="uint16") as f:
        f.write(np.full((1, 5, 5), 700, np.uint16))
    with open_scene(tmp_path / "a.tif") as scene:
        assert len(np.unique(scene.view().rgb)) == 1


def test_colours_come_from_the_interpretation_not_the_order(tmp_path, make):
    path = make.geotiff(tmp_path / "bgrn.tif", bands=4)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
        file.set_band_description(4, "nir")
    with open_scene(path) as scene:
        assert scene.view().bands == (3, 2, 1)
        assert scene.view(bands="4,3,2").bands == (4, 3, 2)
        assert (scene.legend.colours.red, scene.legend.colours.nir) == (3, 4)


@pytest.mark.parametrize("bands", ["9,1,1", "1,2", "ndvi", "0,1,2"])
def test_unknown_bands_are_named(tmp_path, make, bands):
    with open_scene(make.geotiff(tmp_path / "a.tif")) as scene, pytest.raises(T2SError) as caught:
        scene.view(bands=bands)
    assert caught.value.code == "bands_unknown"


def test_alpha_and_internal_masks_say_what_is_valid(tmp_path, make):
    path = make.geotiff(tmp_path / "alpha.tif", bands=4)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        alpha = np.full((30, 40), 255, np.uint8)
        alpha[:, :15] = 0
        file.write(alpha, 4)
    with open_scene(path) as scene:
        assert scene.view().valid[:, 15:].all()
        assert not scene.view().valid[:, :15].any()
    masked = make.geotiff(tmp_path / "mask.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(alpha.astype(bool))
    with open_scene(masked) as scene:
        assert not scene.view().valid[:, :15].any()
        assert scene.view().valid[:, 15:].all()


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.jp2", "JPEG2000")]
)
def test_pictures_without_a_georeference_open_in_pixels(tmp_path, name, kind):
    Image.fromarray(np.full((20, 30, 3), 120, np.uint8)).save(tmp_path / name, kind)
    with open_scene(tmp_path / name) as scene:
        view = scene.view()
        assert abs(int(view.rgb.mean()) - 120) < 3
        assert (view.gsd_m, scene.bounds_lonlat) == (None, None)
        assert "pixels" in scene.warnings[0]
        with pytest.raises(T2SError) as caught:
            scene.view(bbox=(0, 0, 1, 1))
    assert caught.value.code == "no_georeference"


def test_control_points_locate_as_a_transform_does(tmp_path, make):
    corners = [(0, 0), (0, 40), (30, 0), (30, 40), (15, 20)]
    gcps = [GroundControlPoint(r, c, *(make.PLACE @ (c, r))) for r, c in corners]
    with rasterio.open(tmp_path / "g.tif", "w", driver="GTiff", height=30, width=40, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 30, 40), np.uint8))
        file.gcps = (gcps, make.UTM33)
    with open_scene(tmp_path / "g.tif") as by_points, open_scene(make.geotiff(tmp_path / "t.tif")) as by_transform:
        a = by_points.georeference.to_lonlat([3.5, 20], [10, 29])
        b = by_transform.georeference.to_lonlat([3.5, 20], [10, 29])
        assert np.allclose(a, b, atol=1e-8)
        x, y = by_points.georeference.from_lonlat(*a)
        assert np.allclose([x, y], [[3.5, 20], [10, 29]], atol=1e-2)
        view = by_points.view(window=Window(10, 10, 20, 10), max_size=10)
        assert np.allclose(view.georeference.to_lonlat(0, 0), by_transform.georeference.to_lonlat(10, 10), atol=1e-8)


def test_a_palette_is_shown_in_its_colours(tmp_path):
    with rasterio.open(tmp_path / "p.tif", "w", driver="GTiff", height=4, width=4, count=1, dtype="uint8") as file:
        file.write(np.array([[[0, 1, 1, 0]] * 4], np.uint8))
        file.write_colormap(1, {0: (10, 20, 30, 255), 1: (200, 100, 50, 255)})
    with open_scene(tmp_path / "p.tif") as scene:
        assert scene.view().rgb[0, :2].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_amplitudes_are_shown_of_complex_numbers(tmp_path):
    with rasterio.open(tmp_path / "c.tif", "w", driver="GTiff", height=4, width=4, count=1, dtype="complex64") as file:
        file.write(np.full((1, 4, 4), 3 + 4j, np.complex64))
    with open_scene(tmp_path / "c.tif") as scene:
        assert scene.read().max() == 5


def test_a_crs_of_another_planet_is_not_taken_for_earth(tmp_path, make):
    mars = CRS.from_wkt(
        'GEOGCS["Mars",DATUM["D",SPHEROID["S",3396190,169.8]],PRIMEM["R",0],UNIT["degree",0.0174532925]]'
    )
    with open_scene(make.geotiff(tmp_path / "m.tif", crs=mars, transform=Affine(0.01, 0, 0, 0, -0.01, 0))) as scene:
        assert scene.bounds_lonlat is None
        assert "not on Earth" in scene.warnings[0]


def test_closing_twice_is_fine(tmp_path, make):
    scene = open_scene(make.geotiff(tmp_path / "a.tif"))
    scene.close()
    scene.close()


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "geo").is_dir(), reason="the real rasters of ../shared/data are not here")
def test_every_real_raster_opens_or_gives_a_clear_reason():
    listed = json.loads((SHARED / "geo" / "geo.json").read_text(encoding="utf-8"))["rasters"]
    for entry in listed:
        with open_scene(SHARED / "geo" / entry["file"]) as scene:
            expect = entry["expect"]
            assert (scene.width, scene.height, len(scene.bands)) == (expect["width"], expect["height"], expect["count"])
            view = scene.view(max_size=128)
            assert view.valid.any(), entry["file"]
            if not scene.georeference.located:
                assert scene.warnings, entry["file"]


def test_a_file_without_a_georeference_is_opened_without_a_python_warning(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bare=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_scene(path) as scene:
            assert scene.view().gsd_m is None
            assert "no coordinate reference system" in scene.warnings[0]


def test_a_spectral_fourth_band_interpreted_as_alpha_hides_nothing(tmp_path):
    path = tmp_path / "nir.tif"
    with rasterio.open(path, "w", driver="GTiff", height=2, width=2, count=4, dtype="uint8") as file:
        file.write(np.array([[[9, 9], [9, 9]]] * 3 + [[[0, 50], [100, 200]]], np.uint8))  # written as RGB and alpha
        file.set_band_description(4, "NIR")
    with open_scene(path) as scene:
        assert scene.view().valid.all()
        assert (scene.legend.colours.red, scene.legend.colours.nir) == (1, 4)
        assert scene.read().shape == (4, 2, 2)


def test_undeclared_zero_fill_does_not_darken_the_picture(tmp_path):
    pixels = np.linspace(1000, 2000, 1200).reshape(30, 40).astype(np.uint16)
    filled = pixels.copy()
    filled[:20] = 0
    views = []
    for name, values in (("plain.tif", pixels[20:]), ("filled.tif", filled)):
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", height=len(values), width=40, count=1, dtype="uint16"
        ) as f:
            f.write(values, 1)
        with open_scene(tmp_path / name) as scene:
            views.append(scene.view())
    assert (views[1].rgb[20:] == views[0].rgb).all()
    assert views[1].valid.all()


def test_many_bands_without_names_give_a_warning_about_the_colours(tmp_path, make):
    with open_scene(make.geotiff(tmp_path / "four.tif", bands=4, photometric="MINISBLACK")) as scene:
        assert "1, 2, 3 are shown" in scene.remarks()[-1]
        assert scene.remarks("3,2,1") == ()
    with open_scene(make.geotiff(tmp_path / "three.tif", bands=3, photometric="MINISBLACK")) as scene:
        assert scene.remarks() == ()


WHOLE_GLOBE = {"height": 180, "width": 360, "crs": CRS.from_epsg(4326)}


@pytest.mark.parametrize(
    ("left", "bbox", "window"),
    [
        (-180, (-180, -90, 180, 90), (0, 0, 360, 180)),
        (-180, (170, 0, 180, 5), (350, 85, 10, 5)),
        (-180, (-180, 0, -170, 5), (0, 85, 10, 5)),
        (0, (-180, -90, 180, 90), (0, 0, 360, 180)),
        (0, (170, 0, -170, 10), (170, 80, 20, 10)),
        (0, (-20, 0, -10, 5), (340, 85, 10, 5)),
        (0, (-5, 0, 0, 5), (355, 85, 5, 5)),
    ],
)
def test_a_box_on_a_raster_of_the_whole_globe(tmp_path, make, left, bbox, window):
    path = make.geotiff(tmp_path / "a.tif", transform=Affine(1, 0, left, 0, -1, 90), **WHOLE_GLOBE)
    with open_scene(path) as scene:
        assert scene.window_of(bbox) == window


@pytest.mark.parametrize(("left", "bbox"), [(-180, (170, 0, -170, 10)), (0, (-10, 0, 10, 10))])
def test_a_box_at_both_ends_of_a_raster_is_asked_for_in_two_parts(tmp_path, make, left, bbox):
    path = make.geotiff(tmp_path / "a.tif", transform=Affine(1, 0, left, 0, -1, 90), **WHOLE_GLOBE)
    with open_scene(path) as scene:
        with pytest.raises(T2SError, match="both ends") as caught:
            scene.window_of(bbox)
        assert caught.value.code == "bbox_outside"
        west, _, east, _ = bbox
        cut = (180.0, -180.0) if left else (0.0, 0.0)
        for part in ([float(west), 0.0, cut[0], 10.0], [cut[1], 0.0, float(east), 10.0]):
            assert str(part) in caught.value.fix
            assert scene.window_of(part).width == 10


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857"])
def test_a_crs_without_a_transform_is_no_georeference(tmp_path, make, crs):
    # rasterio#1336 and #411: such files are written by mistake, and GDAL then gives the identity as transform
    make.geotiff(tmp_path / "a.tif", bare=True, crs=crs)
    with open_scene(tmp_path / "a.tif") as scene:
        assert scene.gsd_m is None
        assert scene.bounds_lonlat is None
        assert any("neither a transform" in said and "pixels" in said for said in scene.warnings)


@pytest.mark.parametrize(
    ("bits", "stored", "shown"), [(1, 1, 255), (2, 2, 170), (4, 5, 85), (7, 127, 255), (8, 20, 20)]
)
def test_few_bits_are_shown_over_their_whole_range(tmp_path, bits, stored, shown):
    values = np.full((3, 8, 8), stored, np.uint8)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=8, height=8, count=3, dtype="uint8", nbits=bits
    ) as file:
        file.write(values)
    with open_scene(tmp_path / "a.tif") as scene:
        assert scene.view().rgb[4, 4].tolist() == [shown] * 3


def test_a_black_and_white_png_is_not_black(tmp_path):
    Image.fromarray(np.eye(8) > 0).save(tmp_path / "a.png")
    with open_scene(tmp_path / "a.png") as scene:
        assert sorted(set(scene.view().rgb.ravel().tolist())) == [0, 255]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_where_zero_is_white_it_is_shown_white(tmp_path, dtype):
    values = np.linspace(0, 255, 64).reshape(1, 8, 8).astype(dtype)
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": dtype, "photometric": "MINISWHITE"}
    with rasterio.open(tmp_path / "a.tif", "w", **profile) as file:
        file.write(values)
    with open_scene(tmp_path / "a.tif") as scene:
        rgb = scene.view().rgb
        assert (rgb[0, 0].tolist(), rgb[7, 7].tolist()) == ([255] * 3, [0] * 3)
        assert scene.read()[0, 7, 7] == 255  # what is measured stays as it is stored


def test_a_dark_picture_gives_a_warning(tmp_path, make):
    for name, value in (("dark", 11), ("plain", 110)):
        make.flat(tmp_path / f"{name}.tif", value)
        with open_scene(tmp_path / f"{name}.tif") as scene:
            scene.view()
            assert any("brighter than 11 of 255" in said for said in scene.remarks()) == (name == "dark")


def test_a_file_with_several_pictures_gives_a_warning(tmp_path):
    first, second = Image.new("RGB", (16, 16)), Image.new("RGB", (64, 32))
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    first.save(tmp_path / "one.tif")
    with open_scene(tmp_path / "pages.tif") as scene:
        assert any("2 pictures (16 x 16, 64 x 32 px)" in said for said in scene.warnings)
    with open_scene(tmp_path / "one.tif") as scene:
        assert not any("pictures" in said for said in scene.warnings)


def test_overviews_and_masks_do_not_count_as_pictures(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", height=64, width=64)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(np.full((64, 64), 255, np.uint8))
        file.build_overviews([2, 4])
    with open_scene(path) as scene:
        assert not any("pictures" in said for said in scene.warnings)
