"""Large scenes: drawn fast, with exact shapes, nothing on top of another thing."""

import collections

import numpy as np
import pytest

from evals.scenes.large import Layer, Plan, draw_large
from evals.scenes.truth import LAND

PLAN = Plan(
    900,
    0.5,
    (Layer("ship", 8, (30, 70), "water", 8), Layer("storage tank", 9, (24, 40), "yard", 6), Layer("pond", 3, (40, 80))),
    water=0.4,
    yards=2,
    yard_px=(160.0, 200.0),
)


@pytest.fixture(scope="module")
def scene():
    return draw_large(PLAN, 3)


def test_the_same_seed_draws_the_same_pixels(scene):
    again = draw_large(PLAN, 3)
    assert np.array_equal(again.rgb, scene.rgb)
    assert draw_large(PLAN, 4).rgb.tobytes() != scene.rgb.tobytes()


def test_a_scene_has_the_planned_number_of_objects(scene):
    counts = collections.Counter(thing.category for thing in scene.objects)
    assert counts == {"yard": 2, "ship": 8, "storage tank": 9, "pond": 3}


def test_objects_keep_their_gap_and_yards_contain_their_objects(scene):
    yards = np.zeros(scene.land.shape, bool)
    taken = np.zeros(scene.land.shape, int)
    for thing in scene.objects:
        if thing.category == "yard":
            yards |= scene.mask_of(thing)
        else:
            taken += scene.mask_of(thing)
    assert taken.max() == 1
    for thing in scene.objects:
        if thing.category == "storage tank":
            assert yards[scene.mask_of(thing)].all()
        elif thing.category != "yard":
            assert not yards[scene.mask_of(thing)].any()


def test_ships_are_on_water_and_ponds_on_land(scene):
    shore = round(PLAN.size * PLAN.water)
    for thing in scene.objects:
        top, bottom = thing.offset[0], thing.offset[0] + thing.mask.shape[0]
        assert bottom <= shore if thing.category == "ship" else top >= shore
    pond = next(thing for thing in scene.objects if thing.category == "pond")
    assert (scene.land[scene.mask_of(pond)] == LAND.index("water")).mean() > 0.95


def test_words_are_painted_on_ground_only():
    import dataclasses

    plain, written = (draw_large(dataclasses.replace(PLAN, words=words), 3) for words in ("", "12 TANKS HERE"))
    changed = (plain.rgb != written.rgb).any(-1)
    assert changed.sum() > 500
    for thing in written.objects:
        if thing.category != "yard":
            assert not changed[written.mask_of(thing)].any()
