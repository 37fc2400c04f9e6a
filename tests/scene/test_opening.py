"""Opening imagery that a stranger made. Our check of an attack is an attack: every probe of docs/explanation/security.md is here.

Where it can be shown, the same file is first opened the plain way, so that a probe that attacks nothing is noticed.
"""

import contextlib
import io
import os
import struct

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio._env import del_gdal_config, get_gdal_config

from t2s_agent.errors import T2SError
from t2s_agent.scene import Limits, open_scene
from t2s_agent.scene.opening import PINNED, driver_of

SECRET = 201


@pytest.fixture
def place(tmp_path, make):
    """A root with an honest image in it, and a secret beside it."""
    root = tmp_path / "root"
    root.mkdir()
    make.geotiff(root / "honest.tif")
    make.flat(tmp_path / "secret.tif", SECRET)
    return root


def looked_at(path, root, **options):
    """Every way in which we read a file: Views whole and decimated, raw values. Returns all pixels seen."""
    with open_scene(path, roots=[root], **options) as scene:
        seen = [scene.view(max_size=size).rgb.ravel() for size in (1024, 16, 8)]
        seen.append(scene.read(max_size=8).filled(0).ravel())
        _ = scene.bounds_lonlat
    return np.concatenate(seen)


def refused(path, root, **options):
    with pytest.raises(T2SError) as caught:
        looked_at(path, root, **options)
    return caught.value


def harmless(path, root):
    """Refused with one of our errors, or opened without a pixel of the secret."""
    seen = np.zeros(0)
    with contextlib.suppress(T2SError):
        seen = looked_at(path, root)
    assert SECRET not in seen


def test_a_normal_image_opens(place):
    assert looked_at("honest.tif", place).max() == 39 + 58 + 20


# names


@pytest.mark.parametrize("name", ["../secret.tif", "../root/../secret.tif", "./../secret.tif"])
def test_a_name_that_climbs_out_is_not_found(place, name):
    assert refused(name, place).code == "image_not_found"


def test_an_absolute_name_outside_is_not_found(place, tmp_path):
    assert refused(tmp_path / "secret.tif", place).code == "image_not_found"


def test_a_folder_that_starts_with_the_roots_name_is_outside(place, tmp_path, make):
    twin = tmp_path / "root2"
    twin.mkdir()
    make.flat(twin / "x.tif", SECRET)
    assert refused(twin / "x.tif", place).code == "image_not_found"


@pytest.mark.parametrize("depth", [1, 3])
def test_links_that_lead_out_are_not_found(place, tmp_path, depth):
    target = tmp_path / "secret.tif"
    for i in range(depth):
        link = place / f"link{i}.tif"
        link.symlink_to(target)
        target = link
    assert refused(target, place).code == "image_not_found"


def test_a_folder_that_links_out_is_not_found(place, tmp_path):
    (place / "sub").symlink_to(tmp_path)
    assert refused("sub/secret.tif", place).code == "image_not_found"


def test_a_link_inside_of_the_root_is_followed(place):
    (place / "alias.tif").symlink_to(place / "honest.tif")
    assert looked_at("alias.tif", place).size


def test_paths_outside_and_missing_files_give_the_same_error(place, tmp_path):
    outside, absent = refused("../secret.tif", place), refused("../absentt.tif", place)
    assert outside.code == absent.code
    assert outside.fix == absent.fix
    assert outside.what.replace("secret", "absentt") == absent.what


PREFIXES = [
    "/vsizip/{p}", "zip://{p}", "/vsitar/{p}", "tar://{p}", "/vsigzip/{p}", "/vsisubfile/0_999,{p}", "/vsicached?file={p}",
    "/vsisparse/{p}", "/vsicrypt/key=x,file={p}", "/vsistdin/", "/vsimem/x", "vrt://{p}", "GTIFF_DIR:1:{p}", "GTIFF_RAW:{p}",
    "DERIVED_SUBDATASET:AMPLITUDE:{p}", "NETCDF:{p}:x", "HDF5:{p}://x", "GTI:{p}", "SENTINEL2_L1C:{p}", "PDF:1:{p}",
    "GPKG:{p}:x", "file://{p}", "{p}\x00.png", "",
]  # fmt: skip


@pytest.mark.parametrize("form", PREFIXES)
def test_a_name_is_a_path_and_never_a_connection_string(place, tmp_path, form):
    assert refused(form.format(p=tmp_path / "secret.tif"), place).code == "image_not_found"
    assert refused(form.format(p=tmp_path / "secret.tif"), place).code == "image_not_found"


def test_plain_gdal_follows_such_names(place, tmp_path):
    with rasterio.open(f"vrt://{tmp_path / 'secret.tif'}") as opened:
        assert opened.read(1)[0, 0] == SECRET


