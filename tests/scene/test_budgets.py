"""No read exceeds its limits: views, masks, statistics, raw values. The files are harmless, the limits are low."""

import struct
import tracemalloc

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp, Resampling

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.band_facts import band_facts
from t2s_agent.scene import Limits, Window, open_scene
from t2s_agent.scene.tiff import directories

LOW = Limits(piece_bytes=4096)


def masked(path, make, **profile):
    """A GeoTIFF with an internal mask that hides its left part."""
    make.geotiff(path, **profile)
    with rasterio.open(path, "r+") as file:
        hidden = np.full((file.height, file.width), 255, np.uint8)
        hidden[:, :15] = 0
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            file.write_mask(hidden)
    return path


READS = {
    "view": lambda scene: scene.view(),
    "decimated view": lambda scene: scene.view(max_size=16),
    "values": lambda scene: scene.read(),
    "statistics": lambda scene: band_facts(scene, Window(0, 0, scene.width, scene.height), np.ones((30, 40), bool)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("limits", [Limits(read_bytes=1000), Limits(seconds=0)], ids=["bytes", "seconds"])
@pytest.mark.parametrize("kind", ["plain", "masked", "alpha", "nodata"])
def test_every_read_is_refused_beyond_its_budget(tmp_path, make, read, limits, kind):
    path = tmp_path / "a.tif"
    if kind == "masked":
        masked(path, make)
    else:
        make.geotiff(path, bands=4 if kind == "alpha" else 3, nodata=0 if kind == "nodata" else None)
    with open_scene(path, limits=limits) as scene, pytest.raises(T2SError) as caught:
        read(scene)
    assert caught.value.code == "limit_exceeded"


def test_a_mask_counts_in_the_budget_of_bytes(tmp_path, make):
    plain, mask = make.geotiff(tmp_path / "a.tif"), masked(tmp_path / "b.tif", make)
    three_bands = Limits(read_bytes=30 * 40 * 3)
    with open_scene(plain, limits=three_bands) as scene:
        scene.view()
    with open_scene(mask, limits=three_bands) as scene, pytest.raises(T2SError) as caught:
        scene.view()
    assert caught.value.code == "limit_exceeded"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_the_time_limit_is_checked_before_every_piece(tmp_path, make, read, monkeypatch):
    """A clock that moves a second with each look, and a budget of a few: the read ends there, not at its own end."""
    path = masked(tmp_path / "a.tif", make, height=300, width=400, tiled=True, blockxsize=16, blockysize=16)
    looks = iter(range(100_000))
    monkeypatch.setattr("time.monotonic", lambda: next(looks))
    with open_scene(path, limits=Limits(piece_bytes=4096, seconds=5)) as scene:
        with pytest.raises(T2SError) as caught:
            read(scene)
        assert "takes more than 5 s" in caught.value.what
    assert next(looks) <= 20


@settings(max_examples=25, deadline=None)
@given(
    window=st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(1, 80), st.integers(1, 60)),
    size=st.integers(1, 90),
    piece=st.integers(64, 20_000),
)
def test_what_is_read_in_pieces_is_what_is_read_at_once(tmp_path_factory, make, window, size, piece):
    path = tmp_path_factory.mktemp("p") / "a.tif"
    make.geotiff(path, height=80, width=100, bands=4, tiled=True, blockxsize=16, blockysize=32)
    with open_scene(path) as whole, open_scene(path, limits=Limits(piece_bytes=piece)) as parts:
        a, b = (scene.view(window=Window(*window), max_size=size) for scene in (whole, parts))
        assert np.abs(a.rgb.astype(int) - b.rgb).max() <= 1  # averages may be rounded otherwise at a seam
        assert (a.valid == b.valid).all()
        raw, streamed = (scene.read(Window(*window)).filled(-1) for scene in (whole, parts))
        assert (raw == streamed).all()


def test_pieces_tile_the_picture_and_none_is_larger_than_allowed_or_one_block(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", height=256, width=512, tiled=True, blockxsize=64, blockysize=64)
    with open_scene(path, limits=LOW) as scene:
        pieces = scene._reader.pieces(Window(0, 0, 512, 256), 256, 512, 3)
    seen = np.zeros((256, 512), int)
    for piece in pieces:
        seen[piece.rows, piece.columns] += 1
        assert piece.shape <= (64, 64)
    assert (seen == 1).all()


def test_statistics_of_many_bands_stay_small(tmp_path):
    """100 bands of 512 x 512 px in a file of a few kilobytes: as float64 at once they are 210 MB."""
    path, options = (
        tmp_path / "cube.tif",
        {"driver": "GTiff", "height": 512, "width": 512, "count": 100, "dtype": "uint8"},
    )
    with rasterio.open(path, "w", **options, sparse_ok=True, tiled=True, interleave="band", compress="deflate"):
        pass
    with open_scene(path) as scene:
        tracemalloc.start()
        facts = band_facts(scene, Window(0, 0, 512, 512), np.ones((512, 512), bool))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(facts) == 100
    assert peak < 60 * 2**20


def test_raw_values_that_would_not_fit_are_refused_before_they_are_made(tmp_path):
    options = {"driver": "GTiff", "height": 2000, "width": 2000, "count": 400, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(tmp_path / "a.tif", "w", **options, interleave="band"):
        pass
    with open_scene(tmp_path / "a.tif") as scene, pytest.raises(T2SError) as caught:
        scene.read(max_size=2000)
    assert caught.value.code == "limit_exceeded"


# samples of scenes that are larger than one read may be


def large(path, make, **profile):
    """16-bit values from 1000 to 3000 at random, 600 x 800 px, 2.9 MB; without overviews."""
    bands = profile.pop("bands", 3)
    values = np.random.default_rng(1).integers(1000, 3001, (bands, 600, 800)).astype("uint16")
    make.geotiff(path, bands=bands, height=600, width=800, dtype="uint16", **profile)
    with rasterio.open(path, "r+") as file:
        file.write(values)
    return path


LAYOUTS = {
    "tiles": {"tiled": True, "blockxsize": 32, "blockysize": 16},
    "strips": {"blockysize": 1},
    "planes": {"tiled": True, "blockxsize": 16, "blockysize": 32, "interleave": "band"},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_part_of_a_large_scene_is_seen_in_the_colours_of_the_whole(tmp_path, make, layout):
    path = large(tmp_path / "a.tif", make, **layout)
    part = Window(300, 200, 100, 80)
    with open_scene(path) as scene:
        expected, quiet = scene.view(window=part).rgb.astype(int), scene.remarks()
    with open_scene(path, limits=Limits(read_bytes=1_000_000)) as scene:
        view, said = scene.view(window=part), scene.remarks()
        band_facts(scene, part, view.valid)
        with pytest.raises(T2SError) as caught:
            scene.view()
    assert caught.value.code == "limit_exceeded"
    assert np.abs(view.rgb - expected).max() <= 3
    assert not any("blocks" in line for line in quiet)
    assert any("estimated from" in line and "blocks spread over it" in line for line in said)
    assert all(len(line) < 200 for line in said)


def test_fill_and_transparency_of_a_large_scene_are_estimated_from_blocks(tmp_path, make):
    path = large(tmp_path / "a.tif", make, bands=4, **LAYOUTS["tiles"])
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        values = file.read()
        values[:3, :, :200] = 65535
        values[3] = 4095
        values[3, 300:] = 0
        file.write(values)
    with open_scene(path, limits=Limits(read_bytes=1_000_000)) as scene:
        view = scene.view(window=Window(0, 250, 300, 100))
        assert [fill.value for fill in scene.fills()] == [65535]
    assert view.valid[:50].all()
    assert not view.valid[50:].any()


@given(
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    block=st.sampled_from([(16, 16), (64, 32), (16, 256), (1, 0), (7, 0)]),
    side=st.integers(1, 200),
    budget=st.integers(30_000, 300_000),
)
@settings(max_examples=40, deadline=None)
def test_blocks_of_a_sample_are_spread_whole_and_within_the_budget(tmp_path_factory, make, shape, block, side, budget):
    layout = {"tiled": True, "blockxsize": block[1]} if block[1] else {}
    path = tmp_path_factory.mktemp("s") / "a.tif"
    make.geotiff(path, height=shape[0], width=shape[1], blockysize=block[0], **layout)
    with open_scene(path, limits=Limits(read_bytes=budget)) as scene:
        blocks = scene._reader.blocks(3, side)
        sizes = [piece.source[2] * piece.source[3] for piece in blocks.pieces]
        one = np.prod([min(a, b) for a, b in zip(scene._dataset.block_shapes[0], shape, strict=True)])
    assert len({piece.source for piece in blocks.pieces}) == len(blocks.pieces)
    assert sum(sizes) * 3 <= max(budget / 16, one * 3)
    assert blocks.share == pytest.approx(sum(sizes) / (shape[0] * shape[1]))
    assert blocks.height <= max(side, len(blocks.pieces))
    assert blocks.width <= max(side, len(blocks.pieces))
    filled = np.zeros((blocks.height, blocks.width), int)
    for piece in blocks.pieces:
        filled[piece.rows, piece.columns] += 1
        x, y, width, height = piece.source
        assert 0 <= x < x + width <= shape[1]
        assert 0 <= y < y + height <= shape[0]
    assert (filled == 1).all()


def test_a_single_block_beyond_the_budget_is_refused(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", height=64, width=64, tiled=True, blockxsize=64, blockysize=64)
    with open_scene(path, limits=Limits(read_bytes=12_287)) as scene, pytest.raises(T2SError) as caught:
        scene._reader.blocks(3, 100)
    assert caught.value.code == "limit_exceeded"


# blocks


def test_directories_are_read_as_gdal_wrote_them(tmp_path, make):
    path = masked(tmp_path / "a.tif", make, height=64, width=96, tiled=True, blockxsize=32, blockysize=16)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], Resampling.average)
    with path.open("rb") as opened:
        found = directories(opened.fileno())
    assert (found[0].width, found[0].height, found[0].block_width, found[0].block_height) == (96, 64, 32, 16)
    assert found[0].block_bytes == 32 * 16 * 3
    assert [each.width for each in found if each.overview and not each.mask] == [48, 24]
    assert [each.width for each in found if each.mask] == [96, 48, 24]


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
@pytest.mark.parametrize("big", ["YES", "NO"])
def test_directories_of_all_four_kinds_of_tiff_are_read(tmp_path, make, order, big):
    path = make.geotiff(tmp_path / "a.tif", bigtiff=big, endianness=order, height=50, width=70, dtype="uint16")
    with path.open("rb") as opened:
        (only,) = directories(opened.fileno())
    assert (only.width, only.height, only.overview, only.mask) == (70, 50, False, False)


def test_a_large_block_of_an_overview_is_refused_by_the_header(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=1, height=512, width=512, tiled=True, blockxsize=16, blockysize=16)
    with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE="128"), rasterio.open(path, "r+") as file:
        file.build_overviews([2], Resampling.average)
    assert "blocks of 16384 bytes" in refused_for_blocks(path)


def test_a_large_block_of_a_mask_is_refused_by_the_header(tmp_path, make):
    path = masked(tmp_path / "a.tif", make, bands=1, height=64, width=64, tiled=True, blockxsize=16, blockysize=16)
    whole = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", whole, 4)[0]
    entries = struct.unpack_from("<H", whole, first)[0]
    mask = struct.unpack_from("<I", whole, first + 2 + 12 * entries)[0]
    for i in range(struct.unpack_from("<H", whole, mask)[0]):
        if struct.unpack_from("<H", whole, mask + 2 + 12 * i)[0] == 322:  # width of its tiles
            struct.pack_into("<H", whole, mask + 2 + 12 * i + 8, 256)
    path.write_bytes(whole)
    assert "blocks of 4096 bytes" in refused_for_blocks(path)


def refused_for_blocks(path):
    with pytest.raises(T2SError) as caught:
        open_scene(path, limits=Limits(block_bytes=1000))
    assert caught.value.code == "limit_exceeded"
    return caught.value.what


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read_as_directories_without_an_error(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("d") / "a.tif"
    for head in (b"II*\x00\x08\x00\x00\x00", b"MM\x00+\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"):
        path.write_bytes(head + tail)
        with path.open("rb") as opened:
            directories(opened.fileno())


# statistics


def physical(path, bands, scales, offsets, names=(), nodata=None):
    count, (height, width) = len(bands), bands[0].shape
    options = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": bands[0].dtype.name}
    with rasterio.open(path, "w", **options, nodata=nodata, photometric="MINISBLACK") as file:
        file.write(np.stack(bands))
        file.scales, file.offsets = scales, offsets
        file.descriptions = names or [None] * count
    return path


def facts_of(path):
    with open_scene(path) as scene:
        return band_facts(scene, Window(0, 0, scene.width, scene.height), np.ones((scene.height, scene.width), bool))


def test_statistics_and_ndvi_use_scale_and_offset(tmp_path):
    red = np.full((4, 4), 2000, np.uint16)
    nir = np.full((4, 4), 4000, np.uint16)
    path = physical(tmp_path / "a.tif", [red, nir], (0.0001, 0.0001), (-0.1, -0.1), ("red", "nir"))
    first, second, ndvi = facts_of(path)
    assert first["mean"] == pytest.approx(0.1)  # 2000 x 0.0001 - 0.1
    assert second["mean"] == pytest.approx(0.3)
    assert (first["scale"], first["offset"]) == (0.0001, -0.1)
    assert ndvi["mean"] == pytest.approx(0.5)  # (0.3 - 0.1) / 0.4; of the stored numbers it would be a third


def test_without_scale_and_offset_statistics_are_of_stored_values(tmp_path):
    band = np.arange(1, 17, dtype=np.uint16).reshape(4, 4)
    (only,) = facts_of(physical(tmp_path / "a.tif", [band], (1.0,), (0.0,)))
    assert only == {"band": 1, "name": "", "mean": 8.5, "std": 4.6098, "min": 1.0, "max": 16.0}


def test_nodata_of_one_band_is_left_out_of_that_bands_statistics(tmp_path):
    a, b = np.full((4, 4), 10, np.int16), np.full((4, 4), 20, np.int16)
    a[0] = -9999
    first, second = facts_of(physical(tmp_path / "a.tif", [a, b], (1.0, 1.0), (0.0, 0.0), nodata=-9999))
    assert (first["min"], first["mean"], second["mean"]) == (10, 10, 20)


def test_undeclared_fill_is_left_out_of_statistics(tmp_path):
    band = np.linspace(100, 3000, 3600).reshape(60, 60).astype(np.int16)
    band[:10] = -9999
    (only,) = facts_of(physical(tmp_path / "a.tif", [band], (1.0,), (0.0,)))
    assert only["min"] > 0


def test_undeclared_fill_of_a_band_that_is_not_shown_is_left_out_and_named(tmp_path):
    """Near infrared alone holds 65535: statistics and NDVI are of the rest."""
    red, nir = np.full((60, 60), 1000, np.uint16), np.linspace(2000, 4000, 3600).reshape(60, 60).astype(np.uint16)
    nir[:20] = 65535
    names = ("red", "green", "blue", "nir", "")
    path = physical(tmp_path / "a.tif", [red, red, red, nir, nir], (1.0,) * 5, (0.0,) * 5, names, nodata=None)
    *shown, fourth, fifth, ndvi, _ndwi = facts_of(path)
    assert fourth["max"] == fifth["max"] == 4000
    assert fourth["left_out_as_fill"] == ["65535"]
    assert all("left_out_as_fill" not in row for row in shown)
    assert ndvi["max"] == pytest.approx(0.6)  # (4000 - 1000) / 5000


def test_hidden_pixels_are_not_mixed_into_statistics_of_a_decimated_read(tmp_path):
    band = np.linspace(100, 3000, 90_000).reshape(300, 300).astype(np.int16)
    band[:101] = -9999
    alpha = np.full((300, 300), 255, np.int16)
    alpha[:, :101] = 0
    stack = np.stack([np.where(alpha == 0, 0, np.maximum(band, 100))] * 4 + [alpha])
    options = {"driver": "GTiff", "height": 300, "width": 300, "dtype": "int16"}
    with rasterio.open(tmp_path / "fill.tif", "w", count=1, **options) as file:
        file.write(band, 1)
    with rasterio.open(tmp_path / "alpha.tif", "w", count=5, **options) as file:
        file.write(stack)
        file.colorinterp = [
            ColorInterp.red,
            ColorInterp.green,
            ColorInterp.blue,
            ColorInterp.undefined,
            ColorInterp.alpha,
        ]
    for name in ("fill.tif", "alpha.tif"):
        with open_scene(tmp_path / name) as scene:
            first, *_ = band_facts(scene, Window(0, 0, 300, 300), np.ones((60, 60), bool))
        assert first["min"] >= 100


@pytest.mark.parametrize("value", [1e308, 1e-310, 0.0, -1e200])
def test_statistics_of_extreme_numbers_are_finite_and_quiet(tmp_path, value, recwarn):
    band = np.full((4, 4), value)
    band[0] = value / 2
    (only,) = facts_of(physical(tmp_path / "a.tif", [band], (1.0,), (0.0,)))
    assert only["mean"] == pytest.approx(value * 0.875, rel=1e-4)
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), piece=st.integers(200, 30_000))
def test_streamed_statistics_are_those_of_the_whole(tmp_path_factory, seed, piece):
    band = np.random.default_rng(seed).normal(1000, 200, (50, 60))
    path = physical(tmp_path_factory.mktemp("s") / "a.tif", [band], (1.0,), (0.0,))
    with open_scene(path, limits=Limits(piece_bytes=piece)) as scene:
        (only,) = band_facts(scene, Window(0, 0, 60, 50), np.ones((50, 60), bool))
    expected = {"mean": band.mean(), "std": band.std(), "min": band.min(), "max": band.max()}
    assert {name: only[name] for name in expected} == pytest.approx(expected, abs=1e-3)


def test_alpha_is_no_band_of_the_statistics(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=4)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    assert [row["band"] for row in facts_of(path)] == [1, 2, 3]
