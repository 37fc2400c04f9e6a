"""Pixels, world and lon/lat: numbers worked by hand, and the way back."""

import os
import subprocess
import sys

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene
from t2s_agent.scene.georeference import Georeference, georeference_of

UTM33 = CRS.from_epsg(32633)
pixel = st.floats(-1000, 5000)


def test_utm_on_its_central_meridian_worked_by_hand():
    place = Georeference(UTM33, Affine(10, 0, 500_000, 0, -10, 0))
    assert place.to_world(1.5, 2) == ([500_015], [-20])
    lon, lat = place.to_lonlat(0, 0)
    assert (lon[0], lat[0]) == (pytest.approx(15), pytest.approx(0, abs=1e-9))


@given(x=pixel, y=pixel, turn=st.floats(0, 360), scale=st.floats(0.1, 50))
def test_converting_to_degrees_and_back_is_the_identity(x, y, turn, scale):
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


MERCATOR_M = 20_037_508.342789244  # half the width of the world in EPSG:3857


@pytest.mark.parametrize(
    ("crs", "transform", "size", "expected"),
    [
        (4326, Affine(1, 0, -180, 0, -1, 90), (360, 180), (-180, -90, 180, 90)),
        (4326, Affine(1, 0, 0, 0, -1, 90), (360, 180), (-180, -90, 180, 90)),
        (
            4326,
            Affine(0.25, 0, -0.125, 0, -0.25, 90.125),
            (1440, 721),
            (-180, -90, 180, 90),
        ),  # rows centred on the poles
        (4326, Affine(0.05, 0, 170, 0, -0.05, 10), (400, 100), (170, 5, -170, 10)),
        (
            3857,
            Affine(MERCATOR_M / 256, 0, -MERCATOR_M, 0, -MERCATOR_M / 256, MERCATOR_M),
            (512, 512),
            (-180, -85.051129, 180, 85.051129),
        ),
        (3031, Affine(1000, 0, -256_000, 0, -1000, 256_000), (512, 512), (-180, -90, 180, -86.668820)),
        (3031, Affine(1000, 0, 0, 0, -1000, 256_000), (256, 256), (0, -90, 90, -86.668820)),  # a corner at the pole
        (3413, Affine(1000, 0, -256_000, 0, -1000, 306_000), (512, 512), (-180, 86.318270, 180, 90)),
    ],
)
def test_bounds_go_around_the_earth_and_up_to_the_poles_where_the_picture_does(crs, transform, size, expected):
    place = georeference_of(CRS.from_epsg(crs), transform, (), *size)
    assert place.bounds_lonlat(*size) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("crs", [3031, 3413, 6932, 6931])
def test_a_pixel_at_the_pole_is_as_large_as_its_neighbours(crs):
    place = georeference_of(CRS.from_epsg(crs), Affine(1000, 0, -5000, 0, -1000, 5000), (), 10, 10)
    at_the_pole, beside = place.gsd_m(5, 5), place.gsd_m(5.5, 7.25)
    assert at_the_pole == pytest.approx(beside, rel=1e-4)
    assert at_the_pole == pytest.approx(1000, rel=0.04)  # 3031 and 3413 are true at 71 and 70 degrees


@pytest.mark.parametrize(
    ("crs", "transform", "why"),
    [
        ("EPSG:4978", Affine(1, 0, 600_000, 0, -1, 5_000_000), "geocentric"),
        ("EPSG:4326", Affine(1, 0, 600_000, 0, -1, 5_000_000), "transform is not"),
        ("EPSG:4326", Affine(1, 0, 0, 0, 0, 0), "degenerate"),
        ('LOCAL_CS["site",UNIT["metre",1]]', Affine(1, 0, 0, 0, -1, 0), "local"),
        ("EPSG:5773", Affine(1, 0, 0, 0, -1, 0), "local"),  # heights only
        ("IAU_2015:49910", Affine(1, 0, 0, 0, -1, 0), "not on Earth"),  # Mars
        ("IAU_2015:30100", Affine(0.01, 0, 0, 0, -0.01, 0), "not on Earth"),  # the Moon
        ("+proj=geos +h=35785831", Affine(10, 0, 9e6, 0, -10, 9e6), "no pixel"),
    ],
)
def test_without_a_position_on_earth_there_is_a_reason_and_no_degrees(crs, transform, why):
    place = georeference_of(CRS.from_user_input(crs), transform, (), 50, 40)
    assert why in place.unlocated_because
    assert (place.gsd_m(1, 1), place.typical_gsd_m(50, 40), place.bounds_lonlat(50, 40)) == (None, None, None)
    with pytest.raises(T2SError) as caught:
        place.to_lonlat(0, 0)
    assert caught.value.code == "no_georeference"


