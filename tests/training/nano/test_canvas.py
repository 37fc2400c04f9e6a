"""Tests that the square that is cut from a canvas of four images and its truth belong together."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.canvas import (
    Canvas,
    CanvasBatches,
    draw_canvas,
    labels_of_canvas,
    pixels_of_canvas,
)
from training.nano.image_tokens import GRID, SIDE
from training.nano.imagery import Packed

TANK = CATEGORIES.index("storage tank")
BOX = (96, 160, 192, 256)  # px, of the one white object of each image


@pytest.fixture(scope="module")
def folder():
    """Two black images, each with one white box."""
    x1, y1, x2, y2 = BOX
    images = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    images[:, y1:y2, x1:x2] = 255
    cover = np.zeros((2, GRID, GRID, 24), np.uint8)
    cover[:, y1 // 32 : y2 // 32, x1 // 32 : x2 // 32, TANK] = 255
    numbers = np.array([x1, y1, x2, y2, x1 + 20, y1 + 40, x2 - 20, y1 + 40]) * 1000 / SIDE
    rows = [[image, TANK, 96 * 96 / SIDE**2 * 1e6, *numbers] for image in range(2)]
    known = np.zeros(24, np.float32)
    known[TANK] = 1
    return Packed(images, cover, np.array(rows, np.float32), np.array([0, 1, 2]), known)


@pytest.mark.parametrize("seed", range(12))
def test_each_box_frames_white_pixels_and_holds_its_points(folder, seed):
    canvas = draw_canvas([folder], 0, np.random.default_rng(seed))
    pixels, labels = pixels_of_canvas([folder], canvas), labels_of_canvas([folder], canvas)
    white = pixels.mean(0).numpy() > 0
    boxed = np.zeros_like(white)
    for x1, y1, x2, y2, *points in labels.numbers * SIDE / 1000:
        boxed[round(y1) : round(y2), round(x1) : round(x2)] = True
        assert white[round(y1) + 1 : round(y2) - 1, round(x1) + 1 : round(x2) - 1].mean() > 0.95
        assert x1 <= points[0] <= x2
        assert x1 <= points[2] <= x2
        assert y1 <= points[1] <= y2
    cover = np.kron(labels.cover[..., TANK], np.ones((32, 32))) / 255
    assert abs(cover.mean() - white.mean()) < 0.01
    assert not boxed.any() or boxed.mean() <= white.mean() + 0.01


def test_a_whole_image_in_its_own_place_is_that_image(folder):
    canvas = Canvas(((0, 0),) * 4, (0,) * 4, zoom=1.0, left=1.0, top=0.0)
    assert torch.allclose(
        pixels_of_canvas([folder], canvas), torch.from_numpy(folder.images[0]).permute(2, 0, 1) / 127.5 - 1, atol=1e-3
    )
    assert labels_of_canvas([folder], canvas).numbers == pytest.approx(folder.objects[:1, 3:], abs=0.01)


def test_an_object_that_is_mostly_cut_off_is_left_out(folder):
    canvas = Canvas(((0, 0),) * 4, (0,) * 4, zoom=2.0, left=(BOX[2] - 10) / SIDE, top=0.2)
    assert (labels_of_canvas([folder], canvas).numbers[:, 0] > 20).all()


def test_an_empty_canvas_has_no_object_and_is_an_image(folder):
    canvas = Canvas(((0, 0),) * 4, (0,) * 4, zoom=1.0, left=0.0, top=0.0, empty=7)
    pixels, labels = pixels_of_canvas([folder], canvas), labels_of_canvas([folder], canvas)
    assert len(labels.numbers) == 0
    assert labels.cover.sum() == 0
    assert pixels.shape == (3, SIDE, SIDE)
    assert pixels.abs().max() <= 1


def test_a_step_draws_the_same_batch_again_and_another_process_another(folder):
    batches = [CanvasBatches([folder], [1.0], size=4, seed=0, process=process) for process in (0, 0, 1)]
    first, again, other = (each[5].canvases for each in batches)
    assert first == again
    assert first != other