@pytest.mark.parametrize(
    "form",
    ["{u}/a.tif", "/vsicurl/{u}/a.tif", "/vsicurl_streaming/{u}/a.tif", "/vsis3/b/a.tif", "s3://b/a.tif", "/vsigs/b/a",
     "/vsiaz/b/a", "WMS:{u}", "WMTS:{u}", "WCS:{u}", 'STACTA:"{u}"', 'STACIT:"{u}"', "EEDAI:x", "PLMosaic:x",
     'ZARR:"/vsicurl/{u}"'],
)  # fmt: skip
def test_a_name_never_reaches_the_network(place, caller, form):
    assert refused(form.format(u=caller.url), place).code == "image_not_found"
    assert caller.requests == []


def test_xml_and_json_as_names_are_not_interpreted(place, tmp_path, make, caller):
    for name in (make.vrt(str(tmp_path / "secret.tif")), make.wms(caller.url), '{"type": "FeatureCollection"}'):
        assert refused(name, place).code == "image_not_found"
    assert caller.requests == []


# content that is not what its name says


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".vrt"])
def test_a_virtual_raster_under_any_name_is_refused(place, tmp_path, make, suffix):
    bad = place / f"bad{suffix}"
    bad.write_text(make.vrt(str(tmp_path / "secret.tif")), encoding="utf-8")
    with rasterio.open(bad) as naive:
        assert naive.read(1)[0, 0] == SECRET
    assert refused(bad.name, place).code == "image_unreadable"


def test_a_virtual_raster_with_an_address_makes_no_request(place, make, caller):
    (place / "bad.tif").write_text(make.vrt(f"/vsicurl/{caller.url}/x.tif"), encoding="utf-8")
    assert refused("bad.tif", place).code == "image_unreadable"
    assert caller.requests == []


def test_text_is_not_shown_as_pixels(place, tmp_path, make):
    (tmp_path / "words.txt").write_text("sixteen letters!", encoding="utf-8")
    (place / "bad.tif").write_text(make.raw_vrt(str(tmp_path / "words.txt")), encoding="utf-8")
    assert refused("bad.tif", place).code == "image_unreadable"


def test_a_map_service_description_makes_no_request(place, make, caller):
    (place / "bad.tif").write_text(make.wms(caller.url), encoding="utf-8")
    assert refused("bad.tif", place).code == "image_unreadable"
    assert caller.requests == []


# neighbours


def test_overviews_beside_an_image_are_not_read(place, tmp_path, make):
    make.geotiff(place / "image.tif", bands=1)
    (place / "image.tif.ovr").write_text(make.vrt(str(tmp_path / "secret.tif"), 15, 20), encoding="utf-8")
    with rasterio.open(place / "image.tif") as naive:
        assert naive.read(1, out_shape=(15, 20))[0, 0] == SECRET
    assert SECRET not in looked_at("image.tif", place)


def test_a_mask_beside_an_image_is_not_read_with_a_warning(place, tmp_path, make):
    make.geotiff(place / "image.tif", bands=1)
    make.flat(tmp_path / "hide.tif", 0)
    (place / "image.tif.msk").write_text(make.vrt(str(tmp_path / "hide.tif")), encoding="utf-8")
    with open_scene("image.tif", roots=[place]) as scene:
        assert scene.view().valid.all()
        assert "image.tif.msk" in scene.warnings[0]


@pytest.mark.parametrize("target", ["file", "address"])
def test_auxiliary_xml_that_names_overviews_is_not_read(place, tmp_path, make, caller, target):
    make.geotiff(place / "image.tif", bands=1)
    named = str(tmp_path / "secret.tif") if target == "file" else f"/vsicurl/{caller.url}/x.tif"
    (place / "image.tif.aux.xml").write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{named}</MDI></Metadata></PAMDataset>',
        encoding="utf-8",
    )
    harmless("image.tif", place)
    assert caller.requests == []


def test_a_file_beside_an_image_does_not_move_it(place, make):
    make.geotiff(place / "image.tif")
    (place / "image.tfw").write_text("9\n0\n0\n-9\n0\n0\n", encoding="utf-8")
    (place / "image.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>", encoding="utf-8")
    for name in ("image.IMD", "image.RPB", "image_rpc.txt", "image.prj"):
        (place / name).write_text("LINE_OFF: 1\n", encoding="utf-8")
    with open_scene("image.tif", roots=[place]) as scene:
        assert scene.crs == make.UTM33
        assert scene.georeference.transform == make.PLACE


# one plain GeoTIFF


