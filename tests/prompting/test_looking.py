"""Several questions about a picture look at it once, and get the same answers."""

import pytest
import torch

from t2s_agent.prompting import looking
from t2s_agent.prompting.local import TransformersPrompter
from t2s_agent.prompting.looking import Looks


@pytest.fixture
def tiny(tiny_models):
    return TransformersPrompter.load(tiny_models["qwen3_vl"], device="cpu", max_new_tokens=5)


def asked(tiny, views):
    inputs = tiny._inputs(views, [tiny._messages("a")] * len(views))
    return inputs["pixel_values"], inputs["image_grid_thw"]


def test_a_picture_is_looked_at_once_however_often_it_is_shown(tiny, view_of):
    first, second = view_of(96, 96), view_of(140, 90, seed=1)
    looks = tiny._prepared.looks
    tiny._write([first, second, first], [tiny._messages("a")] * 3, 1)
    assert looks.made == 2
    tiny._write([second], [tiny._messages("another question")], 1)
    assert looks.made == 2
    tiny._write([view_of(96, 96, seed=2)], [tiny._messages("a")], 1)
    assert looks.made == 3


def test_features_are_those_of_the_model(tiny, view_of):
    views = [view_of(96, 96), view_of(140, 90, seed=1), view_of(96, 96)]
    patches, grids = asked(tiny, views)
    with torch.inference_mode():
        ours = Looks(tiny._model).of(patches, grids)["image"]
        theirs = tiny._model.model.get_image_features(patches, grids, return_dict=True)
    assert [len(each) for each in ours.pooler_output] == [len(each) for each in theirs.pooler_output]
    for own, other in zip(ours.pooler_output, theirs.pooler_output, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)
    assert len(ours.deepstack_features) == len(theirs.deepstack_features)
    for level, other_level in zip(ours.deepstack_features, theirs.deepstack_features, strict=True):
        for own, other in zip(level, other_level, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_answers_are_the_same_with_and_without(tiny, view_of):
    views, chats = [view_of(96, 96), view_of(140, 90, seed=1)], [tiny._messages(text) for text in ("a", "longer")]
    with_looks = [tiny._write(views, chats, 1) for _ in range(2)]
    object.__setattr__(tiny._prepared, "looks", None)
    assert with_looks == [tiny._write(views, chats, 1)] * 2


def test_the_picture_that_was_shown_longest_ago_is_forgotten(tiny, view_of, monkeypatch):
    monkeypatch.setattr(looking, "_KEPT", 2)
    looks = Looks(tiny._model)
    with torch.inference_mode():
        for seed in (0, 1, 0, 2):
            looks.of(*asked(tiny, [view_of(96, 96, seed=seed)]))
        assert looks.made == 3
        looks.of(*asked(tiny, [view_of(96, 96, seed=0)]))
        assert looks.made == 3
        looks.of(*asked(tiny, [view_of(96, 96, seed=1)]))
    assert looks.made == 4


def test_more_pictures_than_are_kept_can_be_shown_together(tiny, view_of, monkeypatch):
    monkeypatch.setattr(looking, "_KEPT", 1)
    with torch.inference_mode():
        shown = Looks(tiny._model).of(*asked(tiny, [view_of(96, 96, seed=seed) for seed in range(3)]))
    assert len(shown["image"].pooler_output) == 3


def test_only_models_that_take_features_are_known():
    class Other:
        def forward(self, pixel_values):
            return pixel_values

    assert not Looks.fit(Other())
