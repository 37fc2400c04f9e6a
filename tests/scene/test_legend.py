"""What the bands of a scene mean, by their sensor or by their own names."""

from t2s_agent.scene import open_scene
from t2s_agent.scene.legend import Sensing


def test_a_recognised_sensor_gives_common_names_colours_and_a_remark(tmp_path, sensors):
    with open_scene(
        sensors.micasense(tmp_path / "field.tif", names=False), sensing=Sensing("micasense-rededge")
    ) as scene:
        assert [band.common for band in scene.bands] == ["blue", "green", "red", "rededge", "nir"]
        assert scene.view().bands == (3, 2, 1)
        assert scene.legend.colours.nir == 5
        read_as, order = scene.remarks()
        assert read_as == "read as MicaSense RedEdge (3, M, MX), by the caller"
        assert "bands without names are read in order of wavelength" in order


def test_an_order_that_is_not_certain_is_said_only_where_it_is_used(tmp_path, sensors):
    with open_scene(sensors.micasense(tmp_path / "a.tif"), sensing=Sensing("micasense-rededge")) as scene:
        assert scene.legend.colours.nir == 5
        assert scene.remarks() == ("read as MicaSense RedEdge (3, M, MX), by the caller",)


def test_what_is_not_confirmed_of_a_sensor_is_said(tmp_path, sensors):
    table = tmp_path / "own.toml"
    table.write_text(
        '[[sensor]]\nid = "mine"\ntitle = "Mine"\nsource = "a note"\nunconfirmed = "the scale, from memory"\nscale = 0.5\n'
        'orders = [["red", "nir"]]\nbands = [{ name = "red" }, { name = "nir" }]\n',
        encoding="utf-8",
    )
    path = sensors.write(tmp_path / "a.tif", [sensors.halves(1, 2, "uint16")] * 2)
    with open_scene(path, sensing=Sensing("mine", table)) as scene:
        assert scene.remarks() == ("read as Mine, by the caller", "not confirmed for Mine: the scale, from memory")


def test_landsat_8_has_its_narrow_near_infrared_band_as_near_infrared(tmp_path, sensors):
    with open_scene(sensors.landsat8(tmp_path / "LC08_L2SP_016037_20210101_20210308_02_T1.tif")) as scene:
        assert (scene.view().bands, scene.legend.colours.nir) == ((4, 3, 2), 5)
        assert scene.legend.index_of("swir22") == 7


def test_without_a_sensor_common_names_come_from_words_and_wavelengths(tmp_path, sensors):
    names = ("Red", "Green", "Blue", "NIR", "SWIR 1", "2200 nm", "Red Edge", "Sigma0_VV_db", "ndvi")
    path = sensors.write(tmp_path / "a.tif", [sensors.halves(1, 2, "uint16")] * 9, names)
    with open_scene(path) as scene:
        assert scene.legend.recognised is None
        commons = [band.common for band in scene.bands]
    assert commons == ["red", "green", "blue", "nir", "swir16", "swir22", "rededge", "VV", ""]


def test_a_catalogue_may_say_what_the_file_does_not(tmp_path, sensors):
    path = sensors.sentinel2(tmp_path / "a.tif", names=())
    said = Sensing(
        names=("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22"),
        tags=(("s2:product_type", "S2MSI2A"), ("s2:processing_baseline", "05.09")),
    )
    with open_scene(path, sensing=said) as scene:
        assert scene.legend.sensor_words == "Sentinel-2 Level-2A, by the tag s2:product_type"
        assert scene.view(bands="B8,B4,B3").bands == (7, 3, 2)
        assert scene.bands[0].offset == -0.1
    with open_scene(path) as scene:
        assert scene.legend.recognised is None
