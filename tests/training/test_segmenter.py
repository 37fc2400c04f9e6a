"""The segmenter's pictures stay with their masks when they are enlarged."""

import numpy as np

from training.nano.codes import SIDE
from training.nano.segmenter import zoomed


def picture():
    """A dark picture with two bright squares, and the masks of these."""
    masks = [np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)]
    masks[0][40:80, 40:80] = True
    masks[1][380:420, 380:420] = True
    rgb = np.repeat((masks[0] | masks[1])[..., None] * np.uint8(200), 3, -1)
    return rgb, masks


def test_a_zoom_of_one_changes_nothing():
    rgb, masks = picture()
    near, kept = zoomed(rgb, masks, 1.0, 0.3, 0.7)
    assert (near == rgb).all()
    assert (np.array(kept) == np.array(masks)).all()


def test_masks_lie_where_the_enlarged_picture_shows_their_objects():
    near, kept = zoomed(*picture(), 2.0, 0.0, 0.0)
    assert len(kept) == 1  # the other lies outside
    inside = near[..., 0] > 100
    assert (inside & kept[0]).sum() / (inside | kept[0]).sum() > 0.95
    assert abs(kept[0].sum() / 1600 - 4) < 0.1


def test_an_object_that_is_mostly_cut_off_is_not_asked_for():
    _, kept = zoomed(*picture(), SIDE / 388, 0.0, 0.0)  # shows 8 of the second square's 40 rows and columns
    assert len(kept) == 1
