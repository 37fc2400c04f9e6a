"""In the small mask of a picture each region keeps a pixel."""

import numpy as np

from t2s_agent.regions.mask_blocks import LabelBlock
from t2s_agent.regions.small_labels import SmallLabels


def test_regions_smaller_than_a_pixel_of_the_picture_are_seen():
    labels = np.zeros((100, 200), np.int32)
    labels[3, 7], labels[50:100, 100:200] = 1, 2
    small = SmallLabels(200, 100, 20, 10)
    blocks = [LabelBlock(0, 0, labels[:, :100]), LabelBlock(100, 0, labels[:, 100:])]
    assert [block.x for block in small.seen(blocks)] == [0, 100]
    assert small.labels[0, 0] == 1
    assert (small.labels[5:, 10:] == 2).all()
    assert np.count_nonzero(small.labels) == 51


def test_a_picture_of_the_masks_size_has_its_labels():
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    small = SmallLabels(4, 3, 4, 3)
    small.add(LabelBlock(0, 0, labels))
    assert (small.labels == labels).all()
