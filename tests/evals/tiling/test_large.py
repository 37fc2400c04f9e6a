"""The large scene is nearly empty on disk, and true prompts find all of it."""

import json

from evals.tiling import large


def test_true_prompts_find_every_object_once(tmp_path, capsys):
    words = ["--side", "2500", "--objects", "40", "--out", str(tmp_path), "--store", str(tmp_path / "store"), "--one"]
    large.main(words)
    figures = json.loads(capsys.readouterr().out)
    assert figures["recall"] == figures["precision"] == 1.0
    assert figures["windows"] == 9
    assert figures["unsure"] == 0
    assert (tmp_path / "scene-2500.tif").stat().st_size < 2**20


def test_objects_do_not_touch_and_many_lie_across_seams(tmp_path):
    scene = large.large_scene(tmp_path, 9_000, 300)
    x1, x2 = scene.boxes[:, 0], scene.boxes[:, 2]
    edges = 896 * (x2 // 896)  # where a window begins; the one before ends 128 px later
    cut = [(x1 < edge) & (edge < x2) for edge in (edges, edges + 128)]
    assert (cut[0] | cut[1]).mean() > 0.1
    assert len(scene.boxes) > 290
