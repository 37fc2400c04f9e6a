"""Tests that pixels and truth match after rotation, crop, zoom and joining of images."""

import numpy as np
import pytest
import torch

from evals.questions import CATEGORIES
from training.nano.image_tokens import GRID, SIDE
from training.nano.imagery import (
    JOINED_SHARE,
    NEIGHBOUR_WEIGHT,
    Batches,
    ImageCrop,
    Labels,
    Packed,
    Pixels,
    Window,
    cells_with_centres,
    crop_pixels,
    join_labels,
    transform_labels,
    truth_of,
    vary_colours,
)

TANK, WATER = CATEGORIES.index("storage tank"), CATEGORIES.index("water")
KNOWN = [np.ones(24, np.float32)]


def pictured(box):
    """A white box (x1, y1, x2, y2 in px) on black, (1, 448, 448, 3)."""
    x1, y1, x2, y2 = box
    rgb = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    rgb[:, y1:y2, x1:x2] = 255
    return rgb


def labelled(box, category=TANK):
    """The labels of that box; its sides are multiples of 32."""
    x1, y1, x2, y2 = box
    cover = np.zeros((GRID, GRID, 24), np.uint8)
    cover[y1 // 32 : y2 // 32, x1 // 32 : x2 // 32, category] = 255
    points = [x1 + (x2 - x1) / 4, (y1 + y2) / 2, x2 - (x2 - x1) / 4, (y1 + y2) / 2]
    numbers = np.array([[*box, *points]]) * 1000 / SIDE
    return Labels(cover, np.array([category]), numbers, np.array([1e6 * (x2 - x1) * (y2 - y1) / SIDE**2]))


def together(first, second):
    return Labels(
        first.cover + second.cover,
        np.concatenate([first.category, second.category]),
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.area, second.area]),
    )


def white(pixels):
    """The bounding box of what is white in (3, H, W), in thousandths of 448 px."""
    ys, xs = np.nonzero(pixels[0].numpy() > 0)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) * 1000 / SIDE


BOX = (64, 96, 256, 160)
PARTS = [ImageCrop(turn) for turn in range(8)]
PARTS += [ImageCrop(turn, zoom, *at) for turn in (0, 3, 5) for zoom, *at in ((1.4, 0.3, 0.4), (1.6, 0.6, 0.6))]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_transformed_box_matches_the_transformed_pixels(part):
    (pixels,) = crop_pixels(pictured(BOX), [part])
    labels = transform_labels(labelled(BOX), part)
    assert np.allclose(labels.numbers[0, :4], white(pixels), atol=4 if part.zoom > 1 else 1e-6)
    share = labels.cover[..., TANK].sum() / 255 * (SIDE / GRID) ** 2
    assert share == pytest.approx(int((pixels[0] > 0).sum()), rel=0.05)


@pytest.mark.parametrize("part", [ImageCrop(), ImageCrop(6), ImageCrop(3, 1.5, 0.4, 0.2)], ids=str)
def test_a_window_has_the_pixels_of_that_part_of_the_whole_image(part):
    window = Window(3, 5, 7)
    images = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    whole, inside = crop_pixels(images, [part]), crop_pixels(images, [part], window)
    assert torch.allclose(whole[..., 96:320, 160:384], inside, atol=1e-3)


def test_a_crop_drops_objects_mostly_outside_and_keeps_points_inside():
    labels = labelled((0, 0, 192, 192))
    assert len(transform_labels(labels, ImageCrop(0, 2.0, 0.8, 0.8)).numbers) == 0
    (numbers,) = transform_labels(labels, ImageCrop(0, 2.0, 0.1, 0.1)).numbers
    assert ((numbers >= 0) & (numbers <= 1000)).all()


