"""Calibrations made from drawn data hold what they promise; a killed collection goes on; rows come back as they were."""

import json
from dataclasses import replace

import numpy as np
import pytest

from evals.calibrate.abstention import abstention, curve
from evals.calibrate.collect import collect, finished
from evals.calibrate.fit import PRECISION, conformal, cut_of, for_prompts, logistic, totals, widths
from evals.calibrate.making import calibration_of, halves, report_of, with_coverage
from evals.calibrate.measures import all_of, at_cut, of_measure, reliability, wilson
from evals.calibrate.observed import AnswerRow, RegionRow, as_json, from_json, rows_of
from evals.calibrate.prompts import prompts_of
from evals.datasets import Sample, Truth
from t2s_agent.calibration import Loaded
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.prompting.answer import Answer
from t2s_agent.segmenting.box import BoxSegmenter

REGION = RegionRow(
    sample="s", image="i", source="tile 1", category="ship", kind="name", prompts="model", score=0.7, softness=0.2, agreement=None,
    area=100.0, perimeter=40.0, length=15.0, width=8.0, touches_edge=False, parts=1, found=3, iou=0.8,
    true={"area": 110.0, "perimeter": 42.0, "length": 16.0, "width": 8.5},
    pixel_only={"area": 20.0, "perimeter": 1.0, "length": 0.5, "width": 0.5},
)  # fmt: skip
ANSWER = AnswerRow(
    sample="s", image="i", source="tile 1", category="ship", kind="name", status="found", found=3, area=300.0, true_count=4, true_area=420.0,
    known=True, tokens=9, pixel_only=60.0, view_area=10_000.0,
)  # fmt: skip


