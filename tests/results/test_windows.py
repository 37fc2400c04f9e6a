"""The windows of a scene as areas in a file, in the coordinates of the outlines."""

import json

import geopandas
import pytest
from shapely.geometry import box, shape
from views.data import view_of

from t2s_agent.results.windows import WindowLook, write_windows

LOOKS = [
    WindowLook(0, 0, 0, 32, 40, "empty", 80, 0.5),
    WindowLook(1, 28, 0, 32, 40, "not_reached"),
]


def test_on_earth_they_are_in_degrees_and_gdal_reads_them(tmp_path):
    path = tmp_path / "windows.geojson"
    write_windows(LOOKS, view_of(), path)
    table = geopandas.read_file(path)
    assert table.crs.to_epsg() == 4326
    assert list(table["status"]) == ["empty", "not_reached"]
    metres = table.to_crs(32633).area
    assert list(metres) == pytest.approx([32 * 40 / 4] * 2, rel=1e-2)


def test_without_a_place_they_are_in_the_frame_of_the_outlines(tmp_path):
    path = tmp_path / "windows.geojson"
    write_windows(iter(LOOKS), view_of(crs=None), path)
    collection = json.loads(path.read_text(encoding="utf-8"))
    assert "frame" in collection
    assert [
        shape(each["geometry"]).equals(box(x, -40, x + 32, 0))
        for x, each in zip((0, 28), collection["features"], strict=True)
    ] == [True, True]
