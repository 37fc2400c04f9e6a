"""The size of a view's pixel compared with the scene's, and the warning for a user."""

import numpy as np
import pytest

from t2s_agent.scene import View, Window
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.scale import Scale, significant


def a_view(window, width, height, gsd_m=None):
    rgb = np.zeros((height, width, 3), np.uint8)
    return View(rgb, np.ones((height, width), bool), Georeference(), Window(0, 0, *window), gsd_m, (1, 2, 3))


def test_a_view_pixel_of_a_scene_of_12000_px_seen_at_1024_is_eleven_point_seven_scene_pixels():
    scale = Scale.of(a_view((12_000, 12_000), 1024, 1024, gsd_m=11.72), gsd_m=1.0)
    assert scale.scene_px == pytest.approx(11.71875)
    assert scale.smallest_seen == "about 94 m"  # 8 x 11.72
    assert "11.7 m a pixel, the image has 1 m: objects smaller than about 94 m" in scale.remark(1024)
    assert len(scale.remark(1024)) < 200  # an agent's answer cuts longer ones


def test_without_a_georeference_the_sizes_are_pixels_of_the_image():
    scale = Scale.of(a_view((12_000, 12_000), 1024, 1024), gsd_m=None)
    assert "1 pixel is 11.7 pixels of the image: objects smaller than about 94 pixels" in scale.remark(1024)


@pytest.mark.parametrize(("side", "coarse"), [(100, False), (200, False), (201, True), (400, True)])
def test_only_a_view_coarser_by_more_than_two_gives_a_warning(side, coarse):
    scale = Scale.of(a_view((side, side), 100, 100, gsd_m=0.5), gsd_m=0.25)
    assert bool(scale.remark(100)) == coarse


def test_where_windows_are_coarse_only_their_resolution_helps():
    said = Scale.of(a_view((400, 400), 100, 100, gsd_m=2.0), gsd_m=0.5).remark(128, windows=True)
    assert said.endswith("cannot be seen; gsd_m native looks in full resolution")


def test_significant_digits_keep_small_numbers():
    assert significant(0.0000123456, 3) == 0.0000123
    assert significant(11.71875, 3) == 11.7
