"""The check of a copy: what is missing, broken or doubled, by name, and counts beside the published ones."""

import json

import coco_sets.data
import earthreason.data
import gres.data
import numpy as np
import own_data.data
import phrases.data
import pytest
import rrsis_d.data
import semantic_sets.data
from PIL import Image

from evals.datasets import DATASETS, open_dataset
from evals.datasets.__main__ import described, main
from evals.datasets.check import check, recognised

LAYOUTS = {
    "earthreason": lambda root: earthreason.data.write(root),
    "rrsis_d": lambda root: rrsis_d.data.write(root),
    "refsegrs": lambda root: phrases.data.write(root, "refsegrs"),
    "risbench": lambda root: phrases.data.write(root, "risbench"),
    "gres": lambda root: gres.data.write(root),
    "own": lambda root: own_data.data.write(root),
    "coco": lambda root: coco_sets.data.write_packed(root),
    "semantic": lambda root: semantic_sets.data.write_folders(root),
}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_each_layout_is_recognised_and_what_is_whole_has_no_problem_but_its_counts(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    assert recognised(root) == [name]
    if name in ("earthreason", "gres", "rrsis_d", "refsegrs", "risbench"):
        assert main(["check", str(root), "--dataset", name]) == 1  # a tiny copy is not as large as the published set
    split = "all" if name == "own" else "test"
    for report in check(name, root, [split], counts=False):
        assert [str(problem) for problem in report.problems if "has the pixels of" not in problem.what] == []
        assert report.read == report.total > 0


def test_a_split_that_is_not_there_and_counts_that_differ_are_problems(tmp_path):
    reports = {report.split: report for report in check("earthreason", earthreason.data.write(tmp_path))}
    assert set(reports) == {"train", "val", "test"}
    assert reports["train"].counts() == {"missing": 1}
    assert reports["test"].counts() == {"count": 1}
    assert "2 images were found, 1,928 are published" in str(reports["test"].problems[0])


def test_broken_files_are_named_once_and_counted(tmp_path, capsys):
    root = earthreason.data.write(tmp_path) / "test"
    (root / "images" / "a.10.jpg").write_bytes(b"no picture")
    (root / "QAs" / "b.2.json").unlink()
    (root / "labels" / "c.png").write_bytes(b"")
    assert main(["check", str(tmp_path), "--dataset", "earthreason", "--split", "test", "--no-counts"]) == 1
    said = capsys.readouterr().out
    assert "0 of 2 listed samples read" in said
    assert said.count("a.10.jpg") == 1
    assert "broken: " in said
    assert "3 missing" in said
    assert "1 broken" in said


def test_the_same_pixels_under_two_names_are_doubled(tmp_path):
    root = phrases.data.write(tmp_path, "risbench")
    (root / "img_rgb" / "demo.2.png").write_bytes((root / "img_rgb" / "demo.1.png").read_bytes())
    (report,) = check("risbench", root, ["test"], counts=False)
    assert [str(problem) for problem in report.problems] == ["doubled: demo.2.png: has the pixels of demo.1.png"]


def test_a_tag_that_asks_to_turn_the_picture_is_noted_and_not_followed(tmp_path):
    root = earthreason.data.write(tmp_path)
    path = root / "test" / "images" / "b.2.jpg"
    with Image.open(path) as opened:
        exif = opened.getexif()
        exif[274] = 6
        pixels = np.asarray(opened)
        opened.save(path, exif=exif, quality=95)
    (report,) = check("earthreason", root, ["test"], counts=False)
    assert not report.problems
    assert "orientation 6" in report.notes[0]
    sample = list(open_dataset("earthreason", root, "test").samples())[2]
    assert sample.read_image().shape == pixels.shape


def test_reports_are_given_as_json(tmp_path, capsys):
    assert main(["check", str(own_data.data.write(tmp_path)), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["dataset"], report["total"], report["read"], report["problems"]) == ("own", 5, 5, [])


def test_a_folder_of_nothing_known_is_refused(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "no dataset that is known" in capsys.readouterr().err


def test_every_dataset_says_how_to_cite_it_and_under_which_licence(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    for name, kind in DATASETS.items():
        assert described(name) in said
        assert kind.card.citation
        assert kind.card.licence
