"""The calibration reward: what the answer says about its own quality, against its quality."""

from collections.abc import Sequence


def calibration_reward(confidences: Sequence[float], ious: Sequence[float]) -> float:
    """The mean of 1 - (confidence - IoU)^2, in 0..1. It is a proper score: to say the IoU that is expected earns the most."""
    return sum(1 - (said - iou) ** 2 for said, iou in zip(confidences, ious, strict=True)) / len(confidences)
