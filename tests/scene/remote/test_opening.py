"""Remote images: the same pixels as the local file, in few requests."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.windows import Window as RasterioWindow

from evals.remote.serving import https_files, ranged
from t2s_agent.errors import T2SError
from t2s_agent.scene import Window, open_scene
from t2s_agent.scene.reading import Piece
from t2s_agent.scene.remote import opening as module
from t2s_agent.scene.remote.address import Hosts
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.scene.remote.opening import Remote, open_remote
from t2s_agent.scene.remote.plan import Plan

GEO = Path("../shared/data/geo")


@pytest.fixture
def every_size_is_planned(monkeypatch):
    """Small files of tests go the way of large ones."""
    monkeypatch.setattr(module, "_SMALL", 0)


def remote_of(served, **limits):
    return Remote(Hosts(private=(served.host,)), RemoteLimits(**limits), served.ca)


def views(scene):
    """Views at several resolutions and places."""
    part = Window(scene.width // 3, scene.height // 3, max(1, scene.width // 4), max(1, scene.height // 5))
    asked = ({"max_size": 1024}, {"max_size": 77}, {"window": part}, {"window": part, "max_size": 50})
    return [scene.view(**each).digest() for each in asked]


@pytest.mark.parametrize("profile", [
    {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"},
    {"interleave": "band", "bands": 4, "dtype": "uint16", "nodata": 12},
    {"dtype": "float32", "bands": 1, "BIGTIFF": "YES", "blockysize": 4},
    {"driver": "PNG", "bare": True},
    {"driver": "JPEG", "bare": True},
])  # fmt: skip
def test_a_remote_image_has_the_pixels_of_the_local_one(make, tmp_path, every_size_is_planned, profile):
    path = make.geotiff(tmp_path / "a.tif", height=150, width=200, **profile)
    with https_files(tmp_path) as served, open_scene(path) as local:
        with open_remote(f"{served.url}/a.tif?sig=SECRET", remote_of(served)) as remote:
            assert views(remote) == views(local)
            assert (remote.crs, remote.bands, remote.nodata, remote.name) == (
                local.crs,
                local.bands,
                local.nodata,
                "a.tif",
            )
            assert remote.address == f"{served.url}/a.tif"
            assert remote.remarks() == local.remarks()
        remote.close()  # a second time


@pytest.mark.skipif(not GEO.is_dir(), reason="the shared rasters are not here")
@pytest.mark.slow
def test_every_raster_of_the_collection_has_its_digest(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 0)
    names = sorted(path.name for path in GEO.iterdir() if path.suffix in (".tif", ".jp2"))
    assert len(names) > 20
    with https_files(GEO) as served:
        for name in names:
            with open_scene(GEO / name) as local, open_remote(f"{served.url}/{name}", remote_of(served)) as remote:
                assert (name, views(remote)) == (name, views(local))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A cloud-optimised GeoTIFF of 8,192 px in blocks of 512 px, of which three rows have content (100 kB each block)."""
    folder = tmp_path_factory.mktemp("large")
    noise = np.random.default_rng(0).integers(0, 255, (3, 64, 8192), np.uint8)
    shape = {"driver": "GTiff", "count": 3, "height": 8192, "width": 8192, "dtype": "uint8", "SPARSE_OK": True}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    with rasterio.open(folder / "plain.tif", "w", **shape, **blocks) as file:
        for top in (3072, 3584, 4096):
            file.write(noise, window=RasterioWindow(0, top + 300, 8192, 64))
    how = {
        "driver": "COG",
        "BLOCKSIZE": 512,
        "COMPRESS": "DEFLATE",
        "SPARSE_OK": True,
        "OVERVIEW_RESAMPLING": "NEAREST",
    }
    rasterio.shutil.copy(folder / "plain.tif", folder / "large.tif", **how)
    return folder