@pytest.mark.parametrize("crs", ["EPSG:4326+5773", "EPSG:25832+7837", "EPSG:4807"])
def test_compound_systems_and_grads_have_a_place(crs):
    transform = Affine(0.001, 0, 2, 0, -0.001, 54) if "4" in crs[5:6] else Affine(1, 0, 500_000, 0, -1, 5e6)
    place = georeference_of(CRS.from_user_input(crs), transform, (), 50, 40)
    back = place.from_lonlat(*place.to_lonlat(20, 30))
    assert np.allclose(np.ravel(back), [20, 30], atol=1e-3)


def test_pixels_beyond_the_limb_are_off_the_earth_and_others_are_not():
    place = georeference_of(
        CRS.from_user_input("+proj=geos +h=35785831"), Affine(1e5, 0, -6e6, 0, -1e5, 6e6), (), 120, 120
    )
    beside = place.off_earth(120, 120)
    assert beside[0, 0]
    assert not beside[60, 60]
    disc = np.pi * (5_433_000 / 1e5) ** 2  # the Earth's rim as seen from there
    assert (~beside).sum() == pytest.approx(disc, rel=0.05)
    assert place.typical_gsd_m(30, 30) is not None  # its middle is beside the Earth, a corner is not
    assert georeference_of(UTM33, Affine(10, 0, 500_000, 0, -10, 0), (), 50, 40).off_earth(50, 40) is None


@pytest.mark.parametrize(("left", "lon", "expected"), [(0, -10, 350), (0, 0.5, 0.5), (-180, 179, 359), (170, -175, 15)])
def test_of_equivalent_longitudes_the_one_in_the_picture_is_used(left, lon, expected):
    width = 360 if left != 170 else 20
    place = georeference_of(CRS.from_epsg(4326), Affine(1, 0, left, 0, -1, 90), (), width, 180)
    assert place.from_lonlat(lon, 0)[0][0] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["PROJ_DATA", "PROJ_LIB", "GDAL_DATA"])
def test_data_of_another_installation_named_in_the_environment_are_not_used(name, tmp_path):
    (tmp_path / "proj.db").touch()
    code = (
        "import t2s_agent.scene, rasterio, threading\n"
        "from rasterio.crs import CRS\n"
        "with rasterio.Env():\n"
        "    print(CRS.from_epsg(3857).to_epsg(), t2s_agent.scene.Georeference(CRS.from_epsg(3857), rasterio.Affine.identity()).located)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {name: str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3857", "True"]


def control_points(
    lon: float, *, rows=(0, 64, 128), columns=(0, 64, 128, 192, 256), step=1e-4
) -> list[GroundControlPoint]:
    """Points of a picture of 256 x 128 px whose upper left corner lies at `lon`, 16 degrees south."""

    def wrapped(x):
        return (x + 180) % 360 - 180

    return [GroundControlPoint(r, c, wrapped(lon + c * step), -16 - r * step) for r in rows for c in columns]


def test_control_points_on_both_sides_of_180_degrees_are_continuous():
    # rio-tiler and rasterio#2892: a curve through 179.99 and -179.99 runs once around the Earth
    across = georeference_of(CRS.from_epsg(4326), None, control_points(179.99), 256, 128)
    beside = georeference_of(CRS.from_epsg(4326), None, control_points(178), 256, 128)
    assert across.gsd_m(128, 64) == pytest.approx(beside.gsd_m(128, 64), rel=1e-6)
    assert across.bounds_lonlat(256, 128) == pytest.approx((179.99, -16.0128, -179.9844, -16))
    x, y = across.from_lonlat(-179.99, -16.0064)
    assert (x[0], y[0]) == pytest.approx((200, 64), abs=1e-3)
    assert across.gcp_residuals_px()[1] < 1e-3