def drawn(n, seed, prompts="model"):
    """Regions with errors that grow where the score is low and the object small, one image each; half are what was asked for."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        area, score = float(np.exp(rng.uniform(3, 9))), float(rng.uniform(0.3, 1))
        spread = 0.5 * (1.1 - score) * (400 / area) ** 0.15
        true = {name: value * float(np.exp(rng.normal(0, spread))) for name, value in (("area", area), ("perimeter", 40.0), ("length", 15.0), ("width", 8.0))}  # fmt: skip
        matched = rng.uniform() < score**2
        rows.append(
            replace(
                REGION,
                sample=f"s{seed}_{i}",
                source=f"t{seed}_{i}",
                image=f"i{seed}_{i}",
                prompts=prompts,
                area=area,
                score=score,
                true=true if matched or prompts != "model" else None,
            )
        )
    return rows


def counted(n, seed):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        found = int(rng.integers(0, 12))
        true = int(rng.binomial(found, 0.7) + rng.poisson(1.5))
        rows.append(
            replace(
                ANSWER,
                sample=f"a{seed}_{i}",
                source=f"t{seed}_{i}",
                found=found,
                area=100.0 * found,
                true_count=true,
                true_area=100.0 * true,
            )
        )
    return rows


def test_the_conformal_rank_counts_one_more_than_there_are():
    assert conformal(np.arange(1.0, 11)) == 10  # ceil(11 * 0.9) = 10
    assert conformal(np.arange(1.0, 101)) == 91  # ceil(101 * 0.9) = 91
    assert conformal(np.arange(1.0, 101), groups=20) == 95  # 100 * 21 / 20 * 0.9 = 94.5
    with pytest.raises(T2SError):
        conformal(np.arange(1.0, 9))


def test_new_scores_lie_below_it_in_nine_of_ten_cases():
    rng = np.random.default_rng(0)
    held = [rng.exponential() <= conformal(rng.exponential(size=49)) for _ in range(2_000)]
    assert 0.88 < np.mean(held) < 0.92  # (n + 1) * 0.9 is whole: 0.9 exactly, 2,000 draws


def test_alike_scores_of_few_images_still_hold_for_a_new_image():
    rng = np.random.default_rng(1)

    def image():
        return np.abs(rng.normal(rng.normal(0, 2), 0.3, size=10))

    scores = [(np.concatenate([image() for _ in range(25)]), image()) for _ in range(400)]
    with_groups = np.mean([(new <= conformal(old, groups=25)).mean() for old, new in scores])
    without = np.mean([(new <= conformal(old)).mean() for old, new in scores])
    assert without < with_groups
    assert with_groups > 0.89


def test_half_widths_made_on_one_draw_hold_on_another_in_every_range_of_sizes():
    table = {"box": for_prompts(drawn(2_000, 20, "box"))["box"]}
    calibration = calibration_of(
        drawn(2_000, 20, "box"), segmenter="s", prompter="p", style="x", samples=1, data="drawn", split="all"
    )
    assert calibration.prompts["box"] == table["box"]
    for held in of_measure(drawn(2_000, 120, "box"), "area", "box", Loaded(calibration, "")):
        if held.slice.startswith(("all", "size")):
            assert 0.86 < held.covered < 0.95, held
            assert held.before < 0.9


def test_half_widths_are_wider_where_the_score_is_low():
    table = widths(drawn(900, 4), "area")
    low, high = (replace(REGION, score=score, area=500.0) for score in (0.4, 0.95))
    from evals.calibrate.fit import features_of

    assert table.relative(features_of(low)) > 1.5 * table.relative(features_of(high))


def test_too_few_images_make_no_table():
    assert widths(drawn(10, 5), "area") is None
    assert totals(counted(20, 5)) is None
    with pytest.raises(T2SError):
        calibration_of(drawn(5, 5), segmenter="s", prompter="p", style="x", samples=1, data="d", split="s")


def test_a_range_of_sizes_with_few_images_is_joined_with_its_neighbour():
    rows = [row for row in drawn(900, 6) if row.area < 1000][:200]
    table = widths(rows, "area")
    assert table.edges == (150.0,)
    assert min(table.n) >= 20


def test_totals_and_counts_hold_on_another_draw():
    table = totals(counted(1_500, 7))
    calibration = calibration_of(
        [*drawn(400, 7), *counted(1_500, 7)], segmenter="s", prompter="p", style="x", samples=1, data="d", split="s"
    )
    assert calibration.totals == table
    held = {(each.what, each.slice): each for each in all_of([], counted(3_000, 8), Loaded(calibration, ""))}
    assert 0.88 < held["total", "all"].covered < 0.97
    assert 0.88 < held["count", "all"].covered <= 1  # whole numbers: more is covered than has to be
    assert all(each.covered > 0.86 for each in held.values())


def test_probabilities_are_right_as_often_as_they_say():
    rows = drawn(3_000, 9)
    calibration = calibration_of(rows, segmenter="s", prompter="p", style="x", samples=1, data="d", split="s")
    report = report_of(drawn(3_000, 10), Loaded(calibration, ""))["probability"]
    assert report["calibrated"]["ece"] < 0.04
    assert report["calibrated"]["ece"] < report["score_as_probability"]["ece"]
    assert report["after_cut"]["precision"] > report["before_cut"]["precision"]
    assert report["after_cut"]["precision"] == pytest.approx(PRECISION, abs=0.06)


def test_logistic_regression_finds_the_weights_that_the_data_were_drawn_with():
    rng = np.random.default_rng(11)
    features = rng.normal(size=(20_000, 4))
    right = rng.uniform(size=20_000) < 1 / (1 + np.exp(-(0.5 + features @ (1.0, -2.0, 0.0, 0.3))))
    found = logistic(features, right)
    assert found.weights == pytest.approx((1.0, -2.0, 0.0, 0.3), abs=0.08)
    assert found.intercept == pytest.approx(0.5, abs=0.08)


def test_reliability_of_a_table_worked_by_hand():
    said = np.array([0.05, 0.05, 0.95, 0.95])
    found = reliability(said, np.array([False, True, True, True]))
    assert found.bins == ((2, pytest.approx(0.05), 0.5), (2, pytest.approx(0.95), 1.0))
    assert found.ece == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)


def test_the_cut_is_the_lowest_probability_with_the_precision():
    said = np.array([0.12, 0.32, 0.52, 0.72])
    right = np.array([False, False, True, True])
    assert cut_of(said, right, 0.6) == 0.15  # two of three
    assert cut_of(said, ~right, 0.9) is None
    assert at_cut(said, right, 4, 0.5).recall == 0.5


def test_wilsons_interval_of_nine_in_ten():
    low, high = wilson(90, 100)
    assert (low, high) == pytest.approx((0.826, 0.945), abs=0.001)


def test_no_source_image_is_in_both_halves():
    parts = halves([*drawn(50, 12), *drawn(50, 12)])
    sources = [{row.source for row in part} for part in parts.values()]
    assert not sources[0] & sources[1]
    assert [len(part) for part in parts.values()] == [50, 50]


def test_halves_by_block_share_no_block_and_need_blocks():
    rows = [replace(row, block=f"b{index % 7}") for index, row in enumerate(drawn(70, 12))]
    parts = halves(rows, "block")
    blocks = [{row.block for row in part} for part in parts.values()]
    assert not blocks[0] & blocks[1]
    assert len(blocks[0] | blocks[1]) == 7
    with pytest.raises(T2SError, match="no block"):
        halves(drawn(3, 12), "block")


def test_coverage_is_written_into_the_table():
    calibration = calibration_of(drawn(600, 13), segmenter="s", prompter="p", style="x", samples=1, data="d", split="s")
    held = all_of(drawn(600, 14), [], Loaded(calibration, ""))
    pooled = [c for c in with_coverage(calibration, held).coverage if c.slice == "all"]
    assert {(c.prompts, c.measure) for c in pooled} == {("model", m) for m in ("area", "perimeter", "length", "width")}


@pytest.mark.parametrize("row", [REGION, ANSWER, replace(REGION, true=None, score=None)])
def test_rows_come_back_as_they_were(row):
    assert from_json(json.loads(json.dumps(as_json(row, "d")))) == row


def test_prompts_stay_inside_the_view_and_hold_a_pixel():
    mask = Mask(np.ones((2, 3), bool), 0, 18)
    for seed in range(50):
        for name, each in prompts_of(mask, (20, 30), np.random.default_rng(seed)).items():
            if each.box:
                x1, y1, x2, y2 = each.box
                assert 0 <= x1 < x2 <= 30, name
                assert 0 <= y1 < y2 <= 20, name
                assert x2 - x1 >= 1
            assert all(0 <= x <= 30 and 0 <= y <= 20 for x, y in each.positive)


class Finder:
    """Finds nothing, and remembers what it was asked."""

    name, digest = "finder", "f"

    def __init__(self):
        self.asked = []

    def answer(self, views, questions):
        self.asked += questions
        return [Answer("empty") for _ in questions]


def sample(image, kind, category="ship", boxes=((4, 4, 12, 9),)):
    masks = tuple(Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1) for x1, y1, x2, y2 in boxes)
    full = np.zeros((40, 50), bool)
    for mask in masks:
        full[mask.part] = True
    return Sample(
        id=f"{image}/{kind}-{category}",
        image_id=image,
        question=f"{kind} {category} in {image}",
        read_image=lambda: np.zeros((40, 50, 3), np.uint8),
        read_truth=lambda: Truth(full, masks),
        metadata={"question_kind": kind, "category": category, "source": f"tile {image}"},
    )


def test_a_collection_asks_one_wording_a_category_and_goes_on_after_a_kill(tmp_path):
    samples = [sample(f"image {i}", kind) for i in range(6) for kind in ("name", "hint", "count", "extreme")]
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    finder = Finder()
    collect(samples, "d", finder, BoxSegmenter(), whole, say=lambda _: None)
    assert len(finder.asked) == 12  # of three wordings one, and the extreme
    rows = rows_of(whole)
    assert {row.prompts for row in rows if isinstance(row, RegionRow)} == {"truth", "off", "box", "point"}
    exact = [row for row in rows if isinstance(row, RegionRow) and row.prompts == "truth"]
    assert all(row.iou == 1.0 and row.true["area"] == row.area == 40.0 for row in exact)
    assert all(row.true_count == 1 and row.true_area == 40.0 for row in rows if isinstance(row, AnswerRow))
    for size in (0, 1, 700, 2_500, len(whole.read_bytes()) - 3):
        cut.write_bytes(whole.read_bytes()[:size])
        collect(samples, "d", Finder(), BoxSegmenter(), cut, say=lambda _: None)
        assert cut.read_bytes() == whole.read_bytes()
    assert len(finished(whole, "d")) == 6


def test_refusals_are_counted_by_what_they_should_have_been():
    rows = [
        replace(ANSWER, kind="untaught", status="not_understood", known=False, true_count=0),
        replace(ANSWER, kind="untaught", status="found", known=False, true_count=0),
        replace(ANSWER, status="not_understood"),
        replace(ANSWER, status="empty"),
        replace(ANSWER, kind="empty", status="found", true_count=0),
        replace(ANSWER, kind="empty", status="empty", true_count=0),
    ]
    found = abstention([], rows, lambda own: np.zeros(len(own)))["summary"]
    assert found["untaught_refused"] == 0.5
    assert found["refused_as_not_understood_though_taught"] == 0.25
    assert found["called_empty_though_there"] == 0.5
    assert found["found_though_absent"] == 0.5


def test_the_curve_of_a_sure_finder_begins_without_risk():
    rows = [replace(ANSWER, sample=str(i), true_count=int(i < 8)) for i in range(10)]
    points = curve(rows, lambda row: 1 - int(row.sample) / 10)
    assert (points[0]["risk"], points[-1]["risk"], points[-1]["coverage"]) == (0.0, 0.2, 1.0)
    assert curve([replace(ANSWER, status="empty")], lambda _: 0.0) == []
