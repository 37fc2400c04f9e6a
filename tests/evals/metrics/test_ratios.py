"""Ratios of sums: intervals that cover, and comparisons that find what is there."""

import numpy as np
import pytest

from evals.metrics import Ratios, compare


def ratios(values, clusters=None, below=None):
    labels = [str(c) for c in (range(len(values)) if clusters is None else clusters)]
    return Ratios.of([(labels, {"m": (list(values), [1.0] * len(values) if below is None else list(below))})])


def test_a_ratio_is_one_sum_over_the_other():
    assert ratios([1, 0, 2], below=[2, 4, 4]).values() == {"m": 0.3}


def test_nothing_below_is_no_number():
    interval = ratios([1, 2], below=[0, 0]).intervals()["m"]
    assert (interval.value, interval.low, interval.high) == (None, None, None)


def test_one_cluster_has_a_value_but_no_interval():
    interval = ratios([0, 1], clusters=[7, 7]).intervals()["m"]
    assert (interval.value, interval.low, interval.high) == (0.5, None, None)


def test_few_clusters_or_clusters_that_all_say_the_same_have_no_interval():
    assert ratios([0, 1] * 4).intervals()["m"].low is None
    assert ratios([0, 1] * 5).intervals()["m"].low is not None
    assert ratios([0, 1] * 20, below=[1] * 9 + [0] * 31).intervals()["m"].low is None
    same = ratios([1] * 40).intervals()["m"]
    assert (same.value, same.low, same.high) == (1.0, None, None)


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = ratios(values).intervals(resamples=4000)["m"]
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_samples_of_one_image_count_as_one():
    few = np.random.default_rng(1).normal(0, 1, 50)
    six = np.repeat(few, 6)
    alone, together = ratios(six).intervals()["m"], ratios(six, clusters=np.repeat(np.arange(50), 6)).intervals()["m"]
    assert (together.high - together.low) == pytest.approx((alone.high - alone.low) * np.sqrt(6), rel=0.1)
    single = ratios(few).intervals()["m"]
    assert together.high - together.low == pytest.approx(single.high - single.low, rel=0.05)


def test_95_percent_intervals_of_a_ratio_of_sums_cover_the_truth_about_that_often():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        union = rng.gamma(2, 50, 120)
        level = rng.beta(4, 2, 120)  # mean 2/3, independent of the union
        image = np.arange(120) // 2
        interval = ratios(union * level, image, union).intervals(resamples=400)["m"]
        covered += interval.low <= 2 / 3 <= interval.high
    assert 0.89 <= covered / 200 <= 0.99


def test_the_spread_over_draws_is_their_standard_deviation():
    draws = [(["a", "b"], {"m": ([x, x], [1, 1])}) for x in (0.0, 0.5, 1.0)]
    interval = Ratios.of(draws).intervals()["m"]
    assert interval.value == 0.5
    assert interval.spread == pytest.approx(0.5)
    assert interval.draws == 3


def test_resampling_is_the_same_for_a_seed_and_in_any_number_of_parts(monkeypatch):
    one = ratios(np.arange(50.0))
    whole = one.resampled(100, 3)
    monkeypatch.setattr("evals.metrics.ratios._AT_ONCE", 1)
    assert np.array_equal(one.resampled(100, 3), whole)


def test_a_small_steady_gain_is_found_although_images_differ_much():
    rng = np.random.default_rng(4)
    base = rng.normal(0, 10, 80)
    found = compare(ratios(base), ratios(base + rng.normal(1, 1, 80)))["m"]
    assert found.difference == pytest.approx(1, abs=0.3)
    assert found.low > 0
    assert found.p_permutation < 0.01
    assert found.p_bootstrap < 0.01


def test_two_runs_of_the_same_quality_differ_significantly_about_as_often_as_stated():
    rng = np.random.default_rng(5)
    permutation, bootstrap = [], []
    for _ in range(150):
        found = compare(ratios(rng.normal(0, 1, 60)), ratios(rng.normal(0, 1, 60)), resamples=300)["m"]
        permutation.append(found.p_permutation <= 0.05)
        bootstrap.append(found.p_bootstrap <= 0.05)
    assert np.mean(permutation) <= 0.1
    assert np.mean(bootstrap) <= 0.12


def test_runs_with_other_clusters_are_not_compared():
    with pytest.raises(ValueError, match="clusters"):
        compare(ratios([1, 2]), ratios([1, 2, 3]))
