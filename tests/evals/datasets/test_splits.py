"""Parts share nothing of what they are split by, and keep their values when questions change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.datasets import Sample, split_by
from t2s_agent.errors import T2SError


def sample(number, source):
    return Sample(f"s{number}", f"image {number}", "?", lambda: None, lambda: None, {"source": source})


sources = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60)


@given(sources, st.integers(0, 99))
def test_every_sample_is_in_one_part_and_no_source_is_in_two(names, seed):
    samples = [sample(i, name) for i, name in enumerate(names)]
    parts = split_by(samples, {"calibration": 0.5, "report": 0.5}, seed=seed)
    assert sorted(s.id for part in parts.values() for s in part) == sorted(s.id for s in samples)
    held = [{s.metadata["source"] for s in part} for part in parts.values()]
    assert not held[0] & held[1]
    assert abs(len(held[0]) - len(set(names)) / 2) <= 0.5


@given(sources)
def test_a_source_stays_in_its_part_when_samples_are_repeated_or_turned_around(names):
    samples = [sample(i, name) for i, name in enumerate(names)]
    parts = [split_by(each, {"a": 0.3, "b": 0.7}) for each in (samples, samples[::-1] + samples[:1])]
    held = [{name: {s.metadata["source"] for s in part[name]} for name in part} for part in parts]
    assert held[0] == held[1]


def test_four_sources_in_halves_are_two_and_two_and_the_seed_decides_which():
    samples = [sample(i, name) for i, name in enumerate("aabbccdd")]
    found = {
        tuple(s.metadata["source"] for s in split_by(samples, {"a": 0.5, "b": 0.5}, seed=seed)["a"])
        for seed in range(9)
    }
    assert len(found) > 1
    assert all(len(set(names)) == 2 for names in found)


def test_shares_that_do_not_add_up_and_missing_keys_are_refused():
    with pytest.raises(T2SError, match="add up"):
        split_by([sample(0, "a")], {"a": 0.5, "b": 0.4})
    with pytest.raises(T2SError, match="has no block"):
        split_by([sample(0, "a")], {"a": 0.5, "b": 0.5}, key="block")
