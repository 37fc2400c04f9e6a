"""The header of TIFF and BigTIFF files: where the blocks are."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.scene.remote.header import NoPlan, read_images


def reading(path):
    raw = path.read_bytes()
    return lambda start, stop: raw[start:stop]


@pytest.fixture(params=["NO", "YES"])
def tiled(request, tmp_path):
    """A picture of 300 x 200 px in blocks of 64 px, with overviews, whose pixels are random, so that blocks differ in size."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 200, 300), np.uint8)
    profile = {"driver": "GTiff", "count": 3, "height": 200, "width": 300, "dtype": "uint8", "tiled": True}
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", **profile, blockxsize=64, blockysize=64, compress="deflate", BIGTIFF=request.param
    ) as file:
        file.write(pixels)
        file.build_overviews([2, 4])
    return path


def test_blocks_are_where_gdal_says(tiled):
    read = reading(tiled)
    main, *overviews = read_images(read)
    assert (main.width, main.height, main.across, main.down, main.planes) == (300, 200, 5, 4, 1)
    assert [(each.width, each.height, each.overview) for each in overviews] == [(150, 100, True), (75, 50, True)]
    with rasterio.open(tiled) as file:
        for y, x in ((0, 0), (3, 4), (2, 1)):
            at = int(file.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=1))
            size = int(file.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1))
            assert main.ranges(read, [y * 5 + x]) == [(at - 4, at + size + 4)]


def test_a_window_touches_the_blocks_under_it(tiled):
    main = read_images(reading(tiled))[0]
    assert list(main.blocks(0, 0, 64, 64, [0])) == [0]
    assert list(main.blocks(63, 0, 65, 1, [0])) == [0, 1]
    assert list(main.blocks(-5, 192, 400, 300, [0])) == [15, 16, 17, 18, 19]


def test_bands_that_are_stored_apart_have_blocks_of_their_own(make, tmp_path):
    path = make.geotiff(tmp_path / "a.tif", interleave="band", tiled=True, blockxsize=16, blockysize=16)
    main = read_images(reading(path))[0]
    assert (main.planes, main.across, main.down) == (3, 3, 2)
    assert list(main.blocks(0, 0, 16, 16, [0, 2])) == [0, 12]


def test_strips_are_blocks_of_the_whole_width(make, tmp_path):
    main = read_images(reading(make.geotiff(tmp_path / "a.tif", blockysize=8)))[0]
    assert (main.block_width, main.block_height, main.down) == (40, 8, 4)


def test_blocks_that_are_left_out_of_a_sparse_file_have_no_range(tmp_path):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 64, "width": 64, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, blockxsize=16, blockysize=16, SPARSE_OK=True):
        pass
    read = reading(path)
    assert read_images(read)[0].ranges(read, range(16)) == []


def test_big_endian_files_are_read(make, tmp_path):
    read = reading(make.geotiff(tmp_path / "a.tif", ENDIANNESS="BIG"))
    assert read_images(read)[0].ranges(read, [0])


@given(st.integers(4, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_header_has_no_plan_or_some_plan(at, bytes_there):
    """Whatever stands in a header, reading it ends, in images or in NoPlan."""
    raw = bytearray(_SMALL)
    raw[at : at + len(bytes_there)] = bytes_there
    try:
        images = read_images(lambda start, stop: bytes(raw[max(0, start) : stop]))
        for image in images:
            image.ranges(lambda start, stop: bytes(raw[max(0, start) : stop]), [0])
    except NoPlan:
        pass


def test_other_formats_have_no_plan():
    with pytest.raises(NoPlan):
        read_images(lambda start, stop: b"\x89PNG\r\n\x1a\n" + bytes(100))


def _small():
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=8, width=8, dtype="uint8") as file:
            file.write(np.ones((1, 8, 8), np.uint8))
        return memory.read()


_SMALL = _small()
