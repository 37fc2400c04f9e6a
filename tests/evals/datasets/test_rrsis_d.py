"""RRSIS-D: every sentence is a sample, pickles are read without running anything, and what does not fit is named."""

import datetime
import pickle

import numpy as np
import pytest
from rrsis_d.data import BOXES, HEIGHT, WIDTH, listing, refs, sentence, write

from evals.datasets import BrokenDataset, BrokenSample, Reading, open_dataset
from evals.datasets.pickles import plain


def test_every_sentence_of_the_split_is_a_sample(tmp_path):
    dataset = open_dataset("rrsis_d", write(tmp_path), "test")
    found = [(s.id, s.question, s.metadata["category"], s.metadata["question_index"]) for s in dataset.samples()]
    assert found == [
        ("1/1", "The ship on the left", "ship", 0),
        ("1/2", "A ship", "ship", 1),
        ("2/3", "The bridge on the right", "ship", 0),
    ]
    assert len(dataset) == 3
    assert dataset.images == 1


def test_masks_are_read_from_run_lengths_in_a_list_and_bare(tmp_path):
    by_id = {s.id: s.read_truth() for s in open_dataset("rrsis_d", write(tmp_path), "test").samples()}
    for id_, annotation in (("1/1", 11), ("2/3", 12)):
        x1, y1, x2, y2 = BOXES[annotation]
        expected = np.zeros((HEIGHT, WIDTH), bool)
        expected[y1:y2, x1:x2] = True
        assert (by_id[id_].mask == expected).all()
        assert [mask.bounds for mask in by_id[id_].instances] == [BOXES[annotation]]


def test_cleaned_sentences_are_asked_where_wanted(tmp_path):
    texts = [s.question for s in open_dataset("rrsis_d", write(tmp_path), "test", text="sent").samples()]
    assert texts[0] == "the ship on the left"


def test_a_pickle_that_names_a_class_is_refused_by_its_name(tmp_path):
    write(tmp_path, rows=[refs()[0] | {"when": datetime.date(2026, 1, 1)}])
    with pytest.raises(BrokenSample, match=r"datetime\.date.*refused"):
        open_dataset("rrsis_d", tmp_path, "test")


@pytest.mark.parametrize("data", [b"", b"\x80", b"no pickle", pickle.dumps([1, 2])[:-3], b"(lp0\nS'\\xff'\n", b"]"])
def test_what_is_no_pickle_raises_its_own_error(tmp_path, data):
    (tmp_path / "refs").write_bytes(data)
    with pytest.raises(BrokenSample, match="cannot be unpickled"):
        plain(tmp_path / "refs")


def test_a_missing_pickle_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "rrsisd" / "refs(unc).p").unlink()
    with pytest.raises(BrokenSample, match=r"refs\(unc\)\.p: no such file"):
        open_dataset("rrsis_d", tmp_path, "test")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda row: row | {"ref_id": 2}, "doubled"),
        (lambda row: row | {"ann_id": 99}, "broken"),
        (lambda row: row | {"image_id": 99}, "broken"),
        (lambda row: row | {"sentences": []}, "broken"),
        (lambda row: row | {"sentences": [sentence(3, "again"), sentence(1, "x"), sentence(2, "y")]}, "doubled"),
        (lambda row: row | {"sentences": [{"sent_id": 1}, sentence(2, "y")]}, "broken"),
    ],
)
def test_refs_that_do_not_fit_are_named(tmp_path, change, kind):
    first, second, other = refs()
    write(tmp_path, rows=[first, change(second), other])
    with pytest.raises(BrokenDataset, match=r"refs\(unc\)\.p ref ") as error:
        open_dataset("rrsis_d", tmp_path, "test")
    assert [problem.kind for problem in error.value.problems] == [kind]


def test_run_lengths_for_another_image_break_when_read(tmp_path):
    lists = listing()
    lists["annotations"][0]["segmentation"][0]["size"] = [WIDTH, HEIGHT]
    reading = Reading(open_dataset("rrsis_d", write(tmp_path, lists=lists), "test"), on_broken="skip")
    assert [found.sample.id for found in reading] == ["2/3"]
    assert reading.summary() == "1 of 3 samples; 2 problems"
