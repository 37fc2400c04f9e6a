"""Which pieces of two tiles show one object, in the pixels that both saw."""

import numpy as np

from t2s_agent.mask import Mask, joined
from t2s_agent.tiling.agreement import Match, compare, cropped

STRIP = (0, 0, 128, 1000)
INSIDE = (8, 0, 120, 1000)


def box(x1, y1, x2, y2):
    return Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1)


def pairs(ps, qs, threshold=0.5):
    return [(match.first, match.second) for match in compare(ps, qs, INSIDE, threshold).matches]


def test_equal_pieces_match():
    assert compare([box(0, 10, 50, 40)], [box(0, 10, 50, 40)], INSIDE, 0.5).matches == (Match(0, 0, 1.0, True),)


def test_neighbours_that_are_a_pixel_apart_do_not_match_across():
    parcels = [box(0, 0, 128, 300), box(0, 301, 128, 600), box(0, 601, 128, 900)]
    shifted = [mask.moved(0, 5) for mask in parcels]
    assert pairs(parcels, shifted) == [(0, 0), (1, 1), (2, 2)]


def test_thin_lines_match_though_their_outlines_share_no_pixel():
    one = [box(0, 100, 128, 102), box(0, 160, 128, 162)]
    other = [box(0, 106, 128, 108), box(0, 154, 128, 156)]
    assert pairs(one, other) == [(0, 0), (1, 1)]
    assert not any(match.sure for match in compare(one, other, INSIDE, 0.5).matches)


def test_small_things_far_apart_for_their_size_do_not_match():
    assert pairs([box(60, 100, 64, 104)], [box(60, 110, 64, 114)]) == []


def test_a_river_that_leaves_and_comes_back_is_two_pieces_here_and_one_there():
    upper, lower = box(0, 100, 128, 140), box(0, 400, 128, 470)
    found = compare([upper, lower], [joined([upper, lower]).moved(0, 3)], INSIDE, 0.5)
    assert [(match.first, match.second) for match in found.matches] == [(0, 0), (1, 0)]
    assert found.disputes == ()


def test_a_bend_in_the_margin_does_not_connect_two_arms():
    upper, lower = box(0, 100, 128, 140), box(0, 170, 128, 210)
    bend = joined([upper, lower, box(124, 100, 128, 210)])  # the other tile's outline is 4 px further out
    found = compare([upper, lower], [bend], INSIDE, 0.5)
    assert [(match.first, match.second) for match in found.matches] == [(0, 0), (1, 0)]


def test_one_object_here_and_two_there_is_a_dispute():
    left, right = box(20, 100, 60, 140), box(61, 100, 90, 140)
    whole = box(20, 100, 90, 140)
    found = compare([left, right], [whole], INSIDE, 0.5)
    assert [(match.first, match.second) for match in found.matches] == [(0, 0)]
    assert found.disputes == ((1, 0),)
    turned = compare([whole], [left, right], INSIDE, 0.5)
    assert turned.disputes == ((0, 1),)


def test_a_house_on_its_plot_that_the_other_tile_does_not_show_is_no_dispute():
    plot, house = box(0, 100, 128, 300), box(40, 150, 80, 190)
    assert compare([plot, house], [plot], INSIDE, 0.5).disputes == ()


def test_cropping_gives_an_empty_mask_where_there_is_nothing():
    assert not cropped(box(0, 0, 10, 10), (10, 0, 20, 10))
    assert cropped(box(0, 0, 10, 10), (8, 5, 20, 10)).bounds == (8, 5, 10, 10)
