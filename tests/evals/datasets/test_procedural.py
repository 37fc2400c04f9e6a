"""Procedural scenes as a dataset: the truth is the scenes' own."""

import numpy as np
import pytest

from evals.datasets import open_dataset
from evals.scenes import draw
from t2s_agent.errors import T2SError


def test_the_truth_is_that_of_the_scene():
    dataset = open_dataset("procedural", None, "test", count=2, size=128)
    samples = list(dataset.samples())
    assert len(samples) == len(dataset) == 8
    scene = draw(10_000_000, size=128)
    for sample in samples[:4]:
        masks = scene.instances(sample.metadata["category"])
        expected = np.any(masks, axis=0) if masks else np.zeros((128, 128), bool)
        assert (sample.read_truth().mask == expected).all()
        assert (sample.read_image() == scene.rgb).all()
        assert sample.metadata["gsd_m"] == scene.gsd_m
        assert sample.metadata["objects"] == len(masks)


def test_each_scene_is_asked_for_something_absent_and_something_untaught():
    kinds = [s.metadata["question_kind"] for s in open_dataset("procedural", None, "test", count=1, size=128).samples()]
    assert kinds.count("untaught") == 1
    assert kinds.count("empty") >= 1


def test_splits_draw_other_scenes():
    ids = {
        split: {s.image_id for s in open_dataset("procedural", None, split, count=2, size=64).samples()}
        for split in ("train", "test", "calibration")
    }
    assert not ids["train"] & ids["test"] | ids["test"] & ids["calibration"]


@pytest.mark.parametrize("wrong", [{"count": 0}, {"size": 5}, {"split": "other"}])
def test_scenes_that_cannot_be_drawn_are_refused(wrong):
    with pytest.raises(T2SError, match="no split"):
        open_dataset("procedural", None, **({"split": "test"} | wrong))


@pytest.mark.parametrize("wrong", [{"count": "six"}, {"size": 64.5}])
def test_sizes_that_are_no_whole_numbers_are_refused(wrong):
    with pytest.raises(T2SError, match="Give whole numbers"):
        open_dataset("procedural", None, "test", **wrong)
