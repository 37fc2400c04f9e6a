"""Objects are measured in groups, and objects that may touch are in one group."""

import numpy as np
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays

from t2s_agent.tiling.chunks import chunks


@strategies.composite
def boxes(draw):
    corners = draw(arrays(np.float64, (draw(strategies.integers(0, 40)), 2), elements=strategies.integers(0, 60)))
    return np.hstack([corners, corners + draw(strategies.integers(1, 9))])


@given(boxes(), strategies.integers(1, 10))
def test_every_box_is_in_one_group_and_groups_are_small(some, most):
    groups = list(chunks(some, most))
    assert sorted(np.concatenate([np.zeros(0, int), *groups]).tolist()) == list(range(len(some)))
    assert all(len(group) <= most for group in groups)


@given(boxes())
def test_boxes_that_meet_are_together(some):
    group_of = {position: number for number, group in enumerate(chunks(some, 10**6)) for position in group.tolist()}
    for a in range(len(some)):
        for b in range(a):
            meet = (some[a, :2] <= some[b, 2:]).all() and (some[b, :2] <= some[a, 2:]).all()
            assert not meet or group_of[a] == group_of[b]


def test_groups_are_filled():
    apart = np.array([(10 * i, 0, 10 * i + 5, 5) for i in range(25)], float)
    assert [len(group) for group in chunks(apart, 10)] == [10, 10, 5]
