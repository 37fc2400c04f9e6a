"""Grids: the sizes that masks are compared at, resized as the libraries of the published code do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evals.protocols.grids import ORIGINAL, Grid, resized


@given(h=st.integers(1, 40), w=st.integers(1, 40), side=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_square_is_what_pillow_resizes_to(h, w, side, seed):
    mask = np.random.default_rng(seed).random((h, w)) < 0.5
    theirs = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)) > 0
    assert np.array_equal(Grid("square", side).of(mask, h, w), theirs)


def test_the_longer_side_is_1024_and_the_other_is_cut_to_a_whole_number():
    longest = Grid("longest", 1024, corner=True)
    assert longest.size(600, 800) == (768, 1024)
    assert longest.size(800, 599) == (1024, 766)
    assert longest.size(5, 5) == (1024, 1024)
    assert longest.name == "longest-1024"


def test_corner_sampling_takes_the_pixel_at_the_whole_multiple():
    row = np.array([[True, False, False, True, False]])
    assert resized(row, 1, 2, corner=True).tolist() == [[True, False]]  # 0 and 2.5
    assert resized(row, 1, 2, corner=False).tolist() == [[False, True]]  # 1.25 and 3.75


def test_original_pixels_are_left_as_they_are():
    mask = np.eye(3, dtype=bool)
    assert ORIGINAL.of(mask, 3, 3) is mask


def test_a_mask_drawn_at_another_size_comes_to_the_images_own_pixels():
    mask = np.zeros((840, 840), bool)
    mask[:420, :210] = True
    on_image = ORIGINAL.of(mask, 100, 400)
    assert on_image.shape == (100, 400)
    assert on_image.sum() == pytest.approx(50 * 100)


@given(
    h=st.integers(1, 40), w=st.integers(1, 40), side=st.integers(1, 60), seed=st.integers(0, 99), corner=st.booleans()
)
def test_an_area_on_a_grid_is_that_of_the_resized_mask(h, w, side, seed, corner):
    mask = np.random.default_rng(seed).random((h, w)) < 0.5
    for grid in (Grid("square", side, corner), Grid("longest", side, corner), ORIGINAL):
        assert grid.area(mask) == grid.of(mask, h, w).sum()
