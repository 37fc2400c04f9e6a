"""Tests the segmenter's training loss."""

import numpy as np
import torch

from training.nano.close_ups import draw_batch_without_images
from training.nano.segmenter import loss_of


def test_the_loss_is_smallest_for_the_true_mask():
    truth = draw_batch_without_images(np.random.default_rng(0)).truth
    right, iou = loss_of((truth - 0.5) * 20, torch.ones(len(truth)), truth)
    wrong, none = loss_of((0.5 - truth) * 20, torch.ones(len(truth)), truth)
    assert right < 0.01
    assert wrong > 1
    assert iou.min() == 1
    assert none.max() == 0
