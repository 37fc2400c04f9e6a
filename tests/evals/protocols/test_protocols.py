"""Each protocol's numbers on REFERENCE's worked example, and laws that hold of all of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.metrics import GridFacts, Overlap, Row
from evals.protocols import PROTOCOLS, compare_runs, score, slices_of
from evals.protocols.scoring import by_slice, draw_of
from t2s_agent.errors import T2SError


def row_of(name, intersection, predicted, truth, status="found", *, item=None, index=0, image=None, count=1, **facts):
    grid = GridFacts(
        10_000, Overlap(intersection, predicted, truth), Overlap(0, 0, truth), Overlap(truth, truth, truth)
    )
    return Row(
        id=name,
        image_id=image or name,
        item=item or name,
        question_index=index,
        cluster=image or name,
        question="where?",
        status=status,
        instances=count if status == "found" else 0,
        without_prompt=0,
        true_instances=1 if truth else 0,
        known=True,
        tokens=10,
        seconds=1.0,
        segment_seconds=0.1,
        grids=dict.fromkeys(("original", "square-840", "longest-1024", "square-480"), grid),
        metadata=facts,
    )


# A: I 60, U 120. B: truth of 400 px, unparsable. C: nothing there, nothing found. D: nothing there, 50 px predicted
WORKED = [
    row_of("A", 60, 80, 100),
    row_of("B", 0, 0, 400, "unparsable"),
    row_of("C", 0, 0, 0, "empty"),
    row_of("D", 0, 50, 0),
]
TABLE = {
    "think2seg": {"gIoU": 0.3750, "cIoU": 60 / 520, "P@0.5": 2 / 3},
    "lisa": {"gIoU": 0.3750, "cIoU": 60 / 570},
    "segearth": {"gIoU": 0.3750, "cIoU": 60 / 570, "P@0.5": 1 / 4},
    "rmsin": {"gIoU": 0.1250, "cIoU": 60 / 570, "P@0.5": 1 / 4},
    "grefcoco": {"gIoU": 0.3750, "cIoU": 60 / 570, "N-acc": 1 / 2, "T-acc": 1 / 2},
    "t2s": {"gIoU": 0.3750, "cIoU": 60 / 570, "P@0.5": 1 / 2, "N-acc": 1 / 2, "T-acc": 1 / 2},
}


@pytest.mark.parametrize(("name", "metric"), [(name, metric) for name, cells in TABLE.items() for metric in cells])
def test_the_worked_example_has_its_number_in_each_cell(name, metric):
    value = score(WORKED, PROTOCOLS[name], resamples=0).metrics[metric].value
    assert value == pytest.approx(TABLE[name][metric], abs=1e-6)


def test_a_protocol_has_only_its_own_numbers():
    assert set(PROTOCOLS["lisa"].metrics) == {"gIoU", "cIoU"}
    assert set(PROTOCOLS["think2seg"].metrics) == {"gIoU", "cIoU", "P@0.5"}
    assert "P@0.5" not in PROTOCOLS["grefcoco"].metrics


def test_an_iou_of_one_half_is_a_hit_unless_the_test_is_strict():
    half = [row_of("A", 50, 50, 100)]
    hits = {
        name: score(half, PROTOCOLS[name], resamples=0).metrics["P@0.5"].value for name in ("segearth", "rmsin", "t2s")
    }
    assert hits == {"segearth": 0.0, "rmsin": 1.0, "t2s": 1.0}
    exact = replace(PROTOCOLS["segearth"], epsilon=0.0)
    assert score(half, exact, resamples=0).metrics["P@0.5"].value == 0.0
    assert score(half, replace(exact, strict=False), resamples=0).metrics["P@0.5"].value == 1.0


def test_unparsable_where_nothing_is_there_is_wrong_for_think2seg_and_empty_for_the_others():
    lost = [row_of("A", 0, 0, 0, "unparsable")]
    values = {name: score(lost, each, resamples=0).metrics["gIoU"].value for name, each in PROTOCOLS.items()}
    assert values == {"think2seg": 0.0, "segearth": 1.0, "lisa": 1.0, "rmsin": 0.0, "grefcoco": 1.0, "t2s": 1.0}


def test_no_samples_is_no_number():
    for protocol in PROTOCOLS.values():
        assert all(each.value is None and each.low is None for each in score([], protocol).metrics.values())


def test_accuracies_without_a_sample_of_their_kind_are_no_number():
    metrics = score([row_of("A", 60, 80, 100)], PROTOCOLS["t2s"]).metrics
    assert metrics["N-acc"].value is None
    assert metrics["T-acc"].value == 1.0


def test_first_asks_the_first_question_of_each_item_and_draw_one_of_them():
    rows = [row_of(f"A{i}", i, 10, 10, item="A", index=i, image="A") for i in (2, 0, 1)]
    assert score(rows, PROTOCOLS["segearth"]).samples == 1
    assert score(rows, PROTOCOLS["segearth"]).metrics["cIoU"].value == 0.0
    assert score(rows, PROTOCOLS["t2s"]).samples == 3
    drawn = score(rows, PROTOCOLS["think2seg"])
    each = [draw_of(rows, seed)[0].grids["original"].answer for seed in range(10)]
    assert drawn.samples == 1
    assert drawn.metrics["gIoU"].value == pytest.approx(sum(a.intersection / a.union for a in each) / 10)
    assert drawn.metrics["gIoU"].spread > 0
    assert drawn.metrics["gIoU"].draws == 10


def test_every_question_is_drawn_about_equally_often():
    rows = [row_of(f"A{i}", 0, 0, 1, item="A", index=i) for i in range(6)]
    counts = [0] * 6
    for seed in range(1200):
        counts[draw_of(rows, seed)[0].question_index] += 1
    assert min(counts) > 150
    assert max(counts) < 250


areas = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.booleans()).map(
    lambda t: row_of("x", t[0], t[0] + t[1], t[0] + t[2], "unparsable" if t[3] and t[0] + t[1] == 0 else "found")
)
samples = st.lists(areas, min_size=1, max_size=12).map(
    lambda rows: [replace(row, id=str(i), item=str(i), cluster=str(i // 2)) for i, row in enumerate(rows)]
)


@given(rows=samples, order=st.randoms())
@settings(deadline=None, max_examples=40)
def test_the_order_of_samples_changes_nothing(rows, order):
    mixed = list(rows)
    order.shuffle(mixed)
    for protocol in PROTOCOLS.values():
        one, other = (score(each, protocol, resamples=50).metrics for each in (rows, mixed))
        for name, value in one.items():
            assert value.value == pytest.approx(other[name].value)
            assert value.low == pytest.approx(other[name].low)


@given(rows=samples)
@settings(deadline=None, max_examples=40)
def test_shares_lie_in_0_to_1_and_p_at_k_falls_with_k(rows):
    for protocol in PROTOCOLS.values():
        metrics = score(rows, protocol, resamples=0).metrics
        values = [metrics[name].value for name in protocol.metrics]
        assert all(value is None or 0 <= value <= 1 for value in values)
        shares = [metrics[f"P@{k:g}"].value for k in protocol.thresholds]
        assert all(value is None for value in shares) or shares == sorted(shares, reverse=True)


@given(rows=samples)
@settings(deadline=None, max_examples=40)
def test_answers_that_equal_the_truth_score_1(rows):
    exact = []
    for row in rows:
        truth = row.grids["original"].answer.truth
        exact.append(row_of(row.id, truth, truth, truth, "found" if truth else "empty"))
    for name, protocol in PROTOCOLS.items():
        metrics = score(exact, protocol, resamples=0).metrics
        there = any(not row.truth_is_empty for row in exact)
        if name != "rmsin":  # which gives 0 to an empty answer that is right
            assert metrics["gIoU"].value == pytest.approx(1, abs=1e-4)
        assert metrics["cIoU"].value == (1 if there else None)


def test_count_and_area_errors_are_those_worked_by_hand():
    rows = [row_of("A", 10, 30, 10, count=3), row_of("B", 10, 10, 30, count=1), row_of("C", 0, 7, 0)]
    metrics = score(rows, PROTOCOLS["t2s"], resamples=0).metrics
    assert metrics["count error"].value == pytest.approx((2 + 0 + 1) / 3)
    assert metrics["area error"].value == pytest.approx((20 + 20) / 40)
    assert metrics["area bias"].value == pytest.approx(0)
    assert metrics["format rate"].value == 1.0


def test_a_sample_scored_twice_is_refused():
    with pytest.raises(T2SError, match="scored twice, for example A"):
        score([WORKED[0], WORKED[0]], PROTOCOLS["t2s"])


def test_runs_over_other_samples_are_not_compared():
    with pytest.raises(T2SError, match="in one run only"):
        compare_runs(WORKED, WORKED[:2], PROTOCOLS["t2s"])


def test_a_run_compared_with_itself_differs_by_nothing():
    for each in compare_runs(WORKED, WORKED, PROTOCOLS["t2s"]).values():
        assert each.difference in (0, None)
        assert each.p_permutation in (1.0, None)
        assert each.p_bootstrap in (1.0, None)


def test_slices_say_size_distance_and_kind():
    facts = slices_of(row_of("A", 5, 5, 5_000, gsd_m=0.5, category="ship", question_kind="largest"))
    assert facts == {
        "target": "with target", "size": "medium", "category": "ship", "question kind": "largest", "gsd": "0.3 to 1 m",
    }  # fmt: skip
    assert slices_of(row_of("A", 0, 0, 0, gsd_m=7)) == {"target": "without target", "gsd": "from 5 m"}


def test_slices_together_hold_all_samples():
    slices = by_slice(WORKED, PROTOCOLS["t2s"], resamples=0)["target"]
    assert {name: each.samples for name, each in slices.items()} == {"with target": 2, "without target": 2}
    assert slices["with target"].metrics["N-acc"].value is None


def test_baselines_are_scored_as_answers():
    whole = [row.baseline("whole image") for row in WORKED]
    assert score(whole, PROTOCOLS["t2s"]).metrics["cIoU"].value == pytest.approx(500 / 40_000)
    nothing = [row.baseline("empty answer") for row in WORKED]
    assert score(nothing, PROTOCOLS["t2s"]).metrics["gIoU"].value == 0.5
    assert score(nothing, PROTOCOLS["think2seg"]).metrics["P@0.5"].value == 0.5
    assert score([row.baseline("true boxes filled") for row in WORKED], PROTOCOLS["t2s"]).metrics["gIoU"].value == 1
