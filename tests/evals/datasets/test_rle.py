"""COCO's run lengths: the same masks as pycocotools for what fits, an error by name for what does not."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from evals.datasets import BrokenSample
from evals.datasets.rle import decoded, runs_of

masks = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(bool, shape))


@given(masks)
def test_what_pycocotools_writes_is_read_as_it_was(mask):
    written = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    height, width = mask.shape
    assert (decoded(written | {"size": [height, width]}, height, width, "m") == mask).all()
    assert (decoded(dict(written, counts=written["counts"].decode()), height, width, "m") == mask).all()


def test_runs_go_down_the_columns_and_begin_outside():
    segmentation = {"size": [2, 3], "counts": [1, 2, 3]}
    assert decoded(segmentation, 2, 3, "m").tolist() == [[False, True, False], [True, False, False]]


def test_a_list_of_run_lengths_is_their_union():
    one, other = {"size": [1, 4], "counts": [0, 1, 3]}, {"size": [1, 4], "counts": [3, 1]}
    assert decoded([one, other], 1, 4, "m").tolist() == [[True, False, False, True]]


@given(st.text(max_size=40) | st.lists(st.integers(-5, 2**50), max_size=9) | st.none())
def test_runs_of_any_text_raise_nothing_but_their_own_error(counts):
    with contextlib.suppress(BrokenSample):
        assert (runs_of(counts, "m") >= 0).all()
        decoded({"size": [3, 4], "counts": counts}, 3, 4, "m")


@pytest.mark.parametrize("polygon", [[0, 0, 4, 0, float("nan"), 4], [0, 0, 4, 0, "4", 4], [0, 0, 4, 0, 4], [0] * 4])
def test_polygons_that_are_none_are_refused(polygon):
    with pytest.raises(BrokenSample, match="polygon"):
        decoded([polygon], 10, 10, "m")
