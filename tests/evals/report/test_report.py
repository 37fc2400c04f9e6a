"""The report: what stands in it, and that it loads and runs nothing."""

import json
import re

import numpy as np
import pytest
from samples.data import SAMPLES, make_sample, script

from evals.report import write_report
from evals.report.charts import Chart, Line, Point
from evals.report.gallery import chosen
from evals.report.published import PUBLISHED, published
from evals.run.answers import Asking, write_answers
from evals.run.scores import read_scores, write_scores
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.segmenting.box import BoxSegmenter

HOSTILE = "<script>document.title='owned'</script>"


def scored(folder, *, question=HOSTILE, name="earthreason"):
    """A file of scores over the samples in memory and one with a hostile question."""
    dataset = {
        "name": name,
        "split": "test",
        "title": "In memory",
        "licence": "none",
        "citation": "nobody",
        "options": {},
    }
    samples = [make_sample(image, text, box) for text, (image, box, _) in SAMPLES.items()]
    samples.append(make_sample(3, question, (5, 5, 15, 25)))
    answers = {text: answer for text, (_, _, answer) in SAMPLES.items()} | {question: (5, 5, 15, 20)}
    asking = Asking(Looking(), {"style": "box_2_points"})
    path = write_answers(samples, script(answers), folder, asking=asking, dataset=dataset, total=7)
    notes = {"answers": str(path), "dataset": dataset, "root": "", "view": "served", "max_size": 1024, "total": 9}
    return write_scores(samples, path, BoxSegmenter(), folder, looking=asking.looking, notes=notes), samples


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path, samples = scored(folder)
    return write_report([path], folder / "r.html", samples=samples, gallery=3, resamples=50).read_text(encoding="utf-8")


def test_published_numbers_stand_beside_ours_under_their_protocol_with_their_source(page):
    part = page[page.index("<h3>think2seg") : page.index("<h3>segearth")]
    assert "0.7336" in part
    assert "arXiv 2512.19302" in part
    assert "measured here" in part
    assert page.count("0.7336") == 1  # under no other protocol


def test_it_says_how_many_of_how_many_were_scored(page):
    assert re.search(r"7 of 9 questions\s+scored", page)


def test_words_of_others_are_escaped_and_nothing_runs_or_is_loaded(page):
    assert HOSTILE not in page
    assert "&lt;script&gt;document.title" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page


def test_each_gallery_has_its_samples(page):
    headings = re.findall(r"<h3>scripted.*?: (.*?)</h3>", page)
    assert headings == ["worst", "best", "found where nothing is", "at random"]
    assert page.count("data:image/webp") == 3 + 3 + 1 + 3


def test_the_worst_and_best_are_those_by_iou(tmp_path):
    path, _ = scored(tmp_path)
    found = chosen(read_scores(path)[0], 2)
    assert [row.question for row in found["worst"]] == ["the road", "the tank"]
    assert {row.question for row in found["best"]} == {"the ship", "the court"}
    assert [row.question for row in found["found where nothing is"]] == ["the pool"]


def test_a_calibrations_charts_are_shown_and_a_wrong_file_is_named(tmp_path):
    path, samples = scored(tmp_path)
    good, bad = tmp_path / "calibration.json", tmp_path / "bad.json"
    line = {"name": "before", "points": [[0.1, 0.2], [0.9, 0.7, 0.6, 0.8]]}
    chart = {"title": "Reliability", "x": "stated", "y": "observed", "diagonal": True, "lines": [line]}
    good.write_text(json.dumps({"charts": [chart], "notes": ["held-back half"]}), encoding="utf-8")
    bad.write_text("{}", encoding="utf-8")
    text = write_report([path], tmp_path / "r.html", samples=samples, calibration=good, gallery=1, resamples=20)
    assert "Reliability" in text.read_text(encoding="utf-8")
    with pytest.raises(T2SError, match="not a calibration's JSON"):
        write_report([path], tmp_path / "r.html", samples=samples, calibration=bad, gallery=1, resamples=20)


def test_scores_over_different_datasets_are_not_put_in_one_table(tmp_path):
    paths = [scored(tmp_path / name, name=name)[0] for name in ("earthreason", "rrsis_d")]
    with pytest.raises(T2SError, match="different datasets"):
        write_report(paths, tmp_path / "r.html")


def test_every_published_number_has_a_source_and_lies_in_0_to_1():
    for each in PUBLISHED:
        assert each.source
        assert all(0 < value < 1 for value in each.metrics.values())
    assert published("earthreason", "val", "think2seg") == ()


def test_a_chart_places_higher_values_higher():
    svg = Chart("t", "x", "y", [Line("a", [Point(0, 0.1), Point(1, 0.9, 0.8, 1.0)])]).svg()
    [low, high] = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg)]
    assert high < low
    assert np.isclose(low - high, 0.8 * 230)
