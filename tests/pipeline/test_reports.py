"""Public bug reports of this field, rebuilt as small inputs and taken through the whole pipeline: what is right stays right.

Each test names the report. The inputs are our own.
"""

import json

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from shapely.geometry import shape

from t2s_agent.pipeline import Engine, segment
from t2s_agent.regions.raster import write_mask
from t2s_agent.scene import Window
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View
from t2s_agent.settings import load_settings

UTM31 = CRS.from_epsg(32631)
GRID = Affine(0.5, 0, 600_000, 0, -0.5, 5_750_000)


def said(boxes):
    body = json.dumps([{"bbox_2d": list(box)} for box in boxes])
    return f"<think>As I see it.</think><answer>```json{body}```</answer>"


@pytest.fixture
def answer(tmp_path):
    """Segments an image with the given boxes, in pixels of the view."""

    def segmented(image, boxes, **options):
        script = [{"question": "*", "raw": said(boxes)}]
        (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
        settings = load_settings(
            store=tmp_path / "store", prompter=f"scripted:{tmp_path / 'script.json'}", segmenter="box"
        )
        engine = Engine.open(settings)
        result = segment(engine, image, "tanks", **options)
        return result, engine.store.artifact(result.id, "regions.geojson").parent

    return segmented


def picture(path, transform, crs=UTM31, height=128, width=256, gcps=()):
    values = np.random.default_rng(0).integers(60, 190, (3, height, width)).astype("uint8")
    place = {"crs": crs, "transform": transform} if transform else {}
    with rasterio.open(path, "w", driver="GTiff", count=3, height=height, width=width, dtype="uint8", **place) as file:
        file.write(values)
        if gcps:
            file.gcps = (list(gcps), crs)
    return path


def in_degrees(transform, x, y):
    return pyproj.Transformer.from_crs(32631, 4326, always_xy=True).transform(*(transform @ (x, y)))


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.5, 0, 600_000, 0, 0.5, 5_750_000),  # south up: rasterio#1661, qgis-samgeo-plugin#26
        Affine(-0.5, 0, 600_000, 0, -0.5, 5_750_000),
        Affine.translation(600_000, 5_750_000)
        @ Affine.rotation(30)
        @ Affine.scale(0.5, -0.5),  # rio-tiler#993, rasterio#2787
    ],
)
def test_mask_outline_and_region_lie_at_one_place_however_the_image_is_turned(tmp_path, answer, transform):
    result, folder = answer(picture(tmp_path / "a.tif", transform), [(100, 50, 140, 80)])
    region = result.regions[0]
    expected = in_degrees(transform, 120, 65)
    assert region.centroid == pytest.approx(expected, abs=1e-6)
    assert region.area == pytest.approx(300, rel=0.002)
    outline = shape(json.loads((folder / "regions.geojson").read_text())["features"][0]["geometry"])
    assert outline.is_valid
    assert outline.geoms[0].exterior.is_ccw  # as RFC 7946 wants it, seen from above
    with rasterio.open(folder / "mask.tif") as mask:
        rows, columns = np.nonzero(mask.read(1))
        there = in_degrees(mask.transform, columns.mean() + 0.5, rows.mean() + 0.5)
    assert there == pytest.approx(expected, abs=1e-6)


def test_pixels_of_four_to_one_are_measured_as_they_are(tmp_path, answer):
    result, _ = answer(picture(tmp_path / "a.tif", Affine(2, 0, 600_000, 0, -0.5, 5_750_000)), [(100, 50, 140, 80)])
    assert result.regions[0].area == pytest.approx(80 * 15, rel=0.002)
    assert result.regions[0].perimeter == pytest.approx(2 * (80 + 15), rel=0.01)


