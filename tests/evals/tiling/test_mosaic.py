"""The mosaic's truth lies where it was drawn, and objects are matched one to one."""

import numpy as np

from evals.tiling.boxes import BoxModels, BoxPrompter
from evals.tiling.mosaic import SIDE, matched, measure, mosaic
from t2s_agent.mask import Mask
from t2s_agent.pipeline import Engine
from t2s_agent.settings import load_settings


def square(x, y, side=10):
    return Mask(np.ones((side, side), bool), x, y)


def test_each_object_is_matched_once():
    true = [square(0, 0), square(50, 50)]
    assert matched([square(1, 0), square(0, 1), square(51, 50)], true) == 2
    assert matched([square(1, 0), square(0, 1)], true) == 1
    assert matched([square(8, 8)], true) == 0
    assert matched([], true) == 0


def test_windows_find_what_one_look_cannot_see(tmp_path):
    made = mosaic(tmp_path / "mosaic.tif", 2)
    category = max(made.objects, key=lambda name: len(made.objects[name]))
    boxes = np.array([mask.bounds for mask in made.objects[category]], float)
    assert boxes.max() <= 2 * SIDE
    settings = load_settings(store=tmp_path / "store", segmenter="box", max_size=256)
    engine = Engine.open(settings)
    engine.models = BoxModels(settings, BoxPrompter(boxes, least_px=8.0))
    figures = measure(engine, made, category)
    assert figures["windows"]["right"] > figures["one look"]["right"]
    assert figures["with other windows"]["again"] <= figures["with other windows"]["of"]