def test_a_joined_image_has_the_objects_of_both_sides_clipped_at_the_seam():
    left, right = labelled((64, 96, 256, 160)), labelled((192, 224, 416, 288), WATER)
    labels = join_labels(left, right, 7)  # from 224 px on
    assert labels.category.tolist() == [TANK, WATER]
    boxes = labels.numbers[:, :4] * SIDE / 1000
    assert np.allclose(boxes, [[64, 96, 224, 160], [224, 224, 416, 288]])
    assert (labels.numbers[0, 4::2] <= 500).all()
    assert labels.cover[..., TANK].sum() == 255 * 5 * 2
    assert len(join_labels(left, right, 3).category) == 1  # of the tank's box, less than 0.35 would be left


def test_an_object_on_land_hides_the_land_and_not_the_reverse():
    both = together(labelled((0, 0, 448, 448), WATER), labelled((192, 192, 256, 256)))
    cells, things = cells_with_centres(both)
    assert cells.tolist() == [7 * GRID + 7]
    assert both.category[things].tolist() == [TANK]


def test_cells_around_a_centre_have_the_same_numbers_with_less_weight():
    truth = truth_of([labelled((96, 96, 192, 192))], KNOWN)
    assert (truth.weight == 1).sum() == 1
    assert (truth.weight == NEIGHBOUR_WEIGHT).sum() == 8
    assert (truth.numbers == truth.numbers[0]).all()
    assert truth.centre.sum() == 1


def test_an_object_that_leaves_the_window_has_no_target_numbers():
    labels = labelled((96, 96, 352, 192))
    assert len(truth_of([labels], KNOWN, Window(0, 0, GRID // 2)).at) == 0
    assert len(truth_of([labels], KNOWN).at) > 0


def test_the_centre_of_an_object_of_any_size_has_what_is_near_the_object():
    both = together(labelled((0, 0, 64, 448), WATER), labelled((96, 192, 352, 288)))
    near = truth_of([both], KNOWN).near[0].reshape(GRID, GRID, 24)
    assert near[7, 7, WATER] == 1  # its centre is five cells from the water, its edge is one
    assert near[0, :, WATER].tolist() == [1] * 4 + [0] * 10


def test_colours_vary_within_bounds_and_depend_on_the_seed_only():
    pixels = torch.zeros(64, 3, 8, 8)
    first, again = (vary_colours(pixels, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.abs().max() <= 1.2
    assert first.mean((1, 2, 3)).std() > 0.1


def packed_of(boxes):
    rows = [[n, TANK, 1e4, *labelled(box).numbers[0]] for n, box in enumerate(boxes)]
    cover = np.stack([labelled(box).cover for box in boxes])
    images = np.concatenate([pictured(box).numpy() for box in boxes])
    known = np.zeros(24, np.float32)
    known[TANK] = 1
    return Packed(images, cover, np.array(rows, np.float32), np.arange(len(boxes) + 1), known)


@pytest.mark.parametrize("step", [0, 5])
def test_the_white_pixels_of_each_image_in_a_batch_are_in_its_boxes(step):
    folder = packed_of([(64, 96, 256, 160), (192, 192, 320, 352), (32, 224, 416, 288)])
    batches = Batches([folder], [1.0], size=64, whole_from=5, seed=0)
    batch = batches[step]
    assert batch.window.side == (GRID if step else GRID // 2)
    assert any(column < GRID for column in batch.join_column) == (JOINED_SHARE > 0)
    pixels = Pixels([folder], torch.device("cpu")).of(batch)
    corner = torch.tensor([batch.window.column, batch.window.row]) * SIDE / GRID
    looked_at = 0
    for (index, _), box in zip(batch.truth.at.tolist(), batch.truth.numbers[:, :4] * SIDE / 1000, strict=True):
        x, y = ((box[:2] + box[2:]) / 2 - corner).int().tolist()
        if 1 <= x < pixels.shape[3] - 1 and 1 <= y < pixels.shape[2] - 1:
            assert pixels[index, 0, y, x] > 0
            looked_at += 1
    assert looked_at > 5
