"""Which band holds which colour: from names in several languages, wavelengths, and the numbers of sensors."""

import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.bands import Band, choose_bands, colours_of, guess_remark, is_alpha, shown_name
from t2s_agent.scene.spectral import from_words, wavelength_in


def bands(names, interpreted=()):
    colours = [*interpreted, *["undefined"] * len(names)]
    return [Band(i, name, colours[i - 1], "uint16") for i, name in enumerate(names, 1)]


def rgb_and_nir(names, about="", interpreted=()):
    found = colours_of(bands(names, interpreted), about)
    return found.rgb, found.nir


@pytest.mark.parametrize(
    ("names", "rgb", "nir"),
    [
        # words
        ("blue green red nir", (3, 2, 1), 4),
        ("coastal_blue blue green_i green yellow red rededge nir", (6, 4, 2), 8),  # PlanetScope, 8 bands
        ("Coastal Blue|Blue|Green|Yellow|Red|Red Edge|NIR1|NIR2", (5, 3, 2), 7),  # WorldView-2
        ("Blue|Green|Red-Edge|Red|NIR", (4, 2, 1), 5),  # MicaSense
        ("deep blue|Blue|Green I|Green II|Red|vegetation red edge", (5, 4, 2), 0),
        ("NIR narrow|Near Infra Red|red|green|blue|short_wave_infrared", (3, 4, 5), 2),
        ("redBand greenBand blueBand", (1, 2, 3), 0),
        ("Band 1 (Blue)|Band 2 (Green)|Band 3 (Red)", (3, 2, 1), 0),
        ("R G B N", (1, 2, 3), 4),
        ("rouge|vert|bleu|proche infrarouge", (1, 2, 3), 4),
        ("Rot|Grün|Blau|nahes Infrarot", (1, 2, 3), 4),
        ("azul|verde|rojo|infrarrojo cercano", (3, 2, 1), 4),
        # wavelengths
        ("490 nm|560 nm|665 nm|842 nm", (3, 2, 1), 4),
        ("0.45-0.515 um|0.525-0.6 µm|0.63-0.68 micrometers", (3, 2, 1), 0),
        ("B490 B560 B665 B865", (3, 2, 1), 4),
        ("band_443 band_490 band_560 band_665", (4, 3, 2), 0),
        ("443 nm|482 nm|561 nm|655 nm|865 nm", (4, 3, 2), 5),
        # numbers of sensors
        ("B02 B03 B04", (3, 2, 1), 0),
        ("B2 B3 B4 B8", (3, 2, 1), 4),
        ("B1 B2 B3 B4 B5 B6 B7 B8 B8A B9 B11 B12", (4, 3, 2), 8),
        ("T31UFU_20200101_B04_10m T31UFU_20200101_B03_10m T31UFU_20200101_B02_10m", (1, 2, 3), 0),
        ("SR_B2 SR_B3 SR_B4 SR_B5", (3, 2, 1), 4),
        ("SR_B1 SR_B2 SR_B3 SR_B4 SR_B5 SR_B6 SR_B7", (4, 3, 2), 5),  # Landsat 8 and 9
        ("SR_B1 SR_B2 SR_B3 SR_B4 SR_B5 SR_B7", (3, 2, 1), 4),  # Landsat 4 to 7 have no SR_B6
        ("SR_B1 SR_B2 SR_B3", (3, 2, 1), 0),  # red is among these three for Landsat 4 to 7 only
        ("B0 B1 B2 B3", (3, 2, 1), 4),  # Pleiades
        ("sur_refl_b01 sur_refl_b02 sur_refl_b03 sur_refl_b04", (1, 4, 3), 2),  # MODIS
        ("Oa04 Oa06 Oa08 Oa17", (3, 2, 1), 4),
    ],
)
def test_names_of_bands_decide_which_are_shown(names, rgb, nir):
    listed = names.split("|") if "|" in names else names.split(" ")
    assert rgb_and_nir(listed) == (rgb, nir)
    assert guess_remark(bands(listed), colours_of(bands(listed))) == ""


@pytest.mark.parametrize(
    "names",
    [
        ("Band 1", "Band 2", "Band 3", "Band 4"),
        ("B1", "B2", "B3", "B4"),  # many programs write these names for any bands
        ("2018", "2019", "2020", "2021"),
        ("NIR", "Red", "Green"),
        ("red edge", "coastal", "swir", "pan"),
        ("red_1", "red_2", "x"),
    ],
)
def test_names_without_red_green_and_blue_give_a_warning_about_the_choice(names):
    found = colours_of(bands(names))
    assert found.rgb is None
    assert "choose with bands" in guess_remark(bands(names), found)


def test_plain_numbers_are_those_of_the_sensor_that_the_file_names():
    names = ("Band 1", "Band 2", "Band 3", "Band 4")
    assert rgb_and_nir(names, "LE07_L1TP_016037.tif") == ((3, 2, 1), 4)
    assert "which the file names" in colours_of(bands(names), "LE07_L1TP_016037.tif").remarks[0]
    assert rgb_and_nir(("B1", "B2", "B3", "B4", "B5"), "LC08_L1TP_016037.tif") == ((4, 3, 2), 5)


