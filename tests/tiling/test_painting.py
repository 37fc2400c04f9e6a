"""Joined objects as labels, block by block."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from evals.tiling.scenes import labels_of, rectangle
from evals.tiling.truth import Truth
from t2s_agent.mask import Mask
from t2s_agent.tiling.loading import Piece
from t2s_agent.tiling.painting import blocks, numbered
from t2s_agent.tiling.seams import Joined, JoinedObject, join
from t2s_agent.tiling.windows import Tiling
from tests.tiling.test_seams import drawn

TILING = Tiling(200, 90, tile=110, overlap=20)


def painted(tiling, pieces_of, block=64, joined=None):
    labels = np.zeros((tiling.height, tiling.width), np.int32)
    for each in blocks(tiling, joined or join(tiling, pieces_of), pieces_of, block):
        labels[each.y : each.y + each.labels.shape[0], each.x : each.x + each.labels.shape[1]] = each.labels
    return labels


def pieces(*given):
    by = {}
    for number, (tile, mask) in enumerate(given):
        by.setdefault(tile, []).append(Piece(number, tile, mask))
    return lambda tile: by.get(tile, [])


@settings(deadline=None, max_examples=30)
@given(drawn())
def test_without_differences_the_labels_are_the_truth_in_the_order_of_the_boxes(given_):
    scene, tiling = given_
    order = sorted(scene.objects, key=lambda mask: (mask.y, mask.x, int(mask.pixels[0].argmax())))
    truth = labels_of(type(scene)("", scene.width, scene.height, tuple(order)))
    assert (painted(tiling, Truth(scene, tiling)) == truth).all()


def test_each_pixel_comes_from_the_tile_whose_edge_is_further_away():
    labels = painted(TILING, pieces((0, rectangle(0, 40, 110, 50)), (1, rectangle(90, 43, 200, 53))))
    assert np.flatnonzero(labels[:, 99]).tolist() == list(range(40, 50))
    assert np.flatnonzero(labels[:, 100]).tolist() == list(range(43, 53))


def test_a_hole_that_a_seam_cuts_stays_a_hole():
    ring = np.ones((60, 60), bool)
    ring[20:40, 20:40] = False
    left, right = Mask(ring[:, :40], 70, 10), Mask(ring[:, 20:], 90, 10)
    assert (painted(TILING, pieces((0, left), (1, right)))[10:70, 70:130] == ring).all()


def test_the_smaller_object_keeps_pixels_of_both():
    labels = painted(TILING, pieces((0, rectangle(10, 10, 60, 60)), (0, rectangle(5, 20, 50, 30))))
    assert (labels[20:30, 5:50] == 2).all()  # its box begins lower
    assert (labels[10:20, 10:60] == 1).all()


def test_of_equal_objects_the_one_that_begins_first_keeps_the_pixels():
    labels = painted(TILING, pieces((0, rectangle(10, 20, 30, 30)), (0, rectangle(20, 10, 30, 30))))
    assert (labels[20:30, 20:30] == 1).all()
    assert (labels[20:30, 10:20] == 2).all()


def test_only_blocks_with_objects_come_unless_empty_ones_are_asked_for():
    pieces_of = pieces((0, rectangle(10, 10, 20, 20)))
    joined = join(TILING, pieces_of)
    assert [(each.x, each.y) for each in blocks(TILING, joined, pieces_of, 64)] == [(0, 0)]
    every = list(blocks(TILING, joined, pieces_of, 64, empty=True))
    assert [(each.x, each.y, each.labels.shape) for each in every][-1] == (192, 64, (26, 8))
    assert len(every) == 8


def test_a_block_names_the_objects_that_no_later_block_shows():
    pieces_of = pieces((0, rectangle(10, 10, 20, 20)), (0, rectangle(50, 30, 80, 70)))
    named = [(each.x, each.y, each.last) for each in blocks(TILING, join(TILING, pieces_of), pieces_of, 64)]
    assert named == [(0, 0, (1,)), (64, 0, ()), (0, 64, ()), (64, 64, (2,))]


def test_an_object_is_painted_by_one_piece_if_nearly_nothing_of_it_would_be_left():
    """Two tiles place a small thing so differently that each shows it where the other one decides."""
    left, right = rectangle(101, 40, 108, 48), rectangle(92, 40, 99, 48)
    both = Joined((JoinedObject((0, 1), (0, 1)),))
    pieces_of = pieces((0, left), (1, right))
    (only,) = numbered(TILING, both, pieces_of)
    assert (only.area, only.joined.pieces, only.joined.aside) == (56, (0,), (1,))
    assert np.count_nonzero(painted(TILING, pieces_of, joined=both)) == 56


def test_an_object_names_the_piece_that_shows_most_of_it():
    (road,) = numbered(
        TILING, join(TILING, f := pieces((0, rectangle(60, 40, 110, 50)), (1, rectangle(90, 40, 200, 50)))), f
    )
    assert (road.source, road.area, road.box) == (1, 1400, (60, 40, 200, 50))


def test_numbers_can_have_more_than_16_bits():
    pieces_of = pieces((0, rectangle(10, 10, 20, 20)))
    joined = join(TILING, pieces_of)
    (only,) = numbered(TILING, joined, pieces_of)
    (block,) = blocks(TILING, joined, pieces_of, objects=[replace(only, number=70_001)])
    assert block.labels.max() == 70_001