@pytest.mark.parametrize("where", ["file", "address"])
def test_a_tag_that_names_overviews_is_refused(place, tmp_path, make, caller, where):
    named = str(tmp_path / "secret.tif") if where == "file" else f"/vsicurl/{caller.url}/x.tif"
    with rasterio.open(make.geotiff(place / "image.tif", bands=1), "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=named)
    assert refused("image.tif", place).code == "image_unreadable"
    assert caller.requests == []


def test_a_tag_that_names_a_geolocation_array_is_refused(place, make, caller):
    with rasterio.open(make.geotiff(place / "image.tif", bands=1), "r+") as file:
        file.update_tags(ns="GEOLOCATION", X_DATASET=f"/vsicurl/{caller.url}/x.tif", Y_DATASET="y.tif")
    assert refused("image.tif", place).code == "image_unreadable"
    assert caller.requests == []


def test_a_tag_that_names_an_elevation_model_is_refused(place, make):
    with rasterio.open(make.geotiff(place / "image.tif", bands=1), "r+") as file:
        file.update_tags(RPC_DEM="/etc/passwd")
    assert refused("image.tif", place).code == "image_unreadable"


# bombs


def sparse(path, side, **options):
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **(profile | {"tiled": True, "bigtiff": "yes"} | options)):
        pass
    return path


def test_an_image_that_declares_too_much_is_refused_before_a_read(place):
    sparse(place / "bomb.tif", 100_000, blockxsize=1024, blockysize=1024)
    assert refused("bomb.tif", place).code == "limit_exceeded"


def test_a_giant_block_is_refused(place):
    sparse(place / "bomb.tif", 20_000, blockxsize=16_384, blockysize=16_384)
    assert refused("bomb.tif", place).code == "limit_exceeded"
    small = Limits(block_bytes=2**18 - 1)
    sparse(place / "fine.tif", 2_000, blockxsize=512, blockysize=512)
    assert refused("fine.tif", place, limits=small).code == "limit_exceeded"


def test_a_read_of_more_than_the_budget_is_refused(place):
    sparse(place / "bomb.tif", 20_000, blockxsize=512, blockysize=512)
    assert refused("bomb.tif", place, limits=Limits(read_bytes=2**20)).code == "limit_exceeded"


def test_a_read_that_takes_too_long_is_stopped_between_strips(place):
    sparse(place / "slow.tif", 12_000, blockxsize=512, blockysize=512)
    assert refused("slow.tif", place, limits=Limits(seconds=0.0)).code == "limit_exceeded"


def test_a_picture_of_billions_of_pixels_in_a_few_bytes_is_refused(place):
    def chunk(kind, data):
        import zlib

        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", b"x\x9c\x03\x00\x00\x00\x00\x01")
        + chunk(b"IEND", b"")
    )
    (place / "bomb.png").write_bytes(png)
    assert refused("bomb.png", place).code == "limit_exceeded"


# no images


def test_what_is_no_regular_file_is_refused_at_once(place):
    (place / "folder.tif").mkdir()
    os.mkfifo(place / "pipe.tif")
    assert refused("folder.tif", place).code == "image_unreadable"
    assert refused("pipe.tif", place).code == "image_unreadable"


@pytest.mark.parametrize(
    "content", [b"", b"II*\x00", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"hello", b"RIFF\x00\x00\x00\x00WEBP"]
)
def test_empty_truncated_and_other_files_are_unreadable(place, content):
    (place / "bad.tif").write_bytes(content)
    assert refused("bad.tif", place).code == "image_unreadable"


