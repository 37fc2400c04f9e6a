"""Your own data: a table of images, questions and polygons or masks; what does not fit is named by row."""

import json
from pathlib import Path

import numpy as np
import pytest
from own_data.data import BARN, HEIGHT, NOWHERE, SHED, WIDTH, features, lonlat, rows, square, write
from PIL import Image

from evals.datasets import BrokenDataset, BrokenSample, Reading, open_dataset
from t2s_agent.errors import T2SError
from t2s_agent.scene import open_scene

GEO = Path("../shared/data/geo")


def named(name):
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"])
def test_geojson_may_name_longitude_and_latitude(tmp_path, name):
    polygons = features(BARN) | {"crs": named(name)}
    row = {"image": "sub/field.tif", "question": "it", "polygons": polygons}
    dataset = open_dataset("own", write(tmp_path, "jsonl", [row]), "all")
    assert next(dataset.samples()).read_truth().mask.sum() == 100


def filled(*boxes):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


@pytest.mark.parametrize("form", ["csv", "semicolons", "jsonl"])
def test_each_form_of_truth_gives_the_mask_that_was_drawn(tmp_path, form):
    dataset = open_dataset("own", write(tmp_path, form), "all")
    truths = [sample.read_truth() for sample in dataset.samples()]
    for truth, expected in zip(
        truths, [filled(BARN, SHED), filled(BARN), filled(SHED), filled(BARN), filled()], strict=True
    ):
        assert (truth.mask == expected).all()
    assert [mask.area for mask in truths[0].instances] == [100, 8]
    assert truths[3].instances is None
    assert truths[4].instances == ()


def test_images_are_read_as_the_product_reads_them(tmp_path):
    sample = next(open_dataset("own", write(tmp_path), "all").samples())
    with open_scene(tmp_path / "sub" / "field.tif") as scene:
        assert (sample.read_image() == scene.view().rgb).all()
    assert sample.metadata["gsd_m"] == pytest.approx(2, rel=0.001)


def test_ids_splits_and_other_columns_are_kept(tmp_path):
    samples = list(open_dataset("own", write(tmp_path), "all").samples())
    assert [sample.id for sample in samples] == ["row 1", "row 2", "row 3", "masked", "row 5"]
    assert samples[0].metadata["category"] == "building"
    assert samples[1].metadata["source"] == "visit 3"
    assert samples[3].question == 'the "barn"'
    assert samples[4].metadata["question_kind"] == "empty"
    assert [sample.id for sample in open_dataset("own", tmp_path, "val").samples()] == ["masked"]
    with pytest.raises(T2SError, match="Splits: all, and by the column `split`: val"):
        open_dataset("own", tmp_path, "test")


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"image": "none.tif"}, "missing", "no such file"),
        ({"image": "../outside.tif"}, "missing", "no such file"),
        ({"question": " "}, "broken", "no question"),
        ({"polygons": ""}, "broken", "give one of"),
        ({"mask": "mask.png"}, "broken", "give one of"),
        ({"polygons": "", "mask": "none.png"}, "missing", "no file of"),
        ({"coordinates": "metres"}, "broken", "lonlat, pixel"),
        ({"id": "masked"}, "doubled", "twice"),
        ({"polygons": "", "empty": "perhaps"}, "broken", "neither true nor false"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_that_do_not_fit_are_named(tmp_path, change, kind, said, form):
    table = rows()
    table.append(table[1] | change)
    write(tmp_path, form, table)
    with pytest.raises(BrokenDataset, match=said) as error:
        open_dataset("own", tmp_path, "all")
    assert [problem.kind for problem in error.value.problems] == [kind]
    assert len(open_dataset("own", tmp_path, "all", on_broken="skip")) == 5


@pytest.mark.parametrize(
    ("polygons", "coordinates", "said"),
    [
        (square(BARN), "lonlat", "none of its 1 polygons"),
        (square((200, 100, 300, 200)), "lonlat", "are they pixels"),
        (lonlat(BARN), "pixel", "read as pixels"),
        (lonlat(NOWHERE), "lonlat", "none of its 1 polygons"),
        ({"type": "Point", "coordinates": [1, 2]}, "pixel", "holds Point"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}, "pixel", "polygon"),
        ({"type": "Polygon", "coordinates": []}, "pixel", "without corners"),
        (features(), "pixel", "has no polygon"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": square(BARN)}]}
            | {"crs": named("urn:ogc:def:crs:EPSG::32631")},
            "pixel",
            "32631",
        ),
        (features(BARN) | {"crs": named("urn:ogc:def:crs:EPSG::32631")}, "lonlat", "32631"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": square(BARN)}]}
            | {"crs": named("urn:ogc:def:crs:OGC:1.3:CRS84")},
            "pixel",
            "CRS84",
        ),
        ("{not json", "pixel", "is not JSON"),
        ("none.geojson", "pixel", "no such file"),
    ],
)
def test_polygons_that_do_not_fit_break_when_read(tmp_path, polygons, coordinates, said):
    row = {"image": "sub/field.tif", "question": "it", "polygons": polygons, "coordinates": coordinates}
    reading = Reading(open_dataset("own", write(tmp_path, "jsonl", [row]), "all"), on_broken="skip")
    assert not list(reading)
    assert said in reading.problems[0].what


