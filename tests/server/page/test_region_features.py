"""The regions of a part of a scene: outlines, or counts where there are many."""

import numpy as np
import pytest
from shapely.geometry import box, shape

from t2s_agent.pipeline import segment
from t2s_agent.server.page.region_features import features_in
from t2s_agent.server.page.region_index import index_of

TANKS = "Where are the storage tanks?"
ALL = (0, 0, 640, 640)


@pytest.fixture
def index(engine):
    made = segment(engine, "harbour.tif", TANKS)
    return index_of(made, engine.store.folder / made.id)


def test_outlines_enclose_as_many_pixels_as_the_mask_has(index, engine):
    from t2s_agent.regions.raster import read_mask

    labels = read_mask(index.regions._path.with_name("mask.tif"))
    found = features_in(index, ALL, 1.0)
    assert (found["total"], found["clustered"]) == (7, False)
    assert [feature["id"] for feature in found["features"]] == [1, 2, 3, 4, 5, 6, 7]
    for feature in found["features"]:
        outline = shape(feature["geometry"])
        assert outline.area == pytest.approx(np.count_nonzero(labels == feature["id"]), rel=1e-3)  # filled boxes
        x, y = outline.representative_point().coords[0]
        assert labels[int(y), int(x)] == feature["id"]


def test_a_feature_says_what_is_shown_beside_the_pointer(index):
    (feature,) = features_in(index, index.boxes[2].tolist(), 1.0)["features"]
    row = index.row(2)
    assert feature["properties"] == {name: row[name] for name in ("id", "label", "area", "area_pm", "unsure")}


def test_a_region_on_which_windows_do_not_agree_is_unsure(index):
    index.seams[2] = "cut"
    assert [f["id"] for f in features_in(index, ALL, 1.0)["features"] if f["properties"]["unsure"]] == [3]
    assert index.row(2)["seams"][0].startswith("an edge of a window cuts it")


def test_a_region_that_is_tiny_on_the_screen_is_its_box(index):
    for feature, bounds in zip(features_in(index, ALL, 100.0)["features"], index.boxes, strict=True):
        assert shape(feature["geometry"]).equals_exact(box(*bounds), 0.02)


def test_many_regions_are_counted_by_cell_and_none_is_lost(index):
    found = features_in(index, ALL, 1.0, most=3)
    assert found["clustered"]
    points = [f for f in found["features"] if f["geometry"]["type"] == "Point"]
    large = [f for f in found["features"] if f["geometry"]["type"] != "Point"]
    assert sum(f["properties"]["count"] for f in points) + len(large) == 7
    for point in points:
        x, y = point["geometry"]["coordinates"]
        x1, y1, x2, y2 = point["properties"]["box"]
        assert x1 <= x <= x2
        assert y1 <= y <= y2


def test_a_large_region_keeps_its_outline_among_counts(index):
    found = features_in(index, ALL, 0.01, most=3)  # each is over 64 px on such a screen
    assert found["clustered"]
    assert [f["geometry"]["type"] for f in found["features"]] == ["Polygon"] * 7


def test_where_nothing_is_there_is_nothing(index):
    assert features_in(index, (-9, -9, -8, -8), 1.0) == {
        "type": "FeatureCollection", "total": 0, "clustered": False, "features": []
    }  # fmt: skip