def test_control_points_around_the_whole_earth_stay_where_they_are():
    points = control_points(-180, columns=(0, 100, 200, 256), step=1.4)
    assert georeference_of(CRS.from_epsg(4326), None, points, 256, 10).gcps == tuple(points)


@pytest.mark.parametrize("count", [1, 4, 12])
def test_control_points_on_one_line_give_no_georeference_and_a_reason(count):
    points = [GroundControlPoint(10 * i, 20 * i, 600_000 + 10 * i, 5_000_000 - 5 * i) for i in range(count)]
    place = georeference_of(UTM33, None, points, 256, 128)
    assert not place.located
    assert "control points do not say where" in place.unlocated_because
    with pytest.raises(T2SError) as caught:
        place.to_world(0, 0)
    assert caught.value.code == "no_georeference"


def test_residuals_of_control_points_are_in_pixels():
    points = control_points(10)
    points[7] = GroundControlPoint(64, 128, points[7].x + 10 * 1e-4, points[7].y)  # one of fifteen, 10 px off
    usual, worst = georeference_of(CRS.from_epsg(4326), None, points, 256, 128).gcp_residuals_px()
    assert 1 < usual < 10 / np.sqrt(15)  # a curve goes some way to meet it
    assert worst > 5


@pytest.mark.parametrize(
    ("definition", "unrelated"),
    [
        ("+proj=tmerc +lon_0=9 +x_0=3500000 +ellps=bessel", True),  # 140 m beside EPSG:31467 in the south of Germany
        ("+proj=tmerc +lon_0=9 +x_0=3500000 +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7", False),
        ("EPSG:31467", False),
        ("EPSG:28992", False),
        ("+proj=utm +zone=33 +ellps=GRS80", False),
        ("+proj=sinu +R=6371007.181", False),  # MODIS: latitudes on its sphere are those on the ellipsoid
        ("EPSG:32633", False),
    ],
)
def test_a_datum_without_a_transformation_to_wgs84_is_named(definition, unrelated):
    place = georeference_of(CRS.from_user_input(definition), Affine(1, 0, 500_000, 0, -1, 5_500_000), (), 64, 64)
    assert bool(place.unrelated_datum(64, 64)) == unrelated


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ("EPSG:32633", "EPSG:32633"),
        ("EPSG:31467", "EPSG:31467"),
        ("ESRI:54009", "ESRI:54009"),
        ("+proj=utm +zone=31 +datum=WGS84", "EPSG:32631"),
        ("+proj=utm +zone=31 +ellps=intl", "PROJCS"),  # rasterio says EPSG:23031, which is ED50
        ("+proj=tmerc +lon_0=9 +x_0=3500000 +ellps=bessel", "PROJCS"),  # EPSG:5683
    ],
)
def test_a_crs_never_has_the_code_of_another_datum(definition, name):
    # rasterio#2293
    assert Georeference(CRS.from_user_input(definition)).crs_name.startswith(name)


@pytest.mark.parametrize(("code", "said"), [(32631, True), (3857, True), (2263, True), (4326, False)])
def test_a_transform_in_degrees_with_a_crs_in_metres_gives_a_warning(tmp_path, make, code, said):
    """One of 0.01 degrees: read as metres it gives pixels of a centimetre, which nobody would doubt."""
    degrees, metres = Affine(0.01, 0, 3, 0, -0.01, 45), Affine(0.01, 0, 500_000, 0, -0.01, 4_000_000)
    for name, transform, expected in (("a.tif", degrees, said), ("b.tif", metres, False)):
        path = make.geotiff(tmp_path / name, crs=CRS.from_epsg(code), transform=transform)
        with open_scene(path) as scene:
            assert any("looks like degrees" in line for line in scene.warnings) == expected
            assert all(len(line) < 200 for line in scene.warnings)
