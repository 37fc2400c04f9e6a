from dataclasses import asdict

import pytest
from views.data import view_of

from t2s_agent.regions.units import METRES, PIXELS, Units


def test_an_image_on_earth_is_measured_in_metres_and_any_other_in_pixels():
    assert Units.of(view_of().georeference) == METRES
    assert Units.of(view_of(crs=None).georeference) == PIXELS
    assert (METRES.on_earth, PIXELS.on_earth) == (True, False)


def test_units_are_known_by_their_unit_of_area():
    assert Units.of_area("m2") == METRES
    assert Units.of_area("px2") == PIXELS
    with pytest.raises(KeyError):
        Units.of_area("ha")


def test_names_and_texts_are_those_that_stored_files_have():
    assert (METRES.area, METRES.length, METRES.centroid, METRES.axes) == ("m2", "m", ("lon", "lat"), ("lon", "lat"))
    assert (PIXELS.area, PIXELS.length, PIXELS.centroid, PIXELS.axes) == ("px2", "px", ("x_px", "y_px"), ("x", "y"))
    assert METRES.measured == "geodesic on the WGS 84 ellipsoid"
    assert PIXELS.measured == "pixels of the scene, which has no place on Earth"


def test_the_two_share_no_name_that_a_reader_could_take_for_the_other():
    metres, pixels = asdict(METRES), asdict(PIXELS)
    assert not [name for name in metres if metres[name] == pixels[name]]
