"""GDAL options in the environment change neither pixels nor position: every documented option is set to another value."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp, Resampling

_spec = importlib.util.spec_from_file_location(
    "gdal_options", Path(__file__).parents[1] / "data" / "gdal_options" / "data.py"
)
options = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(options)


@pytest.fixture(scope="module")
def images(tmp_path_factory, make):
    """Small images, each with a trait that some option of GDAL concerns; world files beside two."""
    here = tmp_path_factory.mktemp("images")
    make.geotiff(here / "plain.tif", height=64, width=64)
    make.geotiff(here / "point.tif", bands=1)
    with rasterio.open(here / "point.tif", "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    make.geotiff(
        here / "ycbcr.tif",
        height=64,
        width=64,
        compress="jpeg",
        photometric="ycbcr",
        tiled=True,
        blockxsize=16,
        blockysize=16,
    )
    make.geotiff(here / "sixteen.tif", height=64, width=64, dtype="uint16", compress="deflate", predictor=2)
    masked = make.geotiff(here / "masked.tif", height=64, width=64)
    hidden = np.full((64, 64), 255, np.uint8)
    hidden[10:40, 5:30] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(hidden)
    with rasterio.open(masked, "r+") as file:
        file.build_overviews([2, 4], Resampling.average)
    make.geotiff(here / "alpha.tif", bands=4, height=64, width=64)
    with rasterio.open(here / "alpha.tif", "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        file.write(hidden, 4)
    make.geotiff(here / "mirrored.tif", transform=Affine(0.5, 0, 500_000, 0, 0.5, 5_000_000))
    feet = rasterio.crs.CRS.from_epsg(2263)
    make.geotiff(here / "feet.tif", crs=feet)
    make.geotiff(here / "grads.tif", crs=rasterio.crs.CRS.from_epsg(27572))
    make.geotiff(here / "heights.tif", crs=rasterio.crs.CRS.from_user_input("EPSG:25832+7837"))
    make.geotiff(here / "geo.jp2", driver="JP2OpenJPEG", height=64, width=64, quality=100, reversible="YES")
    rgb = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(rgb).save(here / "a.png")
    Image.fromarray(rgb).save(here / "a.jpg", quality=90, progressive=True)
    Image.fromarray(np.dstack([rgb, rgb[..., :1]])).convert("RGBA").save(here / "alpha.png")
    Image.fromarray(np.dstack([rgb, rgb[..., :1]]), "CMYK").save(here / "cmyk.jpg", quality=90)
    Image.fromarray(rgb).save(here / "a.webp", lossless=True)
    (here / "plain.tfw").write_text("9\n0\n0\n-9\n0\n0\n", encoding="utf-8")
    (here / "a.pgw").write_text("9\n0\n0\n-9\n0\n0\n", encoding="utf-8")
    return here


def looked(how, folder, environment):
    given = {name: value.format(folder=folder) for name, value in environment.items()}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("looking.py"), how, folder],
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def untouched(images):
    return looked("ours", images, {})


@pytest.mark.parametrize("environment", options.batches(), ids=lambda batch: f"{len(batch)} options")
def test_no_documented_option_of_gdal_changes_pixels_or_place(images, untouched, environment):
    seen = looked("ours", images, environment)
    assert {name for name in seen if seen[name] != untouched[name]} == set()


def test_without_our_settings_the_same_options_do_change_them(images):
    changed = looked("plain", images, options.batches()[0] | {"GDAL_SKIP": "", "GDAL_MAX_BAND_COUNT": "99"})
    plain = looked("plain", images, {})
    assert {"point.tif", "ycbcr.tif", "a.jpg"} & {name for name in plain if plain[name] != changed[name]}
