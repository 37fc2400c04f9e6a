"""The evaluation of joining: its segmenter, its score, and a row of its table."""

import numpy as np
import pytest

from evals.tiling import seams as table
from evals.tiling.ours import joined, timed
from evals.tiling.scenes import SCENES, SIDE, SeamScene, labels_of, rectangle
from evals.tiling.score import scored
from evals.tiling.truth import Truth
from t2s_agent.tiling.windows import Tiling

SCENE = SeamScene("two", 300, 200, (rectangle(20, 20, 280, 60), rectangle(140, 90, 160, 110)))
TILING = Tiling(300, 200, 160, 40)


def test_the_objects_of_the_scenes_share_no_pixels_and_lie_in_them():
    for scene in (each() for each in SCENES if each.__name__ in ("parcels", "river", "courtyards")):
        assert np.count_nonzero(labels_of(scene)) == sum(mask.area for mask in scene.objects)
        assert (scene.width, scene.height) == (SIDE, SIDE)


@pytest.mark.parametrize("kind", ["sides", "grow", "warp"])
def test_outlines_differ_between_windows_by_no_more_than_was_asked(kind):
    scene = SeamScene("one", 300, 200, (rectangle(80, 60, 200, 140),))
    truth = Truth(scene, Tiling(300, 200, 300), 5, kind)
    seen = {}
    for window in range(20):
        ((_, mask),) = truth.seen((0, 0, 300, 200), window)
        seen[window] = mask.full(200, 300)
        assert seen[window][65:135, 85:195].all()
        assert not seen[window][:, :75].any()
        assert not seen[window][145:].any()
        assert (seen[window] == truth.one(0, window, (0, 0, 300, 200)).full(200, 300)).all()
    assert any((seen[window] != seen[0]).any() for window in seen)


def test_a_score_counts_what_is_one_to_one():
    truth = np.array([[1, 1, 2, 2, 3, 3]], np.int32)
    assert scored(truth, np.array([[5, 5, 6, 6, 7, 7]], np.int32)).one_to_one == 3
    fused = scored(truth, np.array([[1, 1, 1, 1, 2, 2]], np.int32))
    assert (fused.found, fused.one_to_one, fused.lowest_iou) == (2, 2, 0.5)
    assert scored(truth, np.zeros((1, 6), np.int32)).found == 0


def test_a_row_of_the_table_says_what_is_left(capsys):
    table._rows(SCENE, "sides", 2, [])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:] for line in lines] == [[j, "px", "2", "2", "(0,", "0", "of", "0)"] for j in "036"]


def test_joining_gives_labels_of_the_whole_scene():
    found = joined(Truth(SCENE, TILING))
    assert (found.labels == labels_of(SCENE)).all()
    assert (found.unsure, found.holes) == (0, 0)


def test_the_time_of_a_small_scene():
    found = timed(size=2_000, count=20, side=60)
    assert (found.windows, found.objects) == (9, 20)
