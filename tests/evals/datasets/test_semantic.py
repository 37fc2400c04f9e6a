"""Sets with a class for each pixel: every form of mask gives the same truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from semantic_sets.data import labels, write_folders, write_packed

from evals.datasets import BrokenDataset, open_dataset
from t2s_agent.errors import T2SError

LANDCOVER = Path("../shared/data/landcover")


def truths(dataset):
    return {
        (s.image_id.replace("t.", "t"), s.metadata["category"]): s.read_truth()
        for s in dataset.samples()
        if s.metadata["question_kind"] in ("name", "empty")
    }


@pytest.mark.parametrize("form", ["packed", "values", "three bands", "colours"])
def test_all_of_a_class_is_its_truth_and_unlabelled_pixels_are_ignored(tmp_path, form):
    if form == "packed":
        dataset = open_dataset("semantic", write_packed(tmp_path), "tiny_test")
    else:
        dataset = open_dataset("semantic", write_folders(tmp_path, form), "test")
    found = truths(dataset)
    assert (found["t0", "building"].mask == (labels(0) == 1)).all()
    assert found["t0", "building"].mask.sum() == 20
    assert (found["t0", "bare land"].mask == (labels(0) == 2)).all()
    assert not found["t1", "building"].mask.any()
    assert (found["t0", "building"].ignore == (labels(0) == 0)).all()
    assert found["t0", "building"].instances is None


def test_masks_of_one_bit_are_read_as_0_and_1(tmp_path):
    found = truths(open_dataset("semantic", write_folders(tmp_path, "one bit"), "test"))
    assert (found["t0", "building"].mask == (labels(0) == 1)).all()


def test_an_image_with_all_its_classes_is_given_for_other_uses_than_questions(tmp_path):
    first, second = open_dataset("semantic", write_packed(tmp_path), "tiny_test").labelled()  # type: ignore[attr-defined]  # a Semantic
    assert [(name, int(mask.sum())) for name, mask in first.land] == [("building", 20), ("bare land", 550)]
    assert [name for name, _ in second.land] == ["bare land"]


def test_scenes_are_the_sources(tmp_path):
    dataset = open_dataset("semantic", write_packed(tmp_path), "tiny_test")
    assert {sample.metadata["source"] for sample in dataset.samples()} == {"scene 1", "scene 2"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("size", np.zeros((3, 3), np.uint8), "3 x 3"),
        ("value", np.full((20, 30), 9, np.uint8), "no class"),
        ("bands", np.dstack([labels(0), labels(1), labels(0)]), "bands"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path, name, data, said):
    write_folders(tmp_path)
    Image.fromarray(data).save(tmp_path / "masks" / "test" / "t.0.png")
    with pytest.raises(BrokenDataset, match=said) as error:
        open_dataset("semantic", tmp_path, "test")
    assert "t.0.png" in error.value.problems[0].where
    left = open_dataset("semantic", tmp_path, "test", on_broken="skip")
    assert {sample.image_id for sample in left.samples()} == {"t.1"}


def test_a_missing_mask_is_named(tmp_path):
    write_folders(tmp_path)
    (tmp_path / "masks" / "test" / "t.1.png").unlink()
    with pytest.raises(BrokenDataset, match=r"missing: .*t\.1\.png"):
        open_dataset("semantic", tmp_path, "test")


def test_values_and_colours_are_not_mixed(tmp_path):
    write_folders(tmp_path)
    (tmp_path / "classes.json").write_text(json.dumps({"1": "building", "#ff0000": "road"}))
    with pytest.raises(T2SError, match="mixes"):
        open_dataset("semantic", tmp_path, "test")


@pytest.mark.skipif(not LANDCOVER.is_dir(), reason="needs ../shared/data/landcover")
@pytest.mark.parametrize(("name", "split"), [("landcover", "dubai_test"), ("buildings", "buildings_test")])
def test_shared_sets_are_as_many_as_their_cards_say(name, split):
    dataset = open_dataset(name, LANDCOVER, split)
    assert dataset.images == dataset.expected.images
    assert next(dataset.samples()).read_truth().mask.any()
