"""Ranges of bytes: what is there, what is missing, what is fetched together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.scene.remote.ranges import Filled, join, size_of

span = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair)))
spans = st.lists(span, max_size=12)


def test_ranges_that_touch_become_one():
    filled = Filled()
    for each in ((10, 20), (30, 40), (20, 30), (50, 60)):
        filled.add(*each)
    assert filled.ranges() == [(10, 40), (50, 60)]
    assert filled.missing(0, 55) == [(0, 10), (40, 50)]
    assert filled.before(45) == 40
    assert filled.total == 40


@given(spans, span)
def test_filled_ranges_are_the_set_of_their_bytes(added, asked):
    filled, there = Filled(), set()
    for start, stop in added:
        filled.add(start, stop)
        there |= set(range(start, stop))
    wanted = set(range(*asked))
    assert filled.total == len(there)
    assert filled.covers(*asked) == (wanted <= there)
    assert {byte for gap in filled.missing(*asked) for byte in range(*gap)} == wanted - there
    assert all(start < stop for start, stop in filled.missing(*asked))


def test_ranges_less_than_a_gap_apart_are_fetched_together():
    assert join([(100, 110), (0, 10), (19, 30)], gap=10) == [(0, 30), (100, 110)]
    assert join([(0, 10), (20, 30)], gap=10) == [(0, 10), (20, 30)]


@given(spans, st.integers(1, 20))
def test_joined_ranges_hold_all_and_lie_a_gap_apart(ranges, gap):
    joined = join(ranges, gap)
    assert {byte for each in ranges for byte in range(*each)} <= {byte for each in joined for byte in range(*each)}
    assert all(after[0] - before[1] >= gap for before, after in pairwise(joined))
    assert size_of(joined) == sum(len(range(*each)) for each in joined)
