"""Files beside an image: not read by default, and with `trust_sidecars` read with the same checks as an image."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling

from t2s_agent.errors import T2SError
from t2s_agent.scene import Limits, open_scene

PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
WORLD = "0.5\n0\n0\n-0.5\n500000.25\n4999999.75\n"  # the centre of the first pixel
ESRI = (
    'PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["Degree",0.017453292519943295]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",500000],PARAMETER["False_Northing",0],PARAMETER["Central_Meridian",15],'
    'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0],UNIT["Meter",1]]'
)


def bare(folder, make, **options):
    return make.geotiff(folder / "a.tif", bare=True, **options)


def beside(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def aux(transform="500000, 0.5, 0, 5000000, 0, -0.5", srs=ESRI):
    return f"<PAMDataset><SRS>{srs}</SRS><GeoTransform>{transform}</GeoTransform></PAMDataset>"


def refused(path, **options):
    with pytest.raises(T2SError) as caught:
        open_scene(path, trust_sidecars=True, **options)
    return caught.value


def test_by_default_nothing_beside_an_image_is_read_and_the_warning_says_how(tmp_path, make):
    path = bare(tmp_path, make)
    beside(tmp_path, "a.tfw", WORLD)
    beside(tmp_path, "a.prj", ESRI)
    with open_scene(path) as scene:
        assert scene.crs is None
        assert scene.warnings[0].startswith("a.prj, a.tfw beside the image: not read")
        assert "trust_sidecars" in scene.warnings[0]


@pytest.mark.parametrize("name", ["a.tfw", "a.tifw", "a.wld"])
def test_a_world_file_and_a_prj_place_an_image_as_its_own_tags_would(tmp_path, make, name):
    path = bare(tmp_path, make)
    beside(tmp_path, name, WORLD)
    beside(tmp_path, "a.prj", ESRI)
    with open_scene(path, trust_sidecars=True) as scene:
        assert scene.georeference.transform == PLACE
        assert scene.crs == make.UTM33
        assert scene.gsd_m == pytest.approx(0.5, rel=1e-3)
        assert scene.warnings == (f"{name}, a.prj beside the image: read, as trusted",)


@pytest.mark.parametrize(
    ("image", "world"), [("a.tif", "a.TFW"), ("A.TIF", "A.TFW"), ("A.TIF", "A.tfw"), ("A.Tif", "A.TIFW")]
)
def test_endings_in_capital_letters_are_known_too(tmp_path, make, image, world):
    path = make.geotiff(tmp_path / image, bare=True)
    beside(tmp_path, world, WORLD)
    beside(tmp_path, f"{image[0]}.PRJ", ESRI)
    with open_scene(path) as scene:
        assert world in scene.warnings[0]
        assert "not read" in scene.warnings[0]
    with open_scene(path, trust_sidecars=True) as scene:
        assert (scene.georeference.transform, scene.crs) == (PLACE, make.UTM33)


def test_with_trusted_sidecars_the_warning_does_not_suggest_the_option(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif")
    beside(tmp_path, "a.tif.aux.xml", "<PAMDataset/>")
    with open_scene(path, trust_sidecars=True) as scene:
        assert scene.warnings == ("a.tif.aux.xml beside the image: not read",)


def test_an_aux_xml_is_preferred_to_the_images_tags(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", transform=Affine(9, 0, 0, 0, -9, 0))
    beside(tmp_path, "a.tif.aux.xml", aux())
    with open_scene(path, trust_sidecars=True) as scene:
        assert scene.georeference.transform == PLACE
        assert scene.crs == make.UTM33


def test_a_world_file_does_not_move_a_georeferenced_image(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif")
    beside(tmp_path, "a.tfw", "9\n0\n0\n-9\n0\n0\n")
    with open_scene(path, trust_sidecars=True) as scene:
        assert scene.georeference.transform == PLACE


def test_an_outer_mask_hides_what_it_hides(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif")
    shown = np.full((1, 30, 40), 255, np.uint8)
    shown[:, :, :15] = 0
    with rasterio.open(
        tmp_path / "a.tif.msk", "w", driver="GTiff", height=30, width=40, count=1, dtype="uint8"
    ) as file:
        file.write(shown)
    with open_scene(path, trust_sidecars=True) as scene:
        view = scene.view()
        assert np.ma.getmaskarray(scene.read())[:, :, :15].all()
    assert not view.valid[:, :15].any()
    assert view.valid[:, 15:].all()


def test_an_outer_overview_is_read_for_a_small_view_and_no_other(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=1, height=64, width=64)
    with rasterio.open(
        tmp_path / "a.tif.ovr", "w", driver="GTiff", height=32, width=32, count=1, dtype="uint8"
    ) as file:
        file.write(np.full((1, 32, 32), 77, np.uint8))
    with open_scene(path, trust_sidecars=True) as scene:
        assert (scene.view(max_size=16).rgb == 77).all()
        assert not (scene.view().rgb == 77).all()


def test_overviews_that_gdal_wrote_beside_an_image_show_the_same_picture(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", height=64, width=64)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], Resampling.average)
    assert (tmp_path / "a.tif.ovr").exists()
    with open_scene(path) as without, open_scene(path, trust_sidecars=True) as trusted:
        a, b = (scene.view(max_size=16).rgb.astype(int) for scene in (without, trusted))
    assert np.abs(a - b).max() <= 2


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.tfw", "1\n0\n0\n-1\n0\n", "six finite numbers"),
        ("a.tfw", "1\n0\n0\nnan\n0\n0\n", "finite"),
        ("a.tfw", "0\n0\n0\n0\n0\n0\n", "degenerate"),
        ("a.tfw", "hello", "six numbers"),
        ("a.prj", "EPSG:4326", "WKT"),
        ("a.prj", "https://example.org/4326", "WKT"),
        ("a.prj", 'PROJCS["x"]', "does not understand"),
        ("a.tif.aux.xml", "<PAMDataset><SRS>", "not XML"),
        ("a.tif.aux.xml", '<!DOCTYPE x [<!ENTITY a "b">]><PAMDataset/>', "document type"),
        ("a.tif.aux.xml", aux(transform="1, 2"), "six"),
        ("a.tif.msk", "<VRTDataset/>", "is not a GeoTIFF"),
        ("a.tif.ovr", "<VRTDataset/>", "is not a GeoTIFF"),
    ],
)
def test_a_sidecar_with_wrong_content_is_refused_with_its_name(tmp_path, make, name, text, why):
    path = bare(tmp_path, make)
    beside(tmp_path, name, text)
    error = refused(path)
    assert error.code == "image_unreadable"
    assert why in error.what
    assert name in error.what
    open_scene(path).close()  # untrusted, it does not matter


def test_a_long_text_beside_an_image_is_refused(tmp_path, make):
    path = bare(tmp_path, make)
    beside(tmp_path, "a.prj", " " * (2**20 + 1))
    assert refused(path).code == "limit_exceeded"


@pytest.mark.parametrize("name", ["a.tfw", "a.prj", "a.tif.msk", "a.tif.aux.xml"])
def test_a_link_beside_an_image_is_not_followed(tmp_path, make, name):
    folder = tmp_path / "in"
    folder.mkdir()
    path = bare(folder, make)
    beside(tmp_path, "outside", WORLD)
    (folder / name).symlink_to(tmp_path / "outside")
    assert refused(path).code == "image_unreadable"


def test_a_mask_or_overview_of_another_size_is_refused(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif")
    make.geotiff(tmp_path / "a.tif.msk", bands=1, width=41)
    assert "does not match" in refused(path).what
    (tmp_path / "a.tif.msk").unlink()
    make.geotiff(tmp_path / "a.tif.ovr", width=40)
    assert "does not match" in refused(path).what


def test_a_mask_beside_an_image_is_within_its_limits(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", tiled=True, blockxsize=16, blockysize=16)
    make.geotiff(tmp_path / "a.tif.msk", bands=1, tiled=True, blockxsize=64, blockysize=64)
    assert refused(path, limits=Limits(block_bytes=1000)).code == "limit_exceeded"


def test_a_virtual_raster_is_never_opened_as_a_sidecar(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=1)
    make.flat(tmp_path / "secret.tif", 201)
    (tmp_path / "a.tif.ovr").write_text(make.vrt(str(tmp_path / "secret.tif"), 15, 20), encoding="utf-8")
    assert refused(path).code == "image_unreadable"
