"""Where the regions of a result lie in its scene."""

import json

import numpy as np
import pytest

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import segment
from t2s_agent.server.page.region_index import Indexes, RegionIndex, index_of

TANKS = "Where are the storage tanks?"


def index(engine, made) -> RegionIndex:
    return index_of(made, engine.store.folder / made.id)


def test_boxes_are_those_of_the_objects_in_pixels_of_the_scene(engine, truth):
    made = segment(engine, "harbour.tif", TANKS)
    known = []
    for thing in truth.objects:
        if thing.category == "storage tank":
            (y, x), (h, w) = thing.offset, thing.mask.shape
            known.append([x, y, x + w, y + h])
    found = index(engine, made).boxes
    assert sorted(map(tuple, found.round().astype(int))) == sorted(map(tuple, known))
    assert np.abs(found - found.round()).max() < 0.01  # through longitude and latitude and back


def test_without_a_ground_boxes_are_pixels_of_the_scene_too(engine, harbour):
    from PIL import Image

    Image.new("RGB", (640, 640), "grey").save(harbour.parent / "plain-index.png")
    located, plain = segment(engine, "harbour.tif", TANKS), segment(engine, "plain-index.png", TANKS)
    assert index(engine, plain).boxes == pytest.approx(index(engine, located).boxes, abs=0.02)


def test_a_row_has_the_facts_of_the_record(engine):
    made = segment(engine, "harbour.tif", TANKS)
    row = index(engine, made).row(2)
    region = made.regions[2]
    assert (row["id"], row["label"], row["area"], row["area_pm"]) == (3, "tank", region.area, region.area_pm)
    assert row["centroid"] == pytest.approx(region.centroid)
    assert row["probability"] is None


def test_only_regions_that_a_box_meets_are_found(engine):
    found = index(engine, segment(engine, "harbour.tif", TANKS))
    x1, y1, x2, y2 = found.boxes[4]
    assert found.within(((x1 + x2) / 2, (y1 + y2) / 2, (x1 + x2) / 2, (y1 + y2) / 2)).tolist() == [4]
    assert found.within((0, 0, 640, 640)).tolist() == list(range(7))
    assert found.within((-50, -50, -10, -10)).tolist() == []


def test_regions_are_sorted_by_any_measure(engine):
    found = index(engine, segment(engine, "harbour.tif", TANKS))
    areas = [found.row(int(each))["area"] for each in found.ordered("area", down=True)]
    assert areas == sorted(areas, reverse=True)
    assert found.ids[found.ordered("probability")].tolist() == [1, 2, 3, 4, 5, 6, 7]  # not known: by id
    with pytest.raises(T2SError, match="argument_invalid"):
        found.ordered("beauty")


def test_a_result_without_regions_has_an_empty_index(engine):
    found = index(engine, segment(engine, "harbour.tif", "helicopters"))
    assert len(found) == 0
    assert found.within((0, 0, 640, 640)).size == 0
    assert found.ordered("area").size == 0


def test_an_index_is_made_once_and_again_when_the_file_changes(engine):
    import os

    made = segment(engine, "harbour.tif", TANKS)
    folder, indexes = engine.store.folder / made.id, Indexes()
    first = indexes.of(made, folder)
    assert indexes.of(made, folder) is first
    os.utime(folder / "regions.geojson", (1, 1))
    assert indexes.of(made, folder) is not first


def test_a_file_without_outlines_is_said_to_be_damaged(engine):
    made = segment(engine, "harbour.tif", TANKS)
    path = engine.store.folder / made.id / "regions.geojson"
    collection = json.loads(path.read_text())
    collection["features"][3]["geometry"] = None
    path.write_text(json.dumps(collection))
    with pytest.raises(T2SError, match="result_damaged"):
        index(engine, made)
    path.unlink()
    with pytest.raises(T2SError, match="result_damaged"):
        Indexes().of(made, path.parent)
