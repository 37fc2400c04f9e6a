"""Pieces by tile: sorted by their pixels, kept up to a number of bytes."""

import numpy as np

from t2s_agent.mask import EMPTY, Mask
from t2s_agent.tiling.loading import Loader, Piece


def square(id, x, y, side=10):
    return Piece(id, 0, Mask(np.ones((side, side), bool), x, y), 0.5)


def test_pieces_come_in_the_order_of_their_pixels_whatever_their_ids():
    load = Loader({0: [square(1, 5, 8), square(7, 9, 2), square(3, 4, 2)]}.get)
    assert [piece.id for piece in load(0)] == [3, 7, 1]


def test_masks_are_cropped_and_empty_ones_are_left_out():
    wide = np.zeros((10, 10), bool)
    wide[3:5, 4] = True
    (piece,) = Loader({0: [Piece(1, 0, Mask(wide, 100, 200)), Piece(2, 0, EMPTY)]}.get)(0)
    assert piece.mask.bounds == (104, 203, 105, 205)


def test_a_tile_that_was_not_looked_at_has_none():
    assert Loader({}.get)(3) is None


def test_a_tile_is_read_again_only_when_others_took_its_place():
    read = []

    def pieces_of(tile):
        read.append(tile)
        return [square(tile, 0, 0, side=100)]

    load = Loader(pieces_of, most=25_000)  # two tiles of 10,000 and something
    for tile in (0, 1, 0, 1, 2, 1, 0):
        load(tile)
    assert read == [0, 1, 2, 0]
