"""Tests which weights each optimizer has, and that the schedule is a function of the step."""

import pytest
from torch import nn

from training.nano.optimizers import cosine, muon_and_adamw, warm_up


def test_every_weight_has_one_optimizer():
    first = nn.Linear(4, 4)
    model = nn.Sequential(first, nn.Linear(4, 2))
    muon, adamw = muon_and_adamw([next(first.parameters())], model, peak=1e-3, weight_decay=0.02)
    assert [p.shape for p in muon.param_groups[0]["params"]] == [(4, 4)]
    assert [p.shape for p in adamw.param_groups[0]["params"]] == [(4,), (2, 4), (2,)]


def test_the_learning_rate_rises_for_a_hundred_steps_and_falls_to_the_last():
    assert [warm_up(step) for step in (0, 49, 99, 500)] == [0.01, 0.5, 1, 1]
    assert cosine(0, 200) == 1
    assert cosine(100, 200) == pytest.approx(0.5)
    assert cosine(199, 200) == 0.03
    assert cosine(10, 20) == cosine(100, 200)
