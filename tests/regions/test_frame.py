"""Frames: image, mask and outlines of a result without a place on Earth lie on each other, in coordinates that are named."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.features
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from shapely.geometry import shape
from views.data import mask_of, view_of

from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.frame import EARTH, PIXELS_WKT, Frame
from t2s_agent.regions.geojson import feature_collection, regions_from
from t2s_agent.regions.raster import write_mask
from t2s_agent.scene import Window

MOON = "+proj=eqc +R=1737400 +units=m +no_defs"
PLACES = {
    "no place": (None, None),
    "the Moon": (MOON, Affine(100, 0, 50_000, 0, -100, 20_000)),
    "the Moon, south up": (MOON, Affine(100, 0, 50_000, 0, 100, 20_000)),
    "a site grid": ('LOCAL_CS["site",UNIT["metre",1]]', Affine(0.1, 0, 100, 0, -0.1, 200)),
}


def placed_view(place, **window):
    crs, transform = PLACES[place]
    view = view_of(transform=transform, crs=crs)
    return replace(view, window=Window(**window)) if window else view


@pytest.mark.parametrize("place", PLACES)
def test_outlines_lie_on_the_pixels_of_the_mask(tmp_path, place):
    view = placed_view(place)
    regions = build_regions([Mask.of(mask_of(view, 10, 10, 16, 16)), Mask.of(mask_of(view, 30, 5, 50, 9))], view)
    collection = json.loads(json.dumps(feature_collection(regions, frame=Frame.of_view(view))))
    write_mask(regions.labels, view, tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as mask:
        shapes = [(shape(feature["geometry"]), feature["properties"]["id"]) for feature in collection["features"]]
        burned = rasterio.features.rasterize(shapes, mask.shape, transform=mask.transform)
        assert (burned == mask.read(1)).all()
        named = CRS.from_wkt(collection["crs"]["properties"]["name"])
        assert mask.crs.to_dict() == named.to_dict()
        assert mask.crs.to_epsg() is None


def test_pixels_of_an_image_without_a_georeference_are_where_qgis_shows_them():
    frame = Frame.of_view(placed_view("no place"))
    (square,) = frame.to_file([shape({"type": "Polygon", "coordinates": [[(3, 2), (4, 2), (4, 3), (3, 3), (3, 2)]]})])
    assert (frame.crs, square.bounds) == (PIXELS_WKT, (3, -3, 4, -2))  # QGIS: x from 0 to width, y from -height to 0


def test_pixels_of_a_reduced_window_are_those_of_the_whole_image():
    view = placed_view("no place", x=100, y=50, width=120, height=80)  # 60 x 40 px of a View
    regions = build_regions([Mask.of(mask_of(view, 10, 10, 16, 16))], view)
    (feature,) = feature_collection(regions, frame=Frame.of_view(view))["features"]
    assert feature["bbox"] == [120, -82, 132, -70]
    assert (feature["properties"]["x_px"], feature["properties"]["y_px"]) == (126, 76)


def test_an_image_on_earth_has_degrees_and_no_frame():
    assert Frame.of_view(view_of()) == EARTH
    assert "crs" not in feature_collection(build_regions([], view_of()), frame=EARTH)


@given(place=st.sampled_from(sorted(PLACES)), x=st.integers(0, 40), y=st.integers(0, 25), side=st.integers(1, 14))
def test_outlines_come_back_from_the_file_in_pixels(place, x, y, side):
    view = placed_view(place)
    regions = build_regions([Mask.of(mask_of(view, x, y, x + side, y + side))], view)
    collection = json.loads(json.dumps(feature_collection(regions, frame=Frame.of_view(view))))
    (now,), (was,) = regions_from(collection), regions.regions
    assert now.geometry.equals(was.geometry)
    assert now.bbox == was.bbox
    assert now.centroid == was.centroid


def test_a_transform_without_a_crs_is_kept_and_no_crs_is_invented():
    view = view_of(crs=None)
    view = replace(view, georeference=replace(view.georeference, transform=Affine(2, 0, 10, 0, -2, 90)))
    frame = Frame.of_view(view)
    assert "unknown" in frame.crs
    assert frame.transform @ (0, 0) == (10, 90)
    assert np.allclose(frame.transform @ (60, 40), (130, 10))