def test_numbers_with_other_meanings_for_other_sensors_give_a_warning():
    found = colours_of(bands(("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5")))
    assert found.rgb == (4, 3, 2)
    assert "read as Landsat 8 and 9; in Landsat 4 to 7 they mean other colours" in found.remarks[0]


def test_a_name_is_preferred_to_the_colour_interpretation_with_a_warning():
    interpreted = ("red", "green", "blue")
    found = colours_of(bands(("B02", "B03", "B04"), interpreted))
    assert found.rgb == (3, 2, 1)
    assert "interpreted as red and called 'B02'" in found.remarks[0]
    assert colours_of(bands(("", "", ""), interpreted)).rgb == (1, 2, 3)
    false_colour = colours_of(bands(("NIR", "Red", "Green"), interpreted))
    assert (false_colour.red, false_colour.nir) == (2, 1)


def test_a_band_with_a_spectral_name_is_no_alpha_band_and_one_named_alpha_is():
    assert not is_alpha(Band(4, "NIR", "alpha", "uint8"))
    assert not is_alpha(Band(4, "842 nm", "alpha", "uint8", wavelength_nm=842.0))
    assert is_alpha(Band(4, "Alpha", "alpha", "uint8"))
    assert is_alpha(Band(4, "", "alpha", "uint8"))


def test_wavelength_tags_of_a_file_choose_its_bands(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=5, dtype="uint16", photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        for band, um in enumerate((0.443, 0.49, 0.56, 0.665, 0.842), 1):
            file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(um))
    with open_scene(path) as scene:
        assert scene.view().bands == (4, 3, 2)
        assert (scene.legend.colours.red, scene.legend.colours.nir) == (4, 5)
        assert scene.remarks() == ()


def test_gdals_own_interpretation_as_near_infrared_counts(tmp_path, make):
    path = make.geotiff(tmp_path / "a.tif", bands=4)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.nir]
    with open_scene(path) as scene:
        assert (scene.legend.colours.red, scene.legend.colours.nir) == (1, 4)


FIVE = bands(["a", "b", "c", "d", "e"])


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("4,3,2", (4, 3, 2)),
        ("5", (5, 5, 5)),
        ((1, 5, 2), (1, 5, 2)),
        ([3], (3, 3, 3)),
        ("", (1, 2, 3)),
        (None, (1, 2, 3)),
    ],
)
def test_requested_bands_are_shown_in_their_order_and_a_single_one_in_grey(wanted, shown):
    assert choose_bands(FIVE, colours_of(FIVE), wanted) == shown


@pytest.mark.parametrize("wanted", ["1,2", "1,2,3,4", "0", "6", "1,2,6", "red", "1,,2", "1,2,3.5"])
def test_missing_bands_and_a_wrong_number_of_bands_are_refused(wanted):
    with pytest.raises(T2SError, match="of an image with bands 1 to 5") as caught:
        choose_bands(FIVE, colours_of(FIVE), wanted)
    assert caught.value.code == "bands_unknown"
    assert len(str(caught.value)) < 300


def test_by_default_known_colours_are_shown_else_the_first_bands_except_alpha():
    named = bands(["nir", "red", "green", "blue"])
    assert choose_bands(named, colours_of(named)) == (2, 3, 4)
    masked = [Band(1, "", "alpha", "uint8"), *(Band(i, "", "undefined", "uint8") for i in (2, 3, 4))]
    assert choose_bands(masked, colours_of(masked)) == (2, 3, 4)
    assert choose_bands(masked[:3], colours_of(masked[:3])) == (2, 2, 2)  # two of them: the first, grey
    assert choose_bands(masked[:1], colours_of(masked[:1])) == (1, 1, 1)  # nothing but alpha


@pytest.mark.parametrize(("scale", "offset", "scaled"), [(1, 0, False), (2, 0, True), (1, 5, True), (1, -1, True)])
def test_values_are_scaled_where_scale_or_offset_change_them(scale, offset, scaled):
    assert Band(1, "", "gray", "uint16", scale=scale, offset=offset).scaled is scaled


def test_a_colour_name_is_preferred_to_a_wavelength_and_a_wavelength_to_other_names():
    listed = [
        Band(1, "red", "undefined", "uint16", wavelength_nm=560.0),
        Band(2, "pan", "undefined", "uint16", wavelength_nm=842.0),
        Band(3, "", "undefined", "uint16", wavelength_nm=490.0),
    ]
    found = colours_of(listed)
    assert (found.red, found.green, found.blue, found.nir) == (1, 0, 3, 2)


def test_several_names_that_contradict_the_interpretation_give_one_warning():
    found = colours_of(bands(("B04", "B03", "B02"), ("blue", "green", "red")))
    assert found.rgb == (1, 2, 3)
    assert len([each for each in found.remarks if "the name is followed" in each]) == 1


def test_a_shown_name_is_quoted_printable_and_has_at_most_40_characters():
    assert shown_name(Band(1, "near\ninfrared", "gray", "uint8")) == "'near infrared'"
    assert shown_name(Band(1, "x" * 41, "gray", "uint8")) == repr("x" * 40)


@given(st.text(max_size=40))
def test_any_name_gives_one_spectral_band_or_none(name):
    assert from_words(name).name in ("", "red", "green", "blue", "nir", "other")
    wavelength_in(name)
    colours_of(bands([name, name + "1", name + "2"]))
