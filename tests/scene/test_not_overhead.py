"""Pictures that are no overhead images: what is said about them, and that nothing is said about others."""

import numpy as np
import pytest
from views.data import view_of

from evals.not_overhead.made import as_jpeg, kinds
from evals.not_overhead.real import view_of as shown
from evals.scenes import demo
from t2s_agent.scene.not_overhead import REMARKS, about_picture, among, traits_of

MADE = kinds(2)
NAMES = [name for name in MADE if name != "map, JPEG"]  # of which some are missed


@pytest.mark.parametrize("name", NAMES)
def test_blank_pictures_noise_and_maps_are_named(name):
    kind, pictures = MADE[name]
    for picture in pictures:
        assert about_picture(shown(picture)) == [REMARKS[kind]]


def test_nothing_is_said_about_a_scene_also_after_jpeg():
    rgb = demo().rgb
    for picture in (rgb, as_jpeg(rgb, 75), as_jpeg(rgb, 30)):
        assert about_picture(shown(picture)) == []


def test_a_scene_that_was_enlarged_without_smoothing_is_no_drawing():
    enlarged = demo().rgb[:160, :160].repeat(6, 0).repeat(6, 1)
    assert traits_of(enlarged, np.ones(enlarged.shape[:2], bool)).flat > 0.35
    assert about_picture(shown(enlarged)) == []


def test_fill_around_a_scene_is_no_drawing_and_not_blank():
    picture = np.zeros((640, 640, 3), np.uint8)
    picture[200:440, 200:440] = demo().rgb[200:440, 200:440]
    assert about_picture(shown(picture)) == []


def test_pixels_without_data_are_left_out():
    view = view_of(200, 200)
    rgb, valid = np.full((200, 200, 3), 90, np.uint8), np.zeros((200, 200), bool)
    assert traits_of(rgb, valid) is None
    valid[:100, :100] = True
    rgb[:100, :100] = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    assert traits_of(rgb, valid).kind == "noise"
    assert traits_of(view.rgb[:20, :20], view.valid[:20, :20]) is None


def test_traits_are_what_they_say_for_a_picture_worked_out_by_hand():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:, 64:] = 200  # two halves with one edge between them
    traits = traits_of(picture, np.ones((128, 128), bool))
    assert traits.flat == 126 * (126 - 2) / 128**2
    assert traits.edges == 1 / 128
    assert traits.few == 1.0
    assert traits.textureless == 1.0


def test_the_remarks_of_this_kind_are_found_among_others():
    assert among(["bands are guessed", REMARKS["noise"]]) == (REMARKS["noise"],)
