"""Masks cropped to their boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent import mask as module
from t2s_agent.mask import EMPTY, Mask, boxes_of, masks_in, union_of

HEIGHT, WIDTH = 9, 12
full = arrays(bool, (HEIGHT, WIDTH))
labels = arrays(np.uint16, (HEIGHT, WIDTH), elements=st.sampled_from([0, 0, 1, 2, 7, 65_535]))


def square(x, y, side):
    return Mask(np.ones((side, side), bool), x, y)


@given(full)
def test_cropping_and_putting_back_is_the_identity(array):
    mask = Mask.of(array)
    assert (mask.full(HEIGHT, WIDTH) == array).all()
    assert mask.area == array.sum()
    assert bool(mask) == array.any()


@given(full)
def test_a_mask_is_no_larger_than_its_pixels(array):
    mask = Mask.of(array)
    for edge in (mask.pixels[:1], mask.pixels[-1:], mask.pixels[:, :1], mask.pixels[:, -1:]):
        assert edge.any() or not mask


def test_a_mask_of_a_part_lies_where_the_part_lies():
    part = np.zeros((4, 5), bool)
    part[1, 2:4] = True
    mask = Mask.of(part, 100, 50)
    assert mask.bounds == (102, 51, 104, 52)
    assert mask.moved(10, -1).bounds == (112, 50, 114, 51)


def test_the_array_that_a_mask_was_cropped_from_is_not_kept():
    whole = np.zeros((1000, 1000), bool)
    whole[5:8, 5:8] = True
    mask = Mask.of(whole)
    assert mask.pixels.base is None
    assert mask.pixels.nbytes == 9


@given(full, full)
def test_overlaps_are_those_of_the_full_arrays(a, b):
    one, other = Mask.of(a), Mask.of(b)
    union = (a | b).sum()
    assert one.shared(other) == other.shared(one) == (a & b).sum()
    assert one.iou(other) == ((a & b).sum() / union if union else 1.0)
    assert (one.where(b).full(HEIGHT, WIDTH) == (a & b)).all()
    assert (union_of([one, other], HEIGHT, WIDTH) == (a | b)).all()


def test_two_squares_that_share_a_quarter_have_an_iou_of_a_seventh():
    assert square(0, 0, 10).iou(square(5, 5, 10)) == pytest.approx(1 / 7)
    assert square(0, 0, 10).iou(square(10, 0, 10)) == 0
    assert EMPTY.iou(EMPTY) == 1
    assert EMPTY.shared(square(0, 0, 10)) == 0


def test_painting_leaves_all_other_pixels():
    canvas = np.full((4, 4), 9)
    square(1, 2, 2).paint(canvas, 5)
    assert canvas.tolist() == [[9, 9, 9, 9], [9, 9, 9, 9], [9, 5, 5, 9], [9, 5, 5, 9]]


@given(labels, st.integers(1, 100))
def test_the_masks_in_labels_are_where_the_labels_are(array, strip_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_STRIP_BYTES", strip_bytes)  # also row by row
        found = masks_in(array)
    assert list(found) == [int(value) for value in np.unique(array) if value]
    for value, mask in found.items():
        assert (mask.full(HEIGHT, WIDTH) == (array == value)).all()
        assert mask.bounds == Mask.of(array == value).bounds


def test_boxes_reach_behind_the_last_pixel():
    array = np.zeros((5, 6), np.int32)
    array[1, 2] = array[3, 4] = 3
    array[0] = 8
    assert boxes_of(array) == {3: (2, 1, 5, 4), 8: (0, 0, 6, 1)}
    assert boxes_of(np.zeros((0, 6), np.int32)) == boxes_of(np.zeros((5, 6), np.int32)) == {}
