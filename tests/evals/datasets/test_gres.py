"""GRES: texts with polygons; ignored parts, flags and false premises as LISA's loaders take them."""

import pytest
from gres.data import entries, write

from evals.datasets import BrokenDataset, BrokenSample, open_dataset

FIRST, SECOND = sorted(entries())


@pytest.mark.parametrize("layout", ["gres_", "gres-", ""])
def test_texts_are_samples_and_polygons_their_truth(tmp_path, layout):
    dataset = open_dataset("gres", write(tmp_path, layout=layout), "test")
    samples = {s.id: s for s in dataset.samples()}
    assert list(samples) == [f"{FIRST}#0", f"{FIRST}#1", f"{SECOND}#0", f"{SECOND}#1"]
    truth = samples[f"{FIRST}#0"].read_truth()
    assert truth.ignore.sum() == 4
    assert truth.mask.sum() == 9 * 7 - 4
    assert truth.mask[4:11, 4:13].sum() == truth.mask.sum()
    assert samples[f"{SECOND}#0"].read_truth().mask.sum() == 9 * 7
    absent = samples[f"{SECOND}#1"]
    assert absent.question == "Find the submarine."
    assert absent.metadata["question_kind"] == "empty"
    assert not absent.read_truth().mask.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "one text"}, "no list of texts"),
        ({"text": []}, "asks nothing"),
        ({"shapes": None}, "shapes"),
        ({"false_premise_QA": ["x"]}, "false_premise_QA"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, change, said):
    texts = entries()
    texts[FIRST] |= change
    write(tmp_path, said=texts)
    with pytest.raises(BrokenDataset, match=rf"{FIRST}\.json: .*{said}"):
        open_dataset("gres", tmp_path, "test")


def test_missing_images_and_texts_are_named(tmp_path):
    write(tmp_path)
    (tmp_path / "gres_images" / "test" / f"{FIRST}.jpg").unlink()
    (tmp_path / "gres_annotations" / "test" / f"{SECOND}.json").unlink()
    dataset = open_dataset("gres", tmp_path, "test", on_broken="skip")
    assert sorted(problem.where.rsplit("/", 1)[1] for problem in dataset.problems) == [f"{FIRST}.jpg", f"{SECOND}.json"]
    assert len(dataset) == 0


@pytest.mark.parametrize(
    "points", [[[0, 0], [1, 1]], [[0, 0], [1, 1], [1e9, 0]], "none", [[0, 0], [1, float("nan")], [2, 2]]]
)
def test_polygons_that_are_none_break_when_read(tmp_path, points):
    texts = entries()
    texts[FIRST]["shapes"][1]["points"] = points
    sample = next(open_dataset("gres", write(tmp_path, said=texts), "test").samples())
    with pytest.raises(BrokenSample, match=r"polygon|points"):
        sample.read_truth()
