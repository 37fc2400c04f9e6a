"""EarthReason: every question is a sample, ids keep their dots, and what does not belong together is named."""

import json

import numpy as np
import pytest
from earthreason.data import FIELD, HEIGHT, SAID, WIDTH, label, write
from PIL import Image

from evals.datasets import BrokenDataset, BrokenSample, Reading, open_dataset


@pytest.mark.parametrize("bands", [1, 3])
def test_all_questions_are_samples_in_the_order_of_ids_and_files(tmp_path, bands):
    dataset = open_dataset("earthreason", write(tmp_path, bands=bands), "test")
    found = [
        (s.id, s.image_id, s.question, s.metadata["question_index"], int(s.read_truth().mask.sum()))
        for s in dataset.samples()
    ]
    x1, y1, x2, y2 = FIELD
    area = (x2 - x1) * (y2 - y1)
    assert found == [
        ("a.10#0", "a.10", SAID["a.10"]["questions"][0], 0, area),
        ("a.10#1", "a.10", SAID["a.10"]["questions"][1], 1, area),
        ("b.2#0", "b.2", SAID["b.2"]["questions"][0], 0, 0),
    ]
    assert [s.metadata["question_kind"] for s in dataset.samples()] == ["reasoning", "reasoning", "empty"]
    assert next(dataset.samples()).read_image().shape == (HEIGHT, WIDTH, 3)
    assert (next(dataset.samples()).read_truth().mask == (label("a.10") > 0)).all()


@pytest.mark.parametrize("inner", ["RSReasonSeg", "rs_reason_seg/RSReasonSeg"])
def test_segearths_tree_is_found(tmp_path, inner):
    write(tmp_path / inner, "val")
    assert len(open_dataset("earthreason", tmp_path, "val")) == 3


def damage(root, how):
    folder = root / "test"
    if how == "no label":
        (folder / "labels" / "a.10.png").unlink()
    if how == "no questions":
        (folder / "QAs" / "a.10.json").unlink()
    if how == "no image":
        (folder / "images" / "a.10.jpg").unlink()
    if how == "two images":
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "images" / "a.10.png")
    if how == "questions not JSON":
        (folder / "QAs" / "a.10.json").write_text("{")
    if how == "no question in it":
        (folder / "QAs" / "a.10.json").write_text(json.dumps({"questions": [], "answer": ["x"]}))
    if how == "text for answers":
        (folder / "QAs" / "a.10.json").write_text(json.dumps({"questions": ["x"], "answer": "none"}))


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("no label", "missing"),
        ("no questions", "missing"),
        ("no image", "missing"),
        ("two images", "doubled"),
        ("questions not JSON", "broken"),
        ("no question in it", "broken"),
        ("text for answers", "broken"),
    ],
)
def test_what_is_missing_broken_or_doubled_is_named(tmp_path, how, kind):
    damage(write(tmp_path), how)
    with pytest.raises(BrokenDataset, match=rf"{kind}: .*a\.10") as error:
        open_dataset("earthreason", tmp_path, "test")
    assert len(error.value.problems) == 1
    left = open_dataset("earthreason", tmp_path, "test", on_broken="skip")
    assert [s.id for s in left.samples()] == ["b.2#0"]


def test_a_label_of_another_size_and_one_that_contradicts_its_answer_break_when_read(tmp_path):
    write(tmp_path)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "test" / "labels" / "a.10.png")
    Image.fromarray(np.ones((HEIGHT, WIDTH), np.uint8)).save(tmp_path / "test" / "labels" / "b.2.png")
    dataset = open_dataset("earthreason", tmp_path, "test")
    with pytest.raises(BrokenSample, match="5 x 5"):
        next(iter(Reading(dataset)))
    reading = Reading(dataset, on_broken="skip")
    assert not list(reading)
    assert reading.summary() == "0 of 3 samples; 3 problems"
    assert "no target" in reading.problems[2].what


def test_a_picture_that_was_cut_off_breaks_when_read(tmp_path):
    image = write(tmp_path) / "test" / "images" / "b.2.jpg"
    image.write_bytes(image.read_bytes()[:-200])
    reading = Reading(open_dataset("earthreason", tmp_path, "test"), on_broken="skip")
    assert [found.sample.id for found in reading] == ["a.10#0", "a.10#1"]
    assert "b.2.jpg" in reading.problems[0].where
