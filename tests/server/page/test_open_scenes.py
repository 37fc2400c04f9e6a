"""Tiles of scenes, read by window."""

import io
import os
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import segment
from t2s_agent.scene import Window, open_scene
from t2s_agent.server.page.open_scenes import OpenScenes, Source
from t2s_agent.server.page.pyramid import TILE, Pyramid


@pytest.fixture
def scenes():
    kept = OpenScenes()
    yield kept
    kept.close()


def write(path, height, width, dtype="uint8", nodata=None):
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows % 251, columns % 251, (rows + columns) % 251]).astype(dtype) * (
        40 if dtype != "uint8" else 1
    )
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=3, dtype=dtype, tiled=True, nodata=nodata
    ) as file:
        file.write(pixels)
    return path


def source(path, bands=None):
    return Source("local", str(path), lambda: open_scene(path), bands)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGBA")).astype(int)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_tile_of_the_last_level_shows_the_scenes_own_pixels_with_the_scenes_stretch(tmp_path, scenes, dtype):
    path = write(tmp_path / "big.tif", 700, 2600, dtype)
    pyramid = Pyramid(2600, 700)
    tile = scenes.tile(source(path), pyramid.levels - 1, 1, 0)
    assert tile.media_type == "image/jpeg"
    with open_scene(path) as scene:
        seen = scene.view(window=Window(512, 0, 512, 512)).rgb.astype(int)
    assert np.abs(pixels(tile)[..., :3] - seen).mean() < 3  # JPEG


def test_a_coarse_tile_shows_all_of_the_scene_and_nothing_beside_it(tmp_path, scenes):
    tile = pixels(scenes.tile(source(write(tmp_path / "wide.tif", 700, 2600)), 0, 0, 0))
    assert tile.shape == (TILE, TILE, 4)
    assert (tile[:87, :325, 3] == 255).all()  # an eighth, rounded up: 325 x 88
    assert (tile[88:, :, 3] == 0).all()
    assert (tile[:, 325:, 3] == 0).all()


def test_pixels_without_data_are_transparent(tmp_path, scenes):
    path = write(tmp_path / "nodata.tif", 300, 300, nodata=0)
    with rasterio.open(path, "r+") as file:
        file.write(np.zeros((3, 100, 100), "uint8"), window=rasterio.windows.Window(0, 0, 100, 100))
    tile = pixels(scenes.tile(source(path), 0, 0, 0))
    assert tile[50, 50, 3] == 0
    assert tile[200, 200, 3] == 255


def test_a_scene_stays_open_until_its_file_changes_or_others_were_used_since(tmp_path, scenes):
    opened = []

    def of(path):
        return replace(source(path), open=lambda: opened.append(path.name) or open_scene(path))

    paths = [write(tmp_path / f"{name}.tif", 60, 60) for name in "abcde"]
    for path in [paths[0]] * 3:
        scenes.tile(of(path), 0, 0, 0)
    assert opened == ["a.tif"]
    os.utime(paths[0], (1, 1))
    scenes.tile(of(paths[0]), 0, 0, 0)
    assert opened == ["a.tif", "a.tif"]
    for path in [*paths[1:], paths[0]]:
        scenes.tile(of(path), 0, 0, 0)
    assert opened[2:] == ["b.tif", "c.tif", "d.tif", "e.tif", "a.tif"]


def test_another_owner_opens_a_scene_with_his_own_permission(tmp_path, scenes):
    path = write(tmp_path / "mine.tif", 60, 60)
    scenes.tile(source(path), 0, 0, 0)

    def refused():
        raise T2SError("image_not_found", "no", "no")

    with pytest.raises(T2SError, match="image_not_found"):
        scenes.tile(replace(source(path), owner="other", open=refused), 0, 0, 0)


def test_a_scene_that_is_too_large_to_be_read_as_a_whole_still_has_its_fine_tiles(tmp_path, scenes):
    from t2s_agent.scene import Limits

    path = write(tmp_path / "large.tif", 4000, 4000)
    small = replace(source(path), open=lambda: open_scene(path, limits=Limits(read_bytes=2**20)))
    for _ in range(2):
        with pytest.raises(T2SError, match="limit_exceeded"):
            scenes.tile(small, 0, 0, 0)
    assert scenes.tile(small, 3, 4, 4).media_type == "image/jpeg"


def test_a_scene_that_is_no_longer_that_of_the_result_is_not_shown(engine, harbour, scenes):
    import shutil

    copy = harbour.parent / "moved-tiles.tif"
    shutil.copyfile(harbour, copy)
    made = segment(engine, copy.name, "helicopters")
    where = replace(source(copy), bands=made.scene.bands)
    assert scenes.tile(where, 0, 0, 0, made).data
    with rasterio.open(copy, "r+") as file:
        file.write(np.zeros((3, 100, 100), "uint8"), window=rasterio.windows.Window(0, 0, 100, 100), indexes=[1, 2, 3])
    for _ in range(2):
        with pytest.raises(T2SError, match="no longer the image"):
            scenes.tile(where, 0, 0, 0, made)
