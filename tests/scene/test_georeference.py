"""Pixels, world and lon/lat: numbers worked by hand, and the way back."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from t2s_agent.errors import T2SError
from t2s_agent.scene.georeference import Georeference

UTM33 = CRS.from_epsg(32633)
pixel = st.floats(-1000, 5000)


def test_utm_on_its_central_meridian_worked_by_hand():
    place = Georeference(UTM33, Affine(10, 0, 500_000, 0, -10, 0))
    assert place.to_world(1.5, 2) == ([500_015], [-20])
    lon, lat = place.to_lonlat(0, 0)
    assert (lon[0], lat[0]) == (pytest.approx(15), pytest.approx(0, abs=1e-9))


@given(x=pixel, y=pixel, turn=st.floats(0, 360), scale=st.floats(0.1, 50))
def test_there_and_back_is_the_identity(x, y, turn, scale):
    place = Georeference(
        UTM33, Affine.translation(500_000, 5_000_000) @ Affine.rotation(turn) @ Affine.scale(scale, -scale)
    )
    back = place.from_lonlat(*place.to_lonlat(x, y))
    assert np.allclose(np.ravel(back), [x, y], atol=1e-3)


@given(x=pixel, y=pixel, wx=st.integers(0, 500), wy=st.integers(0, 500), w=st.integers(10, 900), h=st.integers(10, 900))
def test_a_resized_window_puts_things_where_they_were(x, y, wx, wy, w, h):
    place = Georeference(UTM33, Affine(0.5, 0.1, 500_000, 0.2, -0.5, 5_000_000))
    view = place.resized((wx, wy, w, h), 64, 32)
    inner = ((x - wx) * 64 / w, (y - wy) * 32 / h)
    assert np.allclose(np.ravel(view.to_world(*inner)), np.ravel(place.to_world(x, y)), atol=1e-5)


@pytest.mark.parametrize(
    ("crs", "transform", "expected"),
    [
        (UTM33, Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000), 0.5),
        (UTM33, Affine.translation(500_000, 5_000_000) @ Affine.rotation(30) @ Affine.scale(2, -2), 2.0),
        (CRS.from_epsg(4326), Affine(0.001, 0, 10, 0, -0.001, 60), 78.8),  # sqrt(55.8 m x 111.4 m)
        (CRS.from_epsg(3857), Affine(1, 0, 0, 0, -1, 8_399_738), 0.5),  # at 60 degrees north Mercator doubles lengths
    ],
)
def test_the_ground_sample_distance_is_in_metres_on_the_ground(crs, transform, expected):
    assert Georeference(crs, transform).gsd_m(0, 0) == pytest.approx(expected, rel=0.005)


def test_without_a_crs_nothing_has_a_longitude():
    with pytest.raises(T2SError) as caught:
        Georeference().to_lonlat(0, 0)
    assert caught.value.code == "no_georeference"
    assert Georeference().gsd_m(0, 0) is None
