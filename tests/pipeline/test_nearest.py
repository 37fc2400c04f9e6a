"""The region that a point beside all regions belongs to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.mask import EMPTY, Mask
from t2s_agent.pipeline.corrections import _nearest

labels = arrays(np.uint16, (9, 12), elements=st.sampled_from([0, 0, 0, 1, 2, 3]))


@given(labels, st.floats(0, 12), st.floats(0, 9))
def test_the_nearest_mask_is_the_one_with_the_nearest_pixel(array, x, y):
    masks = [Mask.of(array == value) for value in (1, 2, 3)]
    if not array.any():
        return
    rows, columns = np.mgrid[:9, :12] + 0.5
    squared = (columns - x) ** 2 + (rows - y) ** 2
    far = [float(squared[array == value].min(initial=np.inf)) for value in (1, 2, 3)]
    assert far[_nearest(masks, (x, y))] == min(far)


def test_a_large_box_with_its_pixels_far_off_does_not_win():
    hook = np.zeros((10, 10), bool)
    hook[:, 9] = hook[9, :] = True
    dot = np.zeros((10, 10), bool)
    dot[1, 3] = True
    assert _nearest([Mask.of(hook), Mask.of(dot), EMPTY], (1.0, 1.0)) == 1
