"""The plan of a read is what GDAL reads: each read is done over the planned ranges alone."""

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from t2s_agent.scene.opening import PINNED
from t2s_agent.scene.reading import _overviews_for
from t2s_agent.scene.remote.header import read_images
from t2s_agent.scene.remote.plan import Plan
from t2s_agent.scene.remote.ranges import Filled, size_of
from t2s_agent.scene.source import Wanted

WIDTH, HEIGHT = 331, 257


class Only:
    """A file object in which only some ranges are there; `missed` lists reads of others."""

    def __init__(self, raw, filled, missed):
        self.raw, self.filled, self.missed, self.at = raw, filled, missed, 0

    def read(self, size=-1):
        stop = min(self.at + size, len(self.raw)) if size >= 0 else len(self.raw)
        if not self.filled.covers(self.at, stop):
            self.missed.append((self.at, stop))
        start, self.at = self.at, max(stop, self.at)
        return self.raw[start:stop]

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, len(self.raw))[whence]
        return self.at

    def tell(self):
        return self.at

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def file_with(path, *, interleave, overviews, mask, blocks, **more):
    pixels = np.random.default_rng(1).integers(1, 255, (4, HEIGHT, WIDTH), np.uint8)
    shape = {"driver": "GTiff", "count": 4, "height": HEIGHT, "width": WIDTH, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": blocks, "blockysize": blocks} if blocks else {"blockysize": 8}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **(shape | tiles | more), interleave=interleave) as file,
    ):
        file.write(pixels)
        if mask:
            file.write_mask(pixels[0] > 40)
        if overviews:
            file.build_overviews(overviews, Resampling.nearest)
    return path.read_bytes()


class Files(dict):
    """Files by name; hypothesis prints the arguments of a test, and these would be megabytes."""

    def __repr__(self):
        return "Files"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of many layouts, as bytes."""
    folder = tmp_path_factory.mktemp("layouts")
    made = {
        "pixel, mask": {
            "interleave": "pixel",
            "overviews": [2, 4, 8],
            "mask": True,
            "blocks": 32,
            "compress": "deflate",
        },
        "band, alpha": {"interleave": "band", "overviews": [2, 4], "mask": False, "blocks": 32, "alpha": "unspecified"},
        "strips": {"interleave": "pixel", "overviews": [], "mask": False, "blocks": 0, "compress": "lzw", "nodata": 7},
        "odd levels": {"interleave": "pixel", "overviews": [3, 5], "mask": True, "blocks": 64, "BIGTIFF": "YES"},
    }
    return Files({name: file_with(folder / f"{index}.tif", **how) for index, (name, how) in enumerate(made.items())})


def read_within_plan(raw, key, wanted, how):
    """The planned ranges of a read, and what GDAL read outside of them."""
    header, filled, missed = Filled(), Filled(), []

    def reading(start, stop):
        header.add(max(0, start) // 4096 * 4096, -(-stop // 4096) * 4096)
        return raw[max(0, start) : stop]

    planned = Plan(read_images(reading)).ranges(reading, [wanted])
    for start, stop in [*header.ranges(), *planned]:
        filled.add(max(0, start), min(stop, len(raw)))
    filled.add(0, 4096)
    with (
        rasterio.Env(**PINNED),
        rasterio.open(f"/{key}/x", driver="GTiff", opener=lambda *_, **__: Only(raw, filled, missed)) as file,
        _overviews_for(how),
    ):
        window = RasterioWindow(*wanted.window)
        if wanted.mask:
            file.read_masks(1, window=window, out_shape=wanted.shape)
        else:
            bands = list(wanted.bands)
            file.read(bands, window=window, out_shape=(len(bands), *wanted.shape), resampling=how)
    return planned, missed


@st.composite
def spans(draw, length):
    """Start and size of a part of a side, in pixels or fractions of them, and the number of pixels of its picture."""
    parts = draw(st.sampled_from([1, 1, 1, 2, 3, 7, 10]))
    start = draw(st.integers(0, (length - 3) * parts)) / parts
    size = draw(st.integers(2 * parts, int((length - start) * parts))) / parts
    return start, size, max(2, round(size / draw(st.floats(1, 12))))


@st.composite
def reads(draw):
    x, width, columns = draw(spans(WIDTH))
    y, height, rows = draw(spans(HEIGHT))
    shape = rows, columns
    bands = draw(st.sampled_from([(1, 2, 3), (1,), (4,), (2, 4)]))
    how = draw(st.sampled_from([Resampling.average, Resampling.nearest, Resampling.bilinear, Resampling.lanczos]))
    mask = draw(st.booleans())
    nearest = mask or how is Resampling.nearest
    wide = not nearest and how is not Resampling.average
    wanted = Wanted((x, y, width, height), shape, () if mask else bands, nearest=nearest, wide_kernel=wide, mask=mask)
    return wanted, Resampling.nearest if mask else how


@pytest.mark.parametrize("name", ["pixel, mask", "band, alpha", "strips", "odd levels"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(read=reads())
def test_gdal_reads_nothing_but_what_was_planned(files, name, read):
    wanted, how = read
    if wanted.mask and "mask" not in name and name != "odd levels":
        return  # a mask that is made of alpha or nodata is not asked for as one (masks.py)
    _, missed = read_within_plan(files[name], f"{name[:3]}-{id(wanted)}".replace(" ", ""), wanted, how)
    assert missed == []


def test_a_small_window_needs_one_block(files):
    wanted = Wanted((32, 32, 32, 32), (32, 32), (1, 2, 3))
    planned, _ = read_within_plan(files["pixel, mask"], "one", wanted, Resampling.average)
    assert len(planned) == 2  # one of the picture, one of the mask
    assert size_of(planned) < 6_000


def test_a_coarse_view_needs_the_overview_only(files):
    wanted = Wanted((0, 0, WIDTH, HEIGHT), (round(HEIGHT / 8), round(WIDTH / 8)), (1, 2, 3))
    planned, _ = read_within_plan(files["pixel, mask"], "coarse", wanted, Resampling.average)
    assert size_of(planned) < len(files["pixel, mask"]) / 20