def in_a_thread(work):
    """What a function gives in a thread that ends then."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("compress", ["deflate", "jpeg"])
def test_an_image_is_opened_read_and_closed_in_threads_of_their_own(make, tmp_path, every_size_is_planned, compress):
    path = make.geotiff(
        tmp_path / "a.tif", height=150, width=200, tiled=True, blockxsize=32, blockysize=32, compress=compress
    )
    with https_files(tmp_path) as served, open_scene(path) as local:
        remote = in_a_thread(lambda: open_remote(f"{served.url}/a.tif", remote_of(served)))
        assert in_a_thread(lambda: views(remote)) == views(local)
        in_a_thread(remote.close)


def test_a_window_and_an_overview_of_a_large_image_take_five_requests(large):
    """SCALE.md 2: plain rasterio takes 16."""
    with https_files(large) as served, open_remote(f"{served.url}/large.tif", remote_of(served)) as scene:
        scene.view(window=Window(3333, 3333, 1024, 1024))
        scene.view(max_size=1024)
        assert len(served.requests) <= 5
        assert served.sent < 2 * 2**20


def test_requests_side_by_side_are_the_same_ones_and_give_the_same_pixels(make, tmp_path, every_size_is_planned):
    path = make.geotiff(tmp_path / "a.tif", height=600, width=700, interleave="band", bands=4, blockysize=1)
    seen = {}
    for at_once in (1, 4):
        with (
            https_files(tmp_path) as served,
            open_remote(f"{served.url}/a.tif", remote_of(served, at_once=at_once)) as scene,
        ):
            digests = [scene.view(window=Window(10, y, 600, 20)).digest() for y in (0, 300, 570)]
            source: Any = scene.origin.source
            seen[at_once] = digests, sorted(served.requests), source.requests, source.received, served.sent
    assert seen[1] == seen[4]
    assert seen[4][2:4] == (len(seen[4][1]), seen[4][4])
    with open_scene(path) as local:
        assert seen[4][0] == [local.view(window=Window(10, y, 600, 20)).digest() for y in (0, 300, 570)]


@pytest.mark.parametrize("shape", [{"bands": 3, "interleave": "band"}, {"bands": 3, "compress": "deflate"}])
def test_what_gdal_reads_outside_of_the_plan_is_fetched_too(make, tmp_path, every_size_is_planned, monkeypatch, shape):
    path = make.geotiff(tmp_path / "a.tif", height=150, width=200, tiled=True, blockxsize=32, blockysize=32, **shape)
    planned = Plan.ranges
    monkeypatch.setattr(Plan, "ranges", lambda *given: planned(*given)[:1])
    with (
        https_files(tmp_path) as served,
        open_scene(path) as local,
        open_remote(f"{served.url}/a.tif", remote_of(served)) as remote,
    ):
        assert views(remote) == views(local)


def test_a_window_between_pixels_whose_overview_gdal_chooses_otherwise_is_read(make, tmp_path, every_size_is_planned):
    """GDAL 3.10 reads full resolution here, and the overview where the window begins at 2."""
    path = make.geotiff(
        tmp_path / "a.tif", height=257, width=331, bands=3, interleave="band", tiled=True, blockxsize=32, blockysize=32
    )
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2], rasterio.enums.Resampling.nearest)
    pieces = [
        Piece(slice(0, 2), slice(0, 1), (234.99999999, 2.00001, 2, 4)),
        Piece(slice(0, 1), slice(0, 1), (2.001, 119, 2, 1)),
    ]
    with (
        https_files(tmp_path) as served,
        open_scene(path) as local,
        open_remote(f"{served.url}/a.tif", remote_of(served)) as remote,
    ):
        for piece in pieces:
            read = [scene._reader.values(piece, [1, 2, 3]) for scene in (remote, local)]
            assert np.array_equal(*read)


def test_a_window_that_was_read_before_is_not_fetched_again(large):
    with https_files(large) as served, open_remote(f"{served.url}/large.tif", remote_of(served)) as scene:
        first = scene.view(window=Window(3333, 3333, 300, 300)).digest()
        before = len(served.requests)
        assert scene.view(window=Window(3333, 3333, 300, 300)).digest() == first
        assert len(served.requests) == before


def test_the_pixels_stay_the_same_when_the_cache_is_small(large):
    windows = [Window(x, y, 600, 600) for x in (100, 3000, 7000) for y in (900, 3000)]
    with https_files(large) as served, open_scene(large / "large.tif") as local:
        remote = remote_of(served, cache_bytes=8 * 2**20)
        with open_remote(f"{served.url}/large.tif", remote) as scene:
            for window in windows * 2:
                assert scene.view(window=window).digest() == local.view(window=window).digest()


def test_an_image_that_changes_between_two_reads_is_noticed(large):
    def changing(handler, path):
        if len(handler.served.requests) > 1:
            path = path.with_name("other.tif")
        ranged(handler, path)

    (large / "other.tif").write_bytes((large / "large.tif").read_bytes()[:-10])
    with https_files(large, changing) as served, open_remote(f"{served.url}/large.tif", remote_of(served)) as scene:
        with pytest.raises(T2SError) as caught:
            scene.view(window=Window(3333, 3333, 1024, 1024))
        assert caught.value.code == "remote_changed"


def test_a_host_that_is_not_allowed_gets_no_request(make, tmp_path):
    make.geotiff(tmp_path / "a.tif")
    with https_files(tmp_path) as served:
        for hosts in (Hosts(), Hosts(("example.org",)), Hosts((served.host,))):
            with pytest.raises(T2SError) as caught:
                open_remote(f"{served.url}/a.tif?sig=SECRET", Remote(hosts, ca_file=served.ca))
            assert caught.value.code == "remote_refused"
            assert "SECRET" not in str(caught.value)
        assert served.requests == []


@pytest.mark.parametrize("content", [b"", b"no image at all", b"<VRTDataset/>", b"II*\x00" + b"\xff" * 300])
def test_what_is_no_image_is_said(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with https_files(tmp_path) as served, pytest.raises(T2SError) as caught:
        open_remote(f"{served.url}/a.tif", remote_of(served))
    assert caught.value.code == "image_unreadable"


def test_a_tag_that_names_another_address_is_refused_without_a_request(make, tmp_path, caller):
    path = make.geotiff(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{caller.url}/secret.tif")
    with https_files(tmp_path) as served, pytest.raises(T2SError, match="OVERVIEW_FILE"):
        open_remote(f"{served.url}/a.tif", remote_of(served))
    assert caller.requests == []
