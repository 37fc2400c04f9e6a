"""The one command for owners of weights and data, on copies in the published layouts with tiny weights."""

import json

import pytest
from earthreason.data import FIELD, HEIGHT, WIDTH
from earthreason.data import write as write_earthreason
from phrases.data import write as write_phrases
from rrsis_d.data import write as write_rrsis_d
from tiny_models.data import make_qwen2_5_vl, make_sam2

from evals.reproduce import main
from evals.run.records import header_of, rows_of


def reproduce(dataset, data, out, *more):
    return main([dataset, f"--data={data}", f"--out={out}", "--part", "--cache=none", "--device=cpu", *more])


def test_true_answers_give_the_numbers_worked_by_hand_beside_the_published_ones(tmp_path, capsys):
    data = write_earthreason(tmp_path / "data")
    x1, y1, x2, y2 = FIELD
    sx, sy = 840 / WIDTH, 840 / HEIGHT  # both models see the paper's square
    field = json.dumps([{"bbox_2d": [x1 * sx, y1 * sy, x2 * sx, y2 * sy], "positive_points": [[300, 300]]}])
    script = tmp_path / "script.json"
    answers = {
        "Where could a small aircraft land?": field,
        "What is flat and free of trees?": "I cannot say.",
        "Where is the lighthouse?": "[]",
    }
    script.write_text(json.dumps([{"question": q, "raw": raw} for q, raw in answers.items()]), encoding="utf-8")
    assert reproduce("earthreason", data, tmp_path / "out", f"--model=scripted:{script}", "--segmenter=box") == 0
    said = capsys.readouterr().out
    assert "3 of 3 samples" in said
    rows = [line.split() for line in said.splitlines()]
    [segearth] = [row for row in rows if row[:2] == ["segearth", "gIoU"]]
    assert segearth[2] == "100.00"  # the first question of each image; no published number is known
    [ours] = [row for row in rows if row[:2] == ["t2s", "gIoU"]]
    assert ours[2] == "66.67"  # all three questions, of which one answer cannot be read
    [theirs] = [row for row in rows if row[:2] == ["think2seg", "gIoU"]]
    assert theirs[2] == "73.36"
    assert 50 <= float(theirs[3]) <= 100  # ten draws of two questions
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return make_qwen2_5_vl(folder / "Think2Seg-RS-tiny"), make_sam2(folder / "sam2.1-hiera-tiny-random")


DATA = {
    "earthreason": lambda root: write_earthreason(root),
    "rrsis_d": lambda root: write_rrsis_d(root),
    "refsegrs": lambda root: write_phrases(root, "refsegrs"),
    "risbench": lambda root: write_phrases(root, "risbench"),
}


@pytest.mark.slow
@pytest.mark.parametrize("dataset", DATA)
def test_weights_in_the_published_layout_go_all_the_way(dataset, tmp_path, weights, capsys):
    model, segmenter = weights
    data, out = DATA[dataset](tmp_path / "data"), tmp_path / "out"
    more = (f"--model={model}", f"--segmenter={segmenter}", "--max-new-tokens=16", "--on-broken=skip")
    assert reproduce(dataset, data, out, *more) == 0
    said = capsys.readouterr().out
    assert "think2seg" in said
    settings = header_of(out / "answers.jsonl")["settings"]
    assert settings["view"] == "square:840"
    assert "840" in settings["frame"]  # and the prompter's own frame is that square
    rows = list(rows_of(out / "answers.jsonl"))
    assert rows
    assert all(row["view"] == [840, 840] for row in rows if "broken" not in row)
    before = (out / "answers.jsonl").read_bytes()
    assert reproduce(dataset, data, out, *more) == 0  # again: nothing is asked twice
    assert (out / "answers.jsonl").read_bytes() == before


def test_data_with_problems_stop_it_before_a_model_is_loaded(tmp_path, capsys):
    data = write_earthreason(tmp_path / "data")
    (data / "test" / "labels" / "a.10.png").unlink()
    assert reproduce("earthreason", data, tmp_path / "out", "--model=/nowhere/at-all") == 1
    assert "missing" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_published_number_of_samples_is_expected_of_a_whole_copy(tmp_path, capsys):
    data = write_earthreason(tmp_path / "data")
    assert main(["earthreason", f"--data={data}", f"--out={tmp_path / 'out'}"]) == 1
    assert "1,928 are published" in capsys.readouterr().out
