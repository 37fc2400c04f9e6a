"""Procedural scenes: the truth is that of the pixels."""

import collections
import itertools

import numpy as np
import pytest

from evals.scenes import LAND, THEMES, demo, draw, write
from t2s_agent.scene import open_scene


@pytest.mark.parametrize("theme", list(THEMES))
def test_the_same_seed_draws_the_same_pixels_and_truth(theme):
    first, second = draw(5, theme=theme, size=160), draw(5, theme=theme, size=160)
    assert (first.rgb == second.rgb).all()
    assert first.facts == second.facts
    assert draw(6, theme=theme, size=160).rgb.tobytes() != first.rgb.tobytes()


@pytest.mark.parametrize("theme", list(THEMES))
def test_masks_are_inside_the_scene_and_objects_do_not_overlap(theme):
    scene = draw(11, theme=theme)
    nested = {"soccer ball field", "ground track field"}
    owner = np.zeros(scene.land.shape, int)
    for thing in scene.objects:
        mask = scene.mask_of(thing)
        assert mask.sum() == thing.mask.sum() > 0
        if thing.category not in nested:
            owner += mask
    assert owner.max() <= 1


def test_a_tank_has_the_area_of_its_circle():
    scene = demo()
    tanks = [t for t in scene.objects if t.category == "storage tank"]
    assert len(tanks) == 7
    for tank in tanks:
        circle = np.pi * (tank.length_m / 2) ** 2
        assert tank.mask.sum() * scene.gsd_m**2 == pytest.approx(circle, rel=0.02)


def test_facts_match_the_masks():
    scene = demo()
    for category, fact in scene.facts.items():
        masks = scene.instances(category)
        assert fact["count"] == len(masks)
        assert fact["area_m2"] == pytest.approx(sum(m.sum() for m in masks) * scene.gsd_m**2)


def test_distances_between_tanks_worked_by_hand():
    scene = demo()
    tanks = [t for t in scene.objects if t.category == "storage tank"]
    # centres 76 px apart, radius 13 m = 26 px: 24 px between the edges, 25 between the outermost pixels' centres
    assert scene.distance_m(tanks[0], tanks[1]) == pytest.approx(25 * 0.5, abs=0.6)


def test_the_written_file_has_objects_at_their_true_positions(tmp_path):
    scene = draw(3, theme="harbour")
    write(scene, tmp_path / "s.tif")
    with open_scene(tmp_path / "s.tif") as opened:
        assert (opened.view().rgb == scene.rgb).all()
        assert opened.crs == scene.crs
        assert opened.gsd_m == pytest.approx(scene.gsd_m, rel=2e-3)
    assert (tmp_path / "s.truth.json").is_file()


def test_each_category_occurs_and_objects_are_anywhere_in_the_scene():
    seen, places = collections.Counter(), []
    for seed, theme in itertools.product(range(10), THEMES):
        for thing in draw(seed, size=224, theme=theme).objects:
            seen[thing.category] += 1
            places.append(np.array(thing.centroid()) / 224)
    assert len(seen) == 16, seen
    x, y = np.array(places).T
    counts = np.histogram2d(x, y, bins=3, range=[(0, 1), (0, 1)])[0]
    assert counts.min() > counts.mean() / 3


def test_land_masks_exclude_objects():
    scene = demo()
    water = scene.land_mask("water")
    assert water.mean() > 0.35
    assert not (water & scene.instances("ship")[0]).any()
    assert set(np.unique(scene.land)) <= set(range(len(LAND)))
