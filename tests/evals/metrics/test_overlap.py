"""Intersections and unions: by laws, and as torchmetrics and pycocotools count them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco
from torchmetrics import JaccardIndex

from evals.metrics import Overlap, iou, overlap_of
from evals.metrics.overlap import boxes_iou, filled_boxes, mask_iou
from t2s_agent.prompting.duplicates import box_iou

masks = arrays(bool, (6, 7))


@given(a=masks, b=masks)
def test_iou_is_symmetric_and_lies_in_0_to_1(a, b):
    assert mask_iou(a, b) == mask_iou(b, a)
    assert 0 <= mask_iou(a, b) <= 1


@given(a=masks)
def test_a_mask_agrees_with_itself_wholly(a):
    assert mask_iou(a, a) == 1


@given(a=masks, b=masks)
def test_areas_add_up(a, b):
    overlap = overlap_of(a, b)
    assert overlap.union == int((a | b).sum())
    assert overlap.predicted + overlap.truth == overlap.union + overlap.intersection


@given(a=masks, b=masks)
def test_iou_is_that_of_pycocotools(a, b):
    if a.any() or b.any():  # of two empty masks pycocotools says 0
        [[theirs]] = coco.iou(*([coco.encode(np.asfortranarray(m.astype(np.uint8)))] for m in (a, b)), [0])
        assert mask_iou(a, b) == pytest.approx(theirs)


@given(pairs=st.lists(st.tuples(masks, masks), min_size=1, max_size=5))
def test_ciou_is_the_jaccard_index_of_torchmetrics(pairs):
    overlaps = [overlap_of(a, b) for a, b in pairs]
    union = sum(each.union for each in overlaps)
    theirs = JaccardIndex(task="binary")
    for a, b in pairs:
        theirs.update(torch.from_numpy(a), torch.from_numpy(b).int())
    assert (sum(each.intersection for each in overlaps) / union if union else 0.0) == pytest.approx(
        float(theirs.compute())
    )


def test_masks_of_two_shapes_are_not_compared():
    with pytest.raises(ValueError, match="shapes"):
        overlap_of(np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_iou_worked_by_hand():
    assert iou(Overlap(60, 80, 100)) == 0.5
    assert iou(Overlap(60, 80, 100), epsilon=1e-5) == pytest.approx(0.49999996, abs=5e-9)
    assert iou(Overlap(0, 0, 0)) == 1
    assert iou(Overlap(0, 0, 0), both_empty=0.0) == 0


corner, side = st.integers(0, 8), st.integers(1, 8)
boxes = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(a=boxes, b=boxes)
def test_boxes_iou_is_that_of_their_filled_pixels_and_of_the_product(a, b):
    value = boxes_iou(np.array(a, float), np.array([b], float))[0]
    assert value == pytest.approx(mask_iou(filled_boxes([a], 16, 16), filled_boxes([b], 16, 16)))
    assert value == pytest.approx(box_iou(a, b))


def test_a_box_fills_the_pixels_whose_centres_it_holds():
    assert filled_boxes([(0.6, 0, 2.5, 1)], 2, 4).tolist() == [[False, True, False, False], [False] * 4]
    assert not filled_boxes([(9, 9, 12, 12), (1, 1, 1, 1)], 4, 4).any()
