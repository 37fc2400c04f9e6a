"""Indices are of reflectance: with an offset, a ratio of stored values is another number."""

import numpy as np
import pytest

from t2s_agent.pipeline.band_facts import band_facts
from t2s_agent.scene import Window, open_scene

BASELINE_5 = {"PROCESSING_BASELINE": "05.09", "PRODUCT_TYPE": "S2MSI2A"}


def rows_of(path, left=True):
    with open_scene(path) as scene:
        half = scene.width // 2
        window = Window(0 if left else half, 0, half, scene.height)
        rows = band_facts(scene, window, np.ones((scene.height, half), bool))
    return [row for row in rows if isinstance(row["band"], str)]


def means_of(path, left=True):
    return {row["band"]: row["mean"] for row in rows_of(path, left)}


def test_the_offset_of_baseline_4_is_taken_off_before_the_ratio(tmp_path, sensors):
    path = sensors.sentinel2(tmp_path / "a.tif", BASELINE_5)
    ndvi, *_ = rows_of(path)
    assert ndvi["mean"] == pytest.approx((0.45 - 0.05) / (0.45 + 0.05), abs=1e-4)  # 0.8
    stored = (5500 - 1500) / (5500 + 1500)  # what a ratio of stored values gives
    assert stored == pytest.approx(0.571, abs=1e-3)
    assert ndvi["scaling"] == (
        "surface reflectance = stored x 0.0001 - 0.1, as Sentinel-2 Level-2A is stored, "
        "-1000 by the processing baseline 05.09 in the tag PROCESSING_BASELINE"
    )


def test_all_indices_of_a_meadow_and_of_a_lake_by_hand(tmp_path, sensors):
    path = sensors.sentinel2(tmp_path / "a.tif", BASELINE_5)
    meadow, lake = means_of(path), means_of(path, left=False)
    assert meadow == pytest.approx(
        {
            "NDVI": 0.40 / 0.50,
            "NDWI": (0.08 - 0.45) / 0.53,
            "NBR": (0.45 - 0.10) / 0.55,
            "NDBI": (0.20 - 0.45) / 0.65,
            "NDSI": (0.08 - 0.20) / 0.28,
        },
        abs=1e-4,
    )
    assert lake["NDWI"] == pytest.approx((0.06 - 0.02) / 0.08, abs=1e-4)
    assert lake["NDVI"] < 0 < lake["NDWI"]


def test_the_same_ground_before_and_after_the_offset_has_the_same_indices(tmp_path, sensors):
    before = sensors.sentinel2(tmp_path / "b.tif", {"PROCESSING_BASELINE": "03.01"}, offset=0)
    after = sensors.sentinel2(tmp_path / "a.tif", BASELINE_5)
    assert means_of(before) == pytest.approx(means_of(after), abs=1e-5)


def test_with_an_unknown_baseline_each_index_is_given_for_both_rules(tmp_path, sensors):
    rows = rows_of(sensors.sentinel2(tmp_path / "stack.tif"))
    first, second = (row for row in rows if row["band"] == "NDVI")
    assert first["mean"] == pytest.approx(0.571, abs=1e-3)
    assert second["mean"] == pytest.approx(0.8, abs=1e-4)
    assert "stored x 0.0001, if that is how it was processed" in first["scaling"]
    assert "stored x 0.0001 - 0.1, if" in second["scaling"]


def test_landsat_is_scaled_with_its_own_offset(tmp_path, sensors):
    path = sensors.landsat8(tmp_path / "LC08_L2SP_016037_20210101_20210308_02_T1.tif")
    assert means_of(path)["NDVI"] == pytest.approx(0.8, abs=1e-3)
    assert means_of(path, left=False)["NDWI"] == pytest.approx(0.5, abs=1e-3)


def test_pixels_whose_sum_is_not_above_0_are_left_out(tmp_path, sensors):
    red, nir = sensors.halves(900, 1100, "uint16"), sensors.halves(950, 1300, "uint16")
    tags = BASELINE_5
    path = sensors.write(tmp_path / "a.tif", [red, red, red, nir], ("B02", "B03", "B04", "B08"), tags)
    assert means_of(path)["NDVI"] is None  # reflectances of -0.01 and -0.005
    ndvi, _ = rows_of(path)
    assert ndvi["left_out_share"] == 1
    assert "offset may have been taken off already" in ndvi["doubt"]
    assert all("left_out_share" not in row for row in rows_of(path, left=False))
    assert means_of(path, left=False)["NDVI"] == pytest.approx(0.02 / 0.04)


def test_values_without_known_scaling_give_an_index_with_that_said(tmp_path, sensors):
    ndvi, *_ = rows_of(sensors.naip(tmp_path / "m_4709963_se_14_1_20120731.tif"))
    assert ndvi["mean"] == pytest.approx((180 - 60) / 240, abs=1e-4)
    assert ndvi["scaling"].startswith("stored values of NAIP")
    assert ndvi["scaling"].endswith("right only if they are in proportion to reflectance")


def test_bands_that_are_not_known_give_no_index(tmp_path, sensors):
    path = sensors.write(tmp_path / "a.tif", [sensors.halves(1, 2, "uint16")] * 5)
    assert rows_of(path) == []


def test_the_sensors_fill_is_left_out_of_statistics_where_the_file_does_not_declare_it(tmp_path, sensors):
    pixels = [sensors.halves(0, 1500, "uint16"), *[sensors.halves(0, 5500, "uint16")] * 3]
    path = sensors.write(tmp_path / "a.tif", pixels, ("B04", "B08", "B11", "B12"), BASELINE_5)
    with open_scene(path) as scene:
        red, *_ = band_facts(scene, Window(0, 0, 20, 20), np.ones((20, 20), bool))
    assert (red["min"], red["max"]) == (pytest.approx(0.05), pytest.approx(0.05))  # not -0.1
