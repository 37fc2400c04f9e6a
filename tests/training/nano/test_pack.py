"""Tests that land is split into parts, and that the cover of a cell counts land once."""

import numpy as np

from evals.questions import CATEGORIES
from training.nano.image_tokens import SIDE
from training.nano.pack import SMALLEST_PART_PX, Labelled, cover_of, parts_of, with_parts

WATER = CATEGORIES.index("water")


def lake(top, left, height, width):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_parts_are_the_large_connected_parts_largest_first():
    large, larger, puddle = lake(0, 0, 60, 60), lake(100, 100, 100, 100), lake(400, 400, 10, 10)
    parts = parts_of(large | larger | puddle)
    assert [int(part.sum()) for part in parts] == [10_000, 3_600]
    assert (parts[0] == larger).all()
    assert puddle.sum() < SMALLEST_PART_PX


def test_a_hole_in_a_part_is_kept():
    ring = lake(50, 50, 200, 200) & ~lake(100, 100, 50, 50)
    (part,) = parts_of(ring)
    assert (part == ring).all()


def test_land_counts_once_in_cover_although_its_parts_are_objects():
    mask = lake(0, 0, 64, 64)
    labelled = with_parts(np.zeros((SIDE, SIDE, 3), np.uint8), [], [(WATER, mask)])
    assert [category for category, _ in labelled.objects] == [WATER]
    cover = cover_of(labelled)
    assert cover[..., WATER].sum() == 4 * 255
    assert (cover == cover_of(Labelled(labelled.rgb, [], labelled.land))).all()
