"""Stored records through inspect_ai: its numbers are ours, and worked by hand."""

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: pip install 't2s-agent[evals]'")

from inspect_ai import eval as run_tasks
from inspect_ai.scorer import SampleScore, Score

from evals.chains.records import Record, Records, Setup
from evals.inspect_tasks import chains, ratio_of_sums


def scored(*values):
    return [SampleScore(score=Score(value=value)) for value in values]


def test_a_ratio_of_sums_is_not_a_mean_of_ratios():
    values = scored({"intersection": 1, "union": 2}, {"intersection": 9, "union": 10}, {"intersection": 0, "union": 8})
    assert ratio_of_sums()(values) == 0.5  # the mean of the ratios is 0.467


def test_a_score_without_a_number_is_refused_and_not_counted_as_zero():
    with pytest.raises(ValueError, match="union"):
        ratio_of_sums()(scored({"intersection": 1, "union": None}))
    assert ratio_of_sums()([]) != ratio_of_sums()([])  # nan: no samples, no number


@pytest.mark.slow
def test_stored_chains_keep_their_share_and_get_an_interval_over_scenes(tmp_path):
    records = Records(Setup("script", "truth", 1024), tmp_path / "records.jsonl")
    for number in range(12):
        failure = "unit" if number < 4 else ""  # one scene of three is all wrong
        records.add(Record(f"q{number}", f"scene{number // 4}", "small", "area", 0, 1.0, 1.0, failure))
    [log] = run_tasks(
        chains(str(tmp_path / "records.jsonl")), model="mockllm/model", log_dir=str(tmp_path / "logs"), display="none"
    )
    assert log.status == "success"
    metrics = log.results.scores[0].metrics
    assert metrics["mean"].value == pytest.approx(8 / 12)
    bounds = [value.value for name, value in metrics.items() if "lower" in name or "upper" in name]
    assert len(bounds) == 2
    assert 0 <= min(bounds) < 0.5 < 0.9 < max(bounds) <= 1  # over questions it would be 0.4 to 0.9
