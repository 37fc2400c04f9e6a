"""Tiles of a scene in its own pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.server.page.pyramid import TILE, Pyramid

side = st.integers(1, 30_000)


def test_level_0_is_one_tile_and_the_last_has_the_scenes_own_pixels():
    pyramid = Pyramid(3000, 1000)
    assert pyramid.levels == 4
    assert pyramid.cell(0, 0, 0).window == (0, 0, 3000, 1000)
    assert pyramid.cell(0, 0, 0).size == (375, 125)  # an eighth
    last = pyramid.cell(3, 5, 1)
    assert (last.window, last.resolution, last.size) == ((2560, 512, 440, 488), 1, (440, 488))


@given(width=side, height=side, z=st.integers(0, 3))
def test_the_tiles_of_a_level_cover_the_scene_once(width, height, z):
    pyramid = Pyramid(width, height)
    z = min(z, pyramid.levels - 1)
    step = TILE * 2 ** (pyramid.levels - 1 - z)
    cells = [pyramid.cell(z, x, y) for x in range(-(-width // step)) for y in range(-(-height // step))]
    assert sum(cell.window.width * cell.window.height for cell in cells) == width * height
    assert all(max(cell.size) <= TILE for cell in cells)


@pytest.mark.parametrize("zxy", [(-1, 0, 0), (4, 0, 0), (3, 6, 0), (3, 0, 2), (0, 1, 0), (3, -1, 0)])
def test_a_tile_outside_of_the_scene_is_refused(zxy):
    with pytest.raises(T2SError, match="bbox_outside"):
        Pyramid(3000, 1000).cell(*zxy)
