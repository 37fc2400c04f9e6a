"""What the segmenter is trained by."""

import numpy as np
import torch

from training.nano.close_ups import blind_batch
from training.nano.segmenter import loss_of


def test_the_loss_is_least_for_the_truth():
    truth = blind_batch(np.random.default_rng(0)).truth
    right, iou = loss_of((truth - 0.5) * 20, torch.ones(len(truth)), truth)
    wrong, none = loss_of((0.5 - truth) * 20, torch.ones(len(truth)), truth)
    assert right < 0.01
    assert wrong > 1
    assert iou.min() == 1
    assert none.max() == 0
