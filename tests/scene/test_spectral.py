"""Which part of the spectrum a wavelength is in, and how files give wavelengths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.scene.spectral import from_wavelength, wavelength_tag, wavelengths_without_unit


@pytest.mark.parametrize(
    ("tags", "nm"),
    [
        ({"CENTRAL_WAVELENGTH_UM": "0.842"}, 842),
        ({"wavelength": "665", "wavelength_units": "Nanometers"}, 665),
        ({"wavelength": "0.665", "wavelength_units": "Micrometers"}, 665),
        ({"wavelength": "0.665"}, 665),
        ({"Wavelength": "665.0 nm"}, 665),
        ({"wavelength": "x"}, None),
        ({}, None),
    ],
)
def test_wavelengths_are_read_from_the_tags_of_gdal_and_envi(tags, nm):
    assert wavelength_tag(tags) == (None if nm is None else pytest.approx(nm))


@given(st.floats(350, 2500))
def test_a_wavelength_has_one_name_and_its_order_is_not_negative(nm):
    spectral = from_wavelength(nm)
    assert (spectral.name == "other") == (
        not any(low <= nm <= high for low, high in ((450, 515), (520, 600), (620, 690), (760, 910)))
    )
    assert spectral.order >= 0


def test_consecutive_numbers_are_not_wavelengths():
    assert wavelengths_without_unit(["band_490", "band_491", "band_492"]) == [None] * 3
    assert wavelengths_without_unit(["B490", "B560", "B12"]) == [None] * 3
    assert wavelengths_without_unit(["490", "560.5", "665"]) == [490, 560.5, 665]


def test_micrometres_without_a_unit_count_only_with_red_green_and_blue_among_them():
    assert wavelengths_without_unit(["0.49", "0.56", "0.665", "0.842"]) == pytest.approx([490, 560, 665, 842])
    assert wavelengths_without_unit(["0.50", "0.75", "0.95"]) == [None] * 3  # quantiles
    assert wavelengths_without_unit(["0.49", "0.56", "0.665", "9.99"]) == [None] * 4
