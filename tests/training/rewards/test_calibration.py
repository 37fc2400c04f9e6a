"""The calibration reward is a proper score."""

import numpy as np
import pytest

from training.rewards.calibration import calibration_reward


def test_a_confidence_that_is_the_iou_has_the_whole_reward():
    assert calibration_reward([0.7, 0.2], [0.7, 0.2]) == 1.0
    assert calibration_reward([1.0], [0.0]) == 0.0
    assert calibration_reward([1.0, 0.5], [0.5, 0.5]) == pytest.approx(0.875)


def test_to_say_the_iou_that_is_expected_earns_the_most():
    ious = np.random.default_rng(0).uniform(size=500)
    said = np.linspace(0, 1, 101)
    rewards = [calibration_reward([each] * len(ious), ious.tolist()) for each in said]
    assert said[np.argmax(rewards)] == pytest.approx(ious.mean(), abs=0.01)
