"""A segmenter that crops the View around each object."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View, Window
from t2s_agent.segmenting.box import BoxSegmenter
from t2s_agent.segmenting.close_up import CONTEXT, LEAST_PX, POINTS_PX, CloseUpSegmenter, window_around
from t2s_agent.segmenting.segmenter import Masks

HEIGHT, WIDTH = 300, 400


def view_of(rgb):
    height, width = rgb.shape[:2]
    return View(rgb, np.ones((height, width), bool), Georeference(), Window(0, 0, width, height), None, (1, 2, 3))


def blank():
    return view_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


@st.composite
def instances(draw):
    def place(most):
        return draw(st.floats(0, most))

    (x1, x2), (y1, y2) = sorted([place(WIDTH), place(WIDTH)]), sorted([place(HEIGHT), place(HEIGHT)])
    points = tuple((place(WIDTH), place(HEIGHT)) for _ in range(draw(st.integers(1, 3))))
    return Instance((x1, y1, x2, y2) if draw(st.booleans()) else None, points)


@given(instances())
def test_a_window_lies_in_the_view_and_shows_all_of_the_instance(instance):
    x, y, w, h = window_around(instance, HEIGHT, WIDTH)
    assert x >= 0
    assert y >= 0
    assert x + w <= WIDTH
    assert y + h <= HEIGHT
    shown = [*instance.positive, *((instance.box[:2], instance.box[2:]) if instance.box else ())]
    assert all(x - 0.5 <= px <= x + w + 0.5 and y - 0.5 <= py <= y + h + 0.5 for px, py in shown)


def test_a_window_is_a_square_around_the_box_with_something_of_its_surroundings():
    x, y, w, h = window_around(Instance((100, 100, 200, 140)), HEIGHT, WIDTH)
    assert w == h == 100 * CONTEXT
    assert (x + w / 2, y + h / 2) == (150, 120)


def test_a_tiny_box_and_lone_points_are_shown_with_enough_around_them():
    assert window_around(Instance((50, 50, 52, 53)), HEIGHT, WIDTH)[2:] == (LEAST_PX, LEAST_PX)
    assert window_around(Instance(None, ((200, 150),)), HEIGHT, WIDTH)[2:] == (POINTS_PX, POINTS_PX)


def test_points_beside_the_box_are_shown_and_points_in_it_change_nothing():
    box = (100.0, 100.0, 140.0, 140.0)
    assert window_around(Instance(box, ((120, 120),)), HEIGHT, WIDTH) == window_around(Instance(box), HEIGHT, WIDTH)
    x, _, w, _ = window_around(Instance(box, ((120, 120),), ((250, 120),)), HEIGHT, WIDTH)
    assert x <= 100
    assert x + w >= 250


def test_what_is_as_large_as_the_view_is_shown_all_of_it():
    assert window_around(Instance((0, 0, WIDTH, HEIGHT)), HEIGHT, WIDTH) == (0, 0, WIDTH, HEIGHT)


@given(instances())
def test_masks_lie_where_the_inner_segmenter_would_have_drawn_them(instance):
    inner, view = BoxSegmenter(), blank()
    near = CloseUpSegmenter(inner)
    expected = inner.decode(inner.embed([view])[0], [instance]).masks[0]
    mask = near.decode(near.embed([view])[0], [instance]).masks[0]
    assert (mask.full(HEIGHT, WIDTH) == expected.full(HEIGHT, WIDTH)).all()


class Bright(BoxSegmenter):
    """Finds what is bright in all that it is shown, and remembers how large that was."""

    def __init__(self):
        self.seen = []

    def embed(self, views):
        self.seen += [(view.width, view.height) for view in views]
        return [replace(each, features={"view": view}) for each, view in zip(super().embed(views), views, strict=True)]

    def decode(self, embedding, instances):
        view = embedding.features["view"]
        mask, scores = Mask.of(view.rgb[..., 0] > 100), np.full(len(instances), 0.5, np.float32)
        return Masks((mask,) * len(instances), scores, embedding.height, embedding.width)


def test_each_instance_is_shown_by_itself():
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[20:30, 20:40] = 200
    rgb[200:280, 300:360] = 200
    inner = Bright()
    near = CloseUpSegmenter(inner)
    found = near.decode(near.embed([view_of(rgb)])[0], [Instance((20, 20, 40, 30)), Instance((300, 200, 360, 280))])
    assert inner.seen == [(34, 34), (136, 136)]
    assert [mask.area for mask in found.masks] == [200, 4800]
    assert found.masks[1].bounds == (300, 200, 360, 280)
    assert (found.height, found.width) == (HEIGHT, WIDTH)
    assert found.scores.tolist() == [0.5, 0.5]


def test_no_instances_give_no_masks():
    near = CloseUpSegmenter(BoxSegmenter())
    none = near.decode(near.embed([blank()])[0], [])
    assert (none.masks, none.height, none.width) == ((), HEIGHT, WIDTH)


def test_embeddings_of_other_pixels_have_other_keys_and_other_models_other_digests():
    near = CloseUpSegmenter(BoxSegmenter())
    other = view_of(np.full((HEIGHT, WIDTH, 3), 9, np.uint8))
    assert near.embed([blank()])[0].key != near.embed([other])[0].key
    assert near.digest != BoxSegmenter.digest
