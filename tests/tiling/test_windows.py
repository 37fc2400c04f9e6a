"""Tiles over a grid: they cover it, each pixel has one cell, and nothing is listed to find a tile."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.tiling.windows import Tile, Tiling


@st.composite
def tilings(draw):
    tile = draw(st.integers(1, 60))
    return Tiling(
        draw(st.integers(1, 200)),
        draw(st.integers(1, 200)),
        tile,
        draw(st.integers(0, (tile - 1) // 2)),
        (draw(st.integers(-99, 99)), draw(st.integers(-99, 99))),
    )


def test_tiles_stand_at_a_regular_stride_and_the_last_one_is_moved_inwards():
    tiling = Tiling(width=250, height=90, tile=100, overlap=20)
    assert list(tiling) == [Tile(0, 0, 0, 100, 90), Tile(1, 80, 0, 100, 90), Tile(2, 150, 0, 100, 90)]


def test_an_origin_shifts_the_pattern():
    assert [tile.x for tile in Tiling(250, 90, 100, 20, origin=(30, 0))] == [0, 30, 110, 150]


def test_a_grid_that_fits_in_one_tile_has_one_tile_as_large_as_the_grid():
    tiling = Tiling(90, 50, 100, 20, origin=(30, 40))
    assert list(tiling) == [Tile(0, 0, 0, 90, 50)]
    assert tiling.cell(0) == (0, 0, 90, 50)
    assert tiling.inner_edges(0) == (None, None, None, None)


def test_a_cell_ends_in_the_middle_of_what_two_tiles_share():
    tiling = Tiling(width=180, height=90, tile=100, overlap=20)
    assert (tiling.cell(0), tiling.cell(1)) == ((0, 0, 90, 90), (90, 0, 180, 90))


@settings(max_examples=50)
@given(tilings())
def test_cells_cover_each_pixel_once_and_lie_in_their_tiles(tiling):
    covered = np.zeros((tiling.height, tiling.width), int)
    for tile in tiling:
        x1, y1, x2, y2 = tiling.cell(tile.index)
        assert tile.x <= x1 <= x2 <= tile.box[2] <= tiling.width
        assert tile.y <= y1 <= y2 <= tile.box[3] <= tiling.height
        covered[y1:y2, x1:x2] += 1
    assert (covered == 1).all()


@given(tilings(), st.data())
def test_no_tile_has_its_inner_edges_further_from_a_pixel_than_the_one_of_its_cell(tiling, data):
    x, y = data.draw(st.integers(0, tiling.width - 1)), data.draw(st.integers(0, tiling.height - 1))

    def room(tile):
        x1, y1, x2, y2 = tiling.inner_edges(tile.index)
        ways = [w for w in (x1 is not None and x + 0.5 - x1, y1 is not None and y + 0.5 - y1) if w is not False]
        ways += [w for w in (x2 is not None and x2 - x - 0.5, y2 is not None and y2 - y - 0.5) if w is not False]
        return min(ways, default=float("inf"))

    here = list(tiling.tiles_at((x, y, x + 1, y + 1)))
    (own,) = [t for t in here if (c := tiling.cell(t.index))[0] <= x < c[2] and c[1] <= y < c[3]]
    assert room(own) == max(room(tile) for tile in here)


@given(tilings(), st.tuples(*[st.integers(-20, 220)] * 4))
def test_tiles_at_a_box_are_those_that_share_pixels_with_it(tiling, box):
    shares = [
        t for t in tiling if max(t.x, box[0], 0) < min(t.box[2], box[2]) and max(t.y, box[1]) < min(t.box[3], box[3])
    ]
    assert list(tiling.tiles_at(box)) == shares


@given(tilings(), st.data())
def test_neighbours_have_each_other(tiling, data):
    index = data.draw(st.integers(0, len(tiling) - 1))
    for other in tiling.neighbours(index):
        assert index in [tile.index for tile in tiling.neighbours(other.index)]


def test_a_tile_of_a_huge_grid_is_found_without_listing_all():
    tiling = Tiling(10**9, 10**9)
    begin = time.perf_counter()
    (tile,) = tiling.tiles_at((896_000_500, 896_000_500, 896_000_501, 896_000_501))
    assert (tile.x, tile.y) == (896_000_000, 896_000_000)
    assert len(tiling.neighbours(tile.index)) == 8
    assert len(tiling) == 1_116_072**2
    assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize(
    "sizes",
    [(0, 5, 10, 2), (5, -1, 10, 2), (5, 5, 0, 0), (5, 5, 10, 5), (5, 5, 10, -1), (2**31, 5, 10, 2)],
)
def test_sizes_that_are_no_tiling_are_refused(sizes):
    with pytest.raises(T2SError) as error:
        Tiling(*sizes)
    assert error.value.code == "argument_invalid"


def test_a_tile_that_does_not_exist_is_an_index_error():
    with pytest.raises(IndexError, match="the tiling has 1"):
        Tiling(5, 5)[1]