def test_degrees_on_an_image_that_lies_nowhere_are_refused(tmp_path):
    row = {"image": "plain.png", "question": "it", "polygons": lonlat(BARN)}
    sample = next(open_dataset("own", write(tmp_path, "jsonl", [row]), "all").samples())
    with pytest.raises(BrokenSample, match="lies nowhere"):
        sample.read_truth()


@pytest.mark.skipif(not GEO.is_dir(), reason="needs ../shared/data/geo")
def test_footprints_that_were_mapped_by_hand_lie_on_their_image(tmp_path):
    row = {"image": "kampala.tif", "question": "the buildings", "polygons": "kampala_buildings.geojson"}
    (tmp_path / "kampala.jsonl").write_text(json.dumps(row))
    dataset = open_dataset("own", GEO, "all", listing=str(tmp_path / "kampala.jsonl"))
    (sample,) = dataset.samples()
    truth = sample.read_truth()
    image = sample.read_image()
    assert 180 <= len(truth.instances) <= 206  # 206 are mapped, some lie where the image has no data
    assert image[truth.mask].any(-1).mean() > 0.99
    assert sample.metadata["gsd_m"] == pytest.approx(0.149, abs=0.001)


def test_an_object_smaller_than_a_pixel_is_the_pixel_that_it_lies_in(tmp_path):
    row = {"image": "plain.png", "question": "it", "polygons": square((7.1, 3.1, 7.3, 3.3)), "coordinates": "pixel"}
    truth = next(open_dataset("own", write(tmp_path, "jsonl", [row]), "all").samples()).read_truth()
    assert np.argwhere(truth.mask).tolist() == [[3, 7]]


def test_a_mask_of_another_size_breaks_when_read(tmp_path):
    write(tmp_path)
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "mask.png")
    reading = Reading(open_dataset("own", tmp_path, "val"), on_broken="skip")
    assert not list(reading)
    assert "mask.png" in reading.problems[0].where


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("samples.csv", "picture,question\na,b\n", "columns"),
        ("samples.csv", "image,question\na,b,c\n", "as many fields"),
        ("samples.csv", 'image,question\na,"b\n', "CSV"),
        ("samples.jsonl", '{"image": "a"\n', "not JSON"),
        ("samples.jsonl", "[1]\n", "no object"),
        ("samples.jsonl", "\n", "no row"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, name, text, said):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(T2SError, match=said):
        open_dataset("own", tmp_path, "all")


def test_the_table_in_the_documentation_is_read(tmp_path):
    text = Path("docs/reference/datasets.md").read_text(encoding="utf-8").split("```csv\n")[1].split("```")[0]
    write(tmp_path)
    (tmp_path / "samples.csv").write_text(text, encoding="utf-8")
    (tmp_path / "sub" / "field.tif").rename(tmp_path / "field.tif")
    (tmp_path / "mask.png").rename(tmp_path / "road.png")
    reading = Reading(open_dataset("own", tmp_path, "test"))
    assert [int(found.truth.mask.sum()) for found in reading] == [108, 45, 100, 0]


def test_two_tables_or_none_are_refused(tmp_path):
    with pytest.raises(T2SError, match="no table"):
        open_dataset("own", tmp_path, "all")
    write(tmp_path)
    (tmp_path / "samples.jsonl").write_text(json.dumps(features()))
    with pytest.raises(T2SError, match="more than one"):
        open_dataset("own", tmp_path, "all")
