"""The picture for a model."""

from dataclasses import replace

import numpy as np
import pytest
from views.data import view_of


def test_a_view_is_as_high_and_wide_as_its_pixels():
    view = view_of(40, 60)
    assert (view.height, view.width, view.gsd_m) == (40, 60, pytest.approx(0.5, rel=1e-3))


def test_a_digest_changes_with_what_a_model_sees_and_with_nothing_else():
    view = view_of(4, 6)
    assert view.digest() == view_of(4, 6).digest()
    assert view.digest() == replace(view, bands=(3, 2, 1), gsd_m=7.0).digest()
    brighter, masked = view_of(4, 6), view_of(4, 6)
    brighter.rgb[3, 5, 2] = 1
    masked.valid[0, 0] = False
    turned = view_of(6, 4)
    assert len({each.digest() for each in (view, brighter, masked, turned)}) == 4
    assert np.array_equal(view.rgb, np.zeros((4, 6, 3)))
