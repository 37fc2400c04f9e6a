"""Connected parts and grown masks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from t2s_agent.mask import Mask
from t2s_agent.tiling.parts import grown, parts_of

pictures = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def mask_of(*rows, x=0, y=0):
    return Mask(np.array([[pixel == "#" for pixel in row] for row in rows]), x, y)


def test_pixels_that_touch_at_a_corner_are_one_part():
    parts = parts_of(mask_of("#..#", ".#..", "#...", "...#", x=10, y=20))
    assert [(part.bounds, part.area) for part in parts] == [
        ((10, 20, 12, 23), 3),
        ((13, 20, 14, 21), 1),
        ((13, 23, 14, 24), 1),
    ]


def test_a_spiral_is_one_part():
    assert len(parts_of(mask_of("#####", "....#", "###.#", "#...#", "#####"))) == 1


def flooded(pixels, y, x):
    """Clears the part with a pixel, one pixel after the other."""
    pixels[y, x] = False
    for v, u in np.argwhere(pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]).tolist():
        if pixels[v + max(0, y - 1), u + max(0, x - 1)]:
            flooded(pixels, v + max(0, y - 1), u + max(0, x - 1))


@given(pictures)
def test_the_parts_are_those_that_flooding_finds(pixels):
    parts = parts_of(Mask.of(pixels))
    whole = np.zeros(pixels.shape, int)
    for part in parts:
        whole[part.part] += part.pixels
    assert (whole == pixels).all()
    count, left = 0, pixels.copy()
    while left.any():
        flooded(left, *np.argwhere(left)[0].tolist())
        count += 1
    assert len(parts) == count


@given(pictures, st.integers(0, 4))
def test_grown_masks_have_the_pixels_within_a_distance(pixels, by):
    mask = Mask(pixels, 20, 20)
    near = np.zeros((60, 60), bool)
    for y, x in np.argwhere(pixels).tolist():
        near[20 + y - by : 21 + y + by, 20 + x - by : 21 + x + by] = True
    assert (grown(mask, by).full(60, 60) == near).all()
