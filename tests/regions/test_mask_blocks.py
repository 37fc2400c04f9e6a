"""A mask written block by block is the one that is written at once, and what holds no region costs nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from views.data import view_of

from t2s_agent.pipeline.saving import mask_digest
from t2s_agent.regions.mask_blocks import LabelBlock, write_mask_blocks
from t2s_agent.regions.raster import read_mask, write_mask
from t2s_agent.scene.view import View


def blocks_of(labels, side=1024):
    height, width = labels.shape
    return [
        LabelBlock(x, y, labels[y : y + side, x : x + side])
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]


def some_labels(height, width, count):
    rng, labels = np.random.default_rng(7), np.zeros((height, width), np.int32)
    corners = rng.integers(0, (width - 9, height - 9), (count, 2)).tolist()
    for id_, (x, y) in enumerate(corners, 1):
        labels[y : y + 9, x : x + 9] = id_
    return labels


def as_read(path):
    """All that a reader sees of a mask."""
    with rasterio.open(path) as file:
        pixels = [file.read(1)]
        layout = file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"]
        facts = file.profile, file.descriptions, file.overviews(1), file.gcps, layout
        colours = file.colormap(1) if file.dtypes[0] == "uint8" else None
    for level in range(len(facts[2])):
        with rasterio.open(path, overview_level=level) as file:
            pixels.append(file.read(1))
    return facts, colours, pixels


@pytest.mark.parametrize(("count", "dtype"), [(200, "uint8"), (300, "uint16"), (66_000, "uint32")])
def test_blocks_in_any_order_give_the_file_and_the_digest_of_the_whole_array(tmp_path, count, dtype):
    view = view_of(2500, 3000)
    labels = some_labels(2500, 3000, count)
    labels[0, 0] = count
    write_mask(labels, view, tmp_path / "whole.tif")
    digest = write_mask_blocks(reversed(blocks_of(labels)), view, count, tmp_path / "blocks.tif")
    assert digest == mask_digest(labels)
    (facts, colours, pixels), (their_facts, their_colours, theirs) = map(
        as_read, (tmp_path / "blocks.tif", tmp_path / "whole.tif")
    )
    assert facts == their_facts
    assert colours == their_colours
    assert facts[0]["dtype"] == dtype
    assert len(pixels) == 4
    assert all((a == b).all() for a, b in zip(pixels, theirs, strict=True))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["blocks.tif", "whole.tif"]


@pytest.mark.parametrize("crs", [None, 32633])
def test_a_small_mask_and_one_without_blocks_are_masks_too(tmp_path, crs):
    view, labels = view_of(crs=crs), some_labels(40, 60, 3)
    assert write_mask_blocks(blocks_of(labels), view, 3, tmp_path / "mask.tif") == mask_digest(labels)
    assert (read_mask(tmp_path / "mask.tif") == labels).all()
    nothing = np.zeros_like(labels)
    assert write_mask_blocks([], view, 0, tmp_path / "empty.tif") == mask_digest(nothing)
    assert not read_mask(tmp_path / "empty.tif").any()


@pytest.mark.parametrize(("x", "value"), [(50, 1), (-1, 1), (0, 4), (0, -1)])
def test_a_block_outside_or_an_unknown_id_is_refused(tmp_path, x, value):
    block = LabelBlock(x, 0, np.full((20, 20), value, np.int32))
    with pytest.raises(ValueError, match=r"not inside|not from 0 to 3"):
        write_mask_blocks([block], view_of(), 3, tmp_path / "mask.tif")
    assert not list(tmp_path.iterdir())


def without_pixels(side):
    small = view_of()
    rgb = np.broadcast_to(small.rgb[:1, :1], (side, side, 3))
    return View(rgb, np.broadcast_to(np.True_, (side, side)), small.georeference, small.window, 0.5, (1, 2, 3))


def test_a_nearly_empty_mask_takes_little_disk(tmp_path):
    block = LabelBlock(8192, 4096, some_labels(2048, 2048, 50))
    digest = write_mask_blocks([block], without_pixels(16_384), 50, tmp_path / "mask.tif")
    assert (tmp_path / "mask.tif").stat().st_size < 200_000
    with rasterio.open(tmp_path / "mask.tif") as file:
        found = file.read(1, window=rasterio.windows.Window(8192, 4096, 2048, 2048))
        assert (found == block.labels).all()
    assert len(digest) == 64


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from views.data import view_of
from t2s_agent.regions.mask_blocks import LabelBlock, write_mask_blocks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1]) / "mask.tif"
labels = np.random.default_rng(0).integers(0, 200, (1100, 1100)).astype(np.int32)
blocks, view = [LabelBlock(0, 0, labels)], view_of(1100, 1100)
write_mask_blocks(blocks, view, 200, path)
size = path.stat().st_size
path.unlink()
for most in (200, 100_000, size // 2, size - 5_000, size - 60, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        write_mask_blocks(blocks, view, 200, path)
    except OSError as error:
        assert "GDAL says" in str(error), error
    else:
        raise SystemExit(f"with {most} of {size} bytes {path.stat().st_size} were written without an error")
    assert [each.name for each in path.parent.iterdir()] in ([], ["mask.tif"])
"""


def test_a_full_disk_is_an_error(tmp_path):
    paths = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