def test_a_truncated_image_says_so(place):
    whole = (place / "honest.tif").read_bytes()
    (place / "cut.tif").write_bytes(whole[: len(whole) // 2])
    assert refused("cut.tif", place).code == "image_unreadable"


def with_tag(path, source, tag, value):
    """A copy of a little-endian TIFF with another value of a short tag of its first directory."""
    whole = bytearray(source.read_bytes())
    first = struct.unpack_from("<I", whole, 4)[0]
    for i in range(struct.unpack_from("<H", whole, first)[0]):
        if struct.unpack_from("<H", whole, first + 2 + 12 * i)[0] == tag:
            struct.pack_into("<H", whole, first + 2 + 12 * i + 8, value)
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("number", "name"),
    [(50002, "JPEG XL"), (52546, "JPEG XL"), (34712, "JPEG 2000"), (34661, "JBIG"), (99, "number 99")],
)
def test_a_missing_codec_is_named_and_not_reported_as_damage(place, make, number, name):
    source = make.geotiff(place / "packed.tif", compress="packbits")
    with_tag(place / "other.tif", source, 259, number)
    error = refused("other.tif", place)
    assert error.code == "image_unreadable"
    assert name in error.what
    assert "damaged" not in error.what
    assert "COMPRESS=DEFLATE" in error.fix


def test_an_animation_is_not_reported_as_damage(place):
    still = Image.new("RGB", (8, 8))
    still.save(place / "moving.webp", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    assert "is an animation" in refused("moving.webp", place).what


def test_12_bit_jpeg_is_named_and_not_reported_as_damage(place, make):
    source = make.geotiff(place / "jpeg.tif", bands=1, compress="jpeg")
    with_tag(place / "twelve.tif", source, 258, 12)
    whole = bytearray((place / "twelve.tif").read_bytes())
    whole[whole.index(b"\xff\xc0") + 4] = 12  # precision in the frame header
    (place / "twelve.tif").write_bytes(whole)
    assert "12-bit JPEG" in refused("twelve.tif", place).what


@pytest.mark.parametrize("codec", ["lzw", "packbits", "deflate", "lzma", "zstd", "lerc", "lerc_zstd", "webp", "jpeg"])
def test_codecs_that_the_wheel_has_are_read(place, make, codec):
    make.geotiff(place / "a.tif", compress=codec, photometric="minisblack")
    assert looked_at("a.tif", place).size


def test_names_that_are_not_utf8_or_hold_control_characters_come_out_of_no_error_as_they_are(place, make):
    assert refused(os.fsdecode(b"bad\xff.tif"), place).fix.startswith("Rename")
    (place / "two\nlines\x1b[2J.tif").write_bytes(b"no image")
    for name in ("two\nlines\x1b[2J.tif", "gone\n\x1b.tif", os.fsdecode(b"gone\xff.tif")):
        error = str(refused(name, place))
        assert error.isprintable()
        error.encode()


def test_warnings_that_name_neighbours_have_no_control_characters(place, make):
    make.geotiff(place / "a\x1b.tif")
    (place / "a\x1b.tfw").write_text("1", encoding="utf-8")
    with open_scene("a\x1b.tif", roots=[place]) as scene:
        assert scene.name.isprintable()
        assert "beside the image" in scene.warnings[0]
        assert all(text.isprintable() for text in scene.warnings)


def test_settings_of_the_environment_do_not_matter(place, tmp_path, make, monkeypatch, request):
    for name, value in (
        ("GDAL_DISABLE_READDIR_ON_OPEN", "FALSE"),
        ("GDAL_PAM_ENABLED", "YES"),
        ("GDAL_GEOREF_SOURCES", "WORLDFILE"),
    ):
        monkeypatch.setenv(name, value)
        request.addfinalizer(lambda name=name: del_gdal_config(name))  # rasterio makes what it found its own
    make.geotiff(place / "image.tif", bands=1)
    (place / "image.tif.ovr").write_text(make.vrt(str(tmp_path / "secret.tif"), 15, 20), encoding="utf-8")
    (place / "image.tfw").write_text("9\n0\n0\n-9\n0\n0\n", encoding="utf-8")
    assert SECRET not in looked_at("image.tif", place)
    with open_scene("image.tif", roots=[place]) as scene:
        assert scene.georeference.transform == make.PLACE


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_headers_raise_only_our_error(place, data):
    whole = bytearray((place / "honest.tif").read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, min(len(whole), 600) - 1))] = data.draw(st.integers(0, 255))
    mangled = place / "mangled.tif"
    mangled.write_bytes(bytes(whole[: data.draw(st.integers(8, len(whole)))]))
    with contextlib.suppress(T2SError):
        looked_at("mangled.tif", place, limits=Limits(pixels=10**7, side=10**5, read_bytes=2**26))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "JPEG2000"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_pictures_raise_only_our_error(tmp_path, kind, data):
    opened = io.BytesIO()
    Image.fromarray(np.arange(36 * 3, dtype=np.uint8).reshape(6, 6, 3)).save(opened, kind)
    whole = bytearray(opened.getvalue())
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "mangled").write_bytes(bytes(whole[: data.draw(st.integers(8, len(whole)))]))
    with contextlib.suppress(T2SError):
        looked_at("mangled", tmp_path, limits=Limits(pixels=10**7, side=10**5, whole_pixels=10**6, read_bytes=2**26))


@given(st.binary(max_size=16))
def test_only_five_kinds_have_a_driver(head):
    assert driver_of(head) in ("", "GTiff", "PNG", "JPEG", "WEBP", "JP2OpenJPEG")


def test_gdal_has_room_to_keep_a_block_that_it_decoded():
    with rasterio.Env(**PINNED):
        assert (
            get_gdal_config("GDAL_CACHEMAX") == 64 * 2**20
        )  # bytes; with less, a mask of three bands decodes each block per row
