"""COCO instance sets: every layout gives the same samples, and what is wrong in a listing is named."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from coco_sets.data import HARBOR, HEIGHT, SHIPS, WIDTH, annotation, listing, run_lengths, write_folders, write_packed

from evals.datasets import BrokenDataset, BrokenSample, Reading, open_dataset
from evals.questions import QUESTIONS
from t2s_agent.errors import T2SError

ISAID448 = Path("../shared/data/isaid448")


def filled(*boxes):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


def of_kind(dataset, kind, category):
    (sample,) = (
        s for s in dataset.samples() if s.metadata["question_kind"] == kind and s.metadata["category"] == category
    )
    return sample


def test_a_class_is_asked_for_by_name_and_its_truth_is_all_its_objects(tmp_path):
    dataset = open_dataset("coco", write_packed(tmp_path), "test")
    sample = of_kind(dataset, "name", "ship")
    truth = sample.read_truth()
    assert (truth.mask == filled(*SHIPS)).all()
    assert [mask.area for mask in truth.instances] == [15, 300]
    assert sample.image_id == "b.1.png"
    assert sample.metadata["median_area_px"] == 157.5
    assert sample.metadata["objects"] == 2
    assert sample.metadata["source"] == "tile 800"
    assert sample.metadata["block"] == "block 2"
    assert sample.metadata["stretch"] == "blocks from 2"
    assert sample.read_image().shape == (HEIGHT, WIDTH, 3)


def test_the_largest_is_one_object(tmp_path):
    dataset = open_dataset("coco", write_packed(tmp_path), "test", kinds=("extreme",))
    (sample,) = dataset.samples()
    assert len(sample.read_truth().instances) == 1


def test_absent_classes_have_an_empty_truth_and_untaught_things_an_unknown_one(tmp_path):
    dataset = open_dataset("coco", write_packed(tmp_path), "test", kinds=("empty", "untaught"), absent=9)
    empty = [s for s in dataset.samples() if s.metadata["question_kind"] == "empty"]
    assert [(s.image_id, s.metadata["category"]) for s in empty if s.image_id == "b.1.png"] == [
        ("b.1.png", "large vehicle")
    ]
    assert {s.metadata["category"] for s in empty if s.image_id == "a.2.png"} == {"ship", "harbor", "large vehicle"}
    assert not any(s.read_truth().mask.any() for s in empty)
    assert all(s.read_truth().known for s in empty)
    untaught = [s for s in dataset.samples() if s.metadata["question_kind"] == "untaught"]
    assert len(untaught) == 2
    assert not any(s.read_truth().known for s in untaught)


def test_all_layouts_give_the_same_samples_in_the_same_order(tmp_path):
    roots = [tmp_path / name for name in ("packed", "coco", "isaid")]
    for root in roots:
        root.mkdir()
    write_packed(roots[0])
    write_folders(roots[1])
    write_folders(roots[2], layout="isaid")
    found = [
        [(s.id, s.question, s.read_truth().mask.sum()) for s in open_dataset("coco", root, "test").samples()]
        for root in roots
    ]
    assert found[0] == found[1] == found[2]
    assert len({row[0] for row in found[0]}) == len(found[0]) > 10


def test_words_of_an_image_do_not_depend_on_other_images(tmp_path):
    rows = listing()
    (tmp_path / "all").mkdir()
    (tmp_path / "one").mkdir()
    both = open_dataset("coco", write_packed(tmp_path / "all", rows=rows), "test")
    one = open_dataset(
        "coco", write_packed(tmp_path / "one", rows=rows | {"images": rows["images"][:1]}), "test", on_broken="skip"
    )
    assert [s.question for s in one.samples()] == [s.question for s in both.samples() if s.image_id == "b.1.png"]


@pytest.mark.parametrize("phrasing", ["held_out", "trained"])
def test_a_phrasing_is_of_the_bank_that_its_metadata_names(tmp_path, phrasing):
    dataset = open_dataset("coco", write_packed(tmp_path), "test", phrasing=phrasing, kinds=("name", "hint", "empty"))
    for sample in dataset.samples():
        bank = QUESTIONS[str(sample.metadata["category"])]
        assert sample.metadata["phrasing"] == phrasing
        assert sample.question in (bank.held_out if phrasing == "held_out" else bank.train)


def test_relations_ask_for_those_that_are_near(tmp_path):
    rows = listing(("wide.png",))
    rows["images"][0] |= {"width": 400}
    boxes = {"near": (0, 0, 5, 5), "far": (300, 0, 305, 5), "harbor": (20, 0, 30, 5)}
    polygons = {name: [[x1, y1, x2, y1, x2, y2, x1, y2]] for name, (x1, y1, x2, y2) in boxes.items()}
    rows["annotations"] = [
        annotation(1, 1, 1, boxes["far"], polygons["far"]),
        annotation(2, 1, 1, boxes["near"], polygons["near"]),
        annotation(3, 1, 2, boxes["harbor"], polygons["harbor"]),
    ]
    (sample,) = open_dataset("coco", write_packed(tmp_path, rows=rows), "test", kinds=("relation",)).samples()
    assert sample.metadata["category"] == "ship"
    assert "harbor" in sample.question
    assert [mask.bounds for mask in sample.read_truth().instances] == [boxes["near"]]


def break_listing(rows, how):
    if how == "doubled image":
        rows["images"].append(dict(rows["images"][0], id=9))
    if how == "doubled annotation":
        rows["annotations"].append(rows["annotations"][0])
    if how == "no such image":
        rows["annotations"][0] |= {"image_id": 77}
    if how == "no such category":
        rows["annotations"][0] |= {"category_id": 77}
    if how == "no id":
        del rows["annotations"][0]["id"]
    if how == "no size":
        del rows["images"][0]["height"]
    return rows


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("doubled image", "doubled"),
        ("doubled annotation", "doubled"),
        ("no such image", "broken"),
        ("no such category", "broken"),
        ("no id", "broken"),
        ("no size", "broken"),
    ],
)
def test_what_is_wrong_in_a_listing_stops_a_run_by_name_or_is_counted(tmp_path, how, kind):
    write_packed(tmp_path, rows=break_listing(listing(), how))
    with pytest.raises(BrokenDataset) as error:
        open_dataset("coco", tmp_path, "test")
    assert [problem.kind for problem in error.value.problems] == [kind]
    assert "test.json" in error.value.what
    dataset = open_dataset("coco", tmp_path, "test", on_broken="skip")
    assert len(dataset.problems) == 1
    assert len(list(dataset.samples())) == len(dataset) > 0


def test_a_missing_image_is_named_and_left_out(tmp_path):
    write_folders(tmp_path)
    (tmp_path / "test" / "b.1.png").unlink()
    with pytest.raises(BrokenDataset, match=r"b\.1\.png"):
        open_dataset("coco", tmp_path, "test")
    dataset = open_dataset("coco", tmp_path, "test", on_broken="skip")
    assert {sample.image_id for sample in dataset.samples()} == {"a.2.png"}


def test_a_name_that_leads_out_of_the_folder_is_no_file_of_it(tmp_path):
    (tmp_path / "outside.png").write_bytes(b"secret")
    rows = listing(("../../outside.png",))
    (tmp_path / "set" / "test").mkdir(parents=True)
    (tmp_path / "set" / "annotations").mkdir()
    (tmp_path / "set" / "annotations" / "instances_test.json").write_text(json.dumps(rows))
    dataset = open_dataset("coco", tmp_path / "set", "test", on_broken="skip")
    assert len(dataset) == 0
    assert [problem.kind for problem in dataset.problems] == ["missing"]


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": [7, 5]}, "add up"),
        ({"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}, "run lengths are for"),
        ({"size": [HEIGHT, WIDTH], "counts": "\x7f\x7f"}, "not COCO's text"),
        ({"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}, "no pixel"),
        ([[0, 0, 5, 5]], "three pairs"),
        ([[0, 0, 5, 5, 1e9, 4]], "far outside"),
        (None, "no segmentation"),
    ],
)
def test_a_mask_that_does_not_fit_stops_reading_by_name_or_is_counted(tmp_path, segmentation, said):
    rows = listing()
    rows["annotations"][0] |= {"segmentation": segmentation}
    dataset = open_dataset("coco", write_packed(tmp_path, rows=rows), "test", kinds=("name",))
    with pytest.raises(BrokenSample, match=said) as error:
        list(Reading(dataset))
    assert "annotation 1" in error.value.problem.where
    reading = Reading(dataset, on_broken="skip")
    assert [found.sample.metadata["category"] for found in reading] == ["harbor"]
    assert reading.summary() == "1 of 2 samples; 1 problems"


def test_an_image_of_another_size_than_listed_is_broken(tmp_path):
    rows = listing()
    rows["images"][1] |= {"height": HEIGHT + 1}
    dataset = open_dataset("coco", write_packed(tmp_path, rows=rows), "test", kinds=("untaught",))
    reading = Reading(dataset, on_broken="skip")
    assert len(list(reading)) == 1
    assert "listed as" in reading.problems[0].what


def test_a_file_that_stands_in_a_tar_twice_is_named(tmp_path):
    write_packed(tmp_path)
    with tarfile.open(tmp_path / "test.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("a.2.png"))
    dataset = open_dataset("coco", tmp_path, "test", on_broken="skip")
    assert [problem.kind for problem in dataset.problems] == ["doubled"]


def test_an_image_with_all_its_objects_is_given_for_other_uses_than_questions(tmp_path):
    empty, full = open_dataset("coco", write_packed(tmp_path), "test").labelled()  # type: ignore[attr-defined]  # a Coco
    assert (empty.image_id, empty.objects) == ("a.2.png", ())
    assert [(name, mask.area) for name, mask in full.objects] == [("ship", 15), ("ship", 300), ("harbor", 360)]


def test_samples_hold_no_pixels(tmp_path):
    import pickle

    rows = listing(tuple(f"{i}.png" for i in range(50)))
    samples = list(open_dataset("coco", write_packed(tmp_path, rows=rows), "test").samples())
    before = len(pickle.dumps(samples))
    for sample in samples:
        assert sample.read_image().nbytes == HEIGHT * WIDTH * 3
        sample.read_truth()
    assert len(pickle.dumps(samples)) == before < len(samples) * 3_000


@pytest.mark.parametrize(
    "wrong", [{"kinds": "name,hunt"}, {"phrasing": "both"}, {"absent": "2"}, {"untaught": -1}, {"bands": 3}]
)
def test_options_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(T2SError):
        open_dataset("coco", write_packed(tmp_path), "test", **wrong)


def test_kinds_may_be_written_as_on_a_command_line(tmp_path):
    write_packed(tmp_path)
    asked = [
        [s.id for s in open_dataset("coco", tmp_path, "test", kinds=kinds).samples()]
        for kinds in ("name,count", ("name", "count"))
    ]
    assert asked[0] == asked[1] != []


def test_samples_can_be_handed_to_another_process(tmp_path):
    import pickle

    dataset = open_dataset("coco", write_packed(tmp_path), "test")
    sample = pickle.loads(pickle.dumps(of_kind(dataset, "name", "harbor")))
    assert (sample.read_truth().mask == filled(HARBOR)).all()


@pytest.mark.skipif(not ISAID448.is_dir(), reason="needs ../shared/data/isaid448")
def test_the_packed_crops_of_isaid_are_as_many_as_their_card_says():
    dataset = open_dataset("isaid448", ISAID448, "test")
    assert (dataset.images, dataset.instances) == (dataset.expected.images, dataset.expected.instances)
    assert not dataset.problems
    first = next(dataset.samples())
    assert first.read_image().shape == (448, 448, 3)
    assert first.read_truth().mask.any()
    assert "academic" in dataset.licence


def test_run_lengths_of_the_data_are_those_of_the_box():
    assert run_lengths((0, 0, WIDTH, HEIGHT))["counts"]
