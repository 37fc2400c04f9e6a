"""The filled box, worked by hand."""

import tracemalloc

import numpy as np

from t2s_agent.instance import Instance
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.segmenter import Embedding


def test_a_box_fills_the_pixels_whose_centres_it_holds():
    masks = BoxSegmenter().decode(Embedding("k", 4, 5, {}, 0), [Instance((1, 1, 3, 2.4)), Instance((1, 1, 3, 2.6))])
    assert masks.masks[0].full(4, 5).astype(int).tolist() == [[0] * 5, [0, 1, 1, 0, 0], [0] * 5, [0] * 5]
    assert masks.masks[1].area == 4
    assert np.isnan(masks.scores).all()


def test_points_without_a_box_become_discs():
    mask = BoxSegmenter().decode(Embedding("k", 40, 40, {}, 0), [Instance(None, ((20, 20),))]).masks[0].full(40, 40)
    assert mask[20, 20]
    assert not mask[0, 0]
    assert abs(mask.sum() - np.pi * 25) < 8


def test_memory_of_many_masks_grows_with_their_objects():
    points = [Instance(None, ((10.0 + i, 20.0 + 3 * i),)) for i in range(500)]
    tracemalloc.start()
    masks = BoxSegmenter().decode(Embedding("k", 2048, 2048, {}, 0), points)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(masks.masks)
    assert peak < 2_000_000  # full arrays would take two billion bytes
