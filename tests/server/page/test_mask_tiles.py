"""Tiles of a result's mask."""

import io

import numpy as np
import pytest
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import segment
from t2s_agent.regions.picture import COLOURS
from t2s_agent.regions.raster import read_mask
from t2s_agent.server.page.mask_tiles import mask_tile, region_at
from t2s_agent.server.page.pyramid import TILE, Pyramid

TANKS = "Where are the storage tanks?"


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGBA")).astype(int)


def test_a_tile_has_the_masks_regions_in_the_colours_of_the_picture(engine):
    made = segment(engine, "harbour.tif", TANKS)
    path = engine.store.artifact(made.id, "mask.tif")
    labels = read_mask(path)[:512, :512]
    tile = pixels(mask_tile(path, made, Pyramid(640, 640).cell(1, 0, 0)))
    assert ((tile[..., 3] > 0) == (labels > 0)).all()
    for id_ in np.unique(labels[labels > 0]):
        assert (tile[labels == id_][:, :3] == COLOURS[(id_ - 1) % len(COLOURS)]).all()


def test_the_edge_of_the_scene_and_what_was_not_asked_about_is_transparent(engine):
    made = segment(engine, "harbour.tif", TANKS, bbox=[100, 50, 400, 640], bbox_crs="pixels")
    path = engine.store.artifact(made.id, "mask.tif")
    tile = pixels(mask_tile(path, made, Pyramid(640, 640).cell(1, 0, 0)))
    assert tile.shape == (TILE, TILE, 4)
    assert (tile[:, :100, 3] == 0).all()
    assert ((tile[50:, 100:400, 3] > 0) == (read_mask(path)[:462] > 0)).all()
    assert (pixels(mask_tile(path, made, Pyramid(640, 640).cell(1, 1, 0)))[..., 3] == 0).all()


def test_a_coarser_view_lies_where_its_window_is(engine, harbour):
    Image.new("RGB", (2000, 1000), "grey").save(harbour.parent / "wide-mask.png")
    made = segment(engine, "wide-mask.png", TANKS)  # seen as 1024 x 512
    path = engine.store.artifact(made.id, "mask.tif")
    labels = read_mask(path)
    y, x = (int(v[0]) for v in np.nonzero(labels))
    cell = Pyramid(2000, 1000).cell(1, 0, 0)  # two scene pixels a pixel
    tile = pixels(mask_tile(path, made, cell))
    middle = ((x + 2) * 2000 / 1024 / 2, (y + 2) * 1000 / 512 / 2)
    assert tile[int(middle[1]), int(middle[0]), 3] > 0
    assert abs((tile[..., 3] > 0).sum() / (1000 * 500) - (labels[:, :525] > 0).sum() / labels.size) < 0.01


def test_the_region_at_a_point_is_that_of_the_mask(engine):
    made = segment(engine, "harbour.tif", TANKS)
    path = engine.store.artifact(made.id, "mask.tif")
    labels = read_mask(path)
    y, x = (int(v[3]) for v in np.nonzero(labels))
    assert region_at(path, made, x + 0.5, y + 0.5) == labels[y, x]
    assert region_at(path, made, 0, 0) == 0
    assert region_at(path, made, -1, 5) == region_at(path, made, 640, 5) == 0


def test_a_mask_that_is_gone_is_said_to_be_damaged(engine):
    made = segment(engine, "harbour.tif", TANKS)
    path = engine.store.artifact(made.id, "mask.tif")
    path.unlink()
    with pytest.raises(T2SError, match="result_damaged"):
        region_at(path, made, 5, 5)
