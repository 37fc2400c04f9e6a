"""Tests of the segmenter's training data: enlarged objects, jittered prompts, and masks in the same frame."""

import numpy as np
import pytest
import torch

from t2s_agent.scene.view import Window
from training.nano.close_ups import (
    INPUT_PX,
    PROMPT_FORMS,
    TRUTH_PX,
    Pictures,
    box_of,
    crop_and_resize,
    draw_batch,
    draw_batch_without_images,
    jitter_box,
    points_inside,
    points_outside,
)
from training.nano.image_tokens import SIDE


def picture():
    """A dark picture with one bright disc, and its mask."""
    at = np.arange(SIDE)
    mask = (at - 300) ** 2 + (at[:, None] - 90) ** 2 < 20**2
    return np.repeat(mask[..., None] * np.uint8(200), 3, -1), mask


class OneDisc(Pictures):
    """Pictures that always return the same one."""

    def __init__(self):
        super().__init__([], 1.0)

    def draw(self, rng):
        return picture()


@pytest.mark.parametrize("form", PROMPT_FORMS)
def test_mask_and_prompts_match_the_object_in_the_enlarged_picture(form, monkeypatch):
    monkeypatch.setattr("training.nano.close_ups.PROMPT_FORMS", (form,))
    positive, negative, boxed, _ = form
    batch = draw_batch(OneDisc(), np.random.default_rng(1))
    assert (batch.boxes is not None) == boxed
    assert batch.pixels.shape[-2:] == (INPUT_PX, INPUT_PX)
    assert (batch.labels is None) == (positive + negative == 0)
    hit, covered = [], []
    for i, true in enumerate(batch.truth):
        shown = torch.nn.functional.interpolate(batch.pixels[i][None], size=(TRUTH_PX, TRUTH_PX), mode="area")[0].mean(
            0
        )
        bright, dark = shown[true > 0.9].mean(), shown[true < 0.1].mean()
        assert bright > dark + 1
        if boxed:
            x1, y1, x2, y2 = (batch.boxes[i, 0] * TRUTH_PX / INPUT_PX).round().int().tolist()
            covered.append(float(true[y1:y2, x1:x2].sum() / true.sum()))
        if positive:
            ahead = (batch.points[i, 0, :positive] * TRUTH_PX / INPUT_PX).int().clamp(max=TRUTH_PX - 1).tolist()
            hit += [float(true[y, x] > 0.5) for x, y in ahead]
    assert np.mean(covered or 1) > 0.85  # jittered
    assert np.mean(hit or 1) > 0.85  # one in five is pushed a little


def test_a_crop_of_another_part_has_the_mask_of_that_part():
    rgb, mask = picture()
    _, near = crop_and_resize(rgb, mask, Window(270, 60, 60, 60), None)
    assert near.mean() == pytest.approx(mask.sum() / 3600, abs=0.01)
    _, elsewhere = crop_and_resize(rgb, mask, Window(0, 300, 60, 60), None)
    assert elsewhere.max() == 0


def test_positive_points_are_inside_and_negative_points_outside_of_the_mask():
    _, mask = picture()
    rng = np.random.default_rng(0)
    outside = points_outside(mask, box_of(mask), 50, rng)
    assert len(outside) == 50
    assert not any(mask[int(y), int(x)] for x, y in outside)
    inside = [mask[int(y), int(x)] for x, y in points_inside(mask, box_of(mask), 200, rng)]
    assert 0.9 < np.mean(inside) <= 1  # one in five is pushed, few of these over the edge


def test_a_jittered_box_is_valid_and_near_the_true_box():
    rng = np.random.default_rng(0)
    boxes = np.array([jitter_box((0.0, 150.0, 8.0, 300.0), rng) for _ in range(300)])
    assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()
    assert (boxes >= 0).all()
    assert (boxes <= SIDE).all()
    assert np.abs(boxes.mean(0) - [0, 150, 8, 300]).max() < 4


def test_without_a_picture_the_mask_is_the_box():
    batch = draw_batch_without_images(np.random.default_rng(0))
    area = (batch.boxes[:, 0, 2:] - batch.boxes[:, 0, :2]).prod(1) * (TRUTH_PX / INPUT_PX) ** 2
    assert batch.truth.sum((1, 2)) == pytest.approx(area, rel=0.3)