def test_parts_that_touch_at_a_corner_make_a_valid_outline(tmp_path, answer):
    # rasterio#1126 and geopandas#2008: a ring that touches itself is invalid, and mending it loses area
    boxes = [(10, 10, 40, 40), (40, 40, 70, 70)]
    result, folder = answer(picture(tmp_path / "a.tif", GRID), boxes, merge="union")
    outline = shape(json.loads((folder / "regions.geojson").read_text())["features"][0]["geometry"])
    assert outline.is_valid
    assert abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(outline)[0]) == pytest.approx(450, rel=0.002)
    assert result.regions[0].area == pytest.approx(450, rel=0.002)


def test_an_object_lies_at_one_place_whatever_box_was_asked_about(tmp_path, answer):
    # rio-tiler#584: a box beside the pixels' grid gave pixels of 30.05 m in place of 30 m
    grid = Affine(30, 0, 350_205, 0, -30, 4_837_995)
    image = picture(tmp_path / "a.tif", grid, height=400, width=400)
    whole, _ = answer(image, [(200, 200, 210, 210)])
    where = {"bbox": (353_386.3, 4_830_677.4, 359_907.0, 4_836_737.0), "bbox_crs": "EPSG:32631"}
    # 353,386.3 lies 106.04 pixels from the left, 4,836,737 lies 41.93 from the top
    part, _ = answer(image, [(200 - 106, 200 - 41, 210 - 106, 210 - 41)], **where)
    assert part.scene.window[:2] == (106, 41)
    assert part.scene.view_size == part.scene.window[2:]
    assert part.regions[0].centroid == whole.regions[0].centroid
    assert part.regions[0].area == whole.regions[0].area


def test_control_points_across_180_degrees_measure_what_they_measure_elsewhere(tmp_path, answer):
    # rasterio#2892
    areas = []
    for lon in (178.0, 179.99):
        points = [
            GroundControlPoint(row, column, (lon + column * 1e-4 + 180) % 360 - 180, -16 - row * 1e-4)
            for row in (0, 64, 128)
            for column in (0, 128, 256)
        ]
        image = picture(tmp_path / f"{lon}.tif", None, CRS.from_epsg(4326), gcps=points)
        areas.append(answer(image, [(100, 50, 140, 80)])[0].regions[0].area)
    assert areas[1] == pytest.approx(areas[0], rel=1e-6)
    assert areas[0] == pytest.approx(142_127, rel=1e-3)


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:4326"])
def test_a_system_without_a_transform_gives_pixels_and_says_so(tmp_path, answer, crs):
    # rasterio#1336: 40 x 30 px were 5,900,710 km2, or 1,194 m2 in the Gulf of Guinea
    image = picture(tmp_path / "a.tif", Affine.identity(), CRS.from_user_input(crs))
    result, _ = answer(image, [(100, 50, 140, 80)])
    assert (result.regions[0].area, result.unit_area) == (1200, "px2")
    assert any("measures are in pixels" in warning for warning in result.warnings)


def test_overviews_of_a_mask_do_not_make_its_regions_larger(tmp_path):
    # overviews by mode, in which nodata has no vote, made discs of this size a quarter larger (findings/)
    y, x = np.mgrid[:1024, :1024]
    labels = np.zeros((1024, 1024), np.uint16)
    for number, (cy, cx) in enumerate((cy, cx) for cy in range(30, 1000, 27) for cx in range(30, 1000, 31)):
        labels[cy - 5 : cy + 6, cx - 5 : cx + 6][np.hypot(y[:11, :11] - 5, x[:11, :11] - 5) <= 5] = number + 1
    labels = np.tile(labels, (3, 3))  # a small mask has no overviews
    pixels = np.broadcast_to(np.zeros(3, np.uint8), (*labels.shape, 3))
    view = View(pixels, np.ones(labels.shape, bool), Georeference(), Window(0, 0, 3072, 3072), None, (1, 2, 3))
    write_mask(labels, view, tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as file:
        factors = file.overviews(1)
        assert factors[:2] == [2, 4]
        for factor in factors:
            smaller = file.read(1, out_shape=(3072 // factor, 3072 // factor))
            assert factor**2 * np.count_nonzero(smaller) == pytest.approx(np.count_nonzero(labels), rel=0.03)
