"""The environment of two turns: masks of an answer, drawn as the product draws them, and one correction by its refine."""

import numpy as np
import pytest
from transformers.utils.chat_template_utils import get_json_schema

from evals.datasets.sample import Truth
from evals.run.views import Looking
from t2s_agent.prompting.frames import Frame, Size
from t2s_agent.prompting.style import STYLES
from t2s_agent.segmenting.box import BoxSegmenter
from training.multi_turn.environment import FIRST, Correcting
from training.recipe import Reward
from training.rewards.asked import Asked

SIDE = 100
TWO = [{"bbox_2d": [100, 100, 300, 300]}, {"bbox_2d": [600, 600, 800, 800]}]


def ask(id, style):
    view = Looking().view(np.full((SIDE, SIDE, 3), 90, np.uint8))
    truth = Truth(np.zeros((SIDE, SIDE), bool))
    return Asked(id, view, truth, STYLES[style], Frame(Size(1000, 1000), Size(SIDE, SIDE)))


@pytest.fixture
def environment():
    made = Correcting(ask, BoxSegmenter(), Reward())
    assert made.reset(id="q", style="box", prompt=[], image=None) == FIRST
    return made


def corrected(environment, body):
    environment._correct(f"<think></think><answer>{body}</answer>")
    return environment._union()


def test_trl_sees_one_tool_with_a_described_argument():
    tools = [name for name in vars(Correcting) if not name.startswith("_") and name != "reset"]
    assert tools == ["look"]
    schema = get_json_schema(Correcting(ask, BoxSegmenter(), Reward()).look)["function"]
    assert schema["parameters"]["required"] == ["instances"]
    assert "bbox_2d" in schema["parameters"]["properties"]["instances"]["description"]


def test_the_masks_of_an_answer_are_drawn_on_the_picture_at_its_size(environment):
    picture, words = environment.look(TWO)
    assert picture["image"].size == (SIDE, SIDE)
    changed = (np.asarray(picture["image"]) != 90).any(-1)
    assert changed[10:30, 10:30].any()
    assert not changed[90:].any()
    assert "(2 in all)" in words["text"]
    assert environment._union().sum() == 2 * 20 * 20


def test_a_box_adds_an_object(environment):
    environment.look(TWO)
    union = corrected(environment, '{"bbox_2d": [400, 0, 500, 100]}')
    assert union.sum() == 2 * 400 + 100
    assert union[0:10, 40:50].all()


def test_a_dropped_mask_is_gone_and_the_other_stays(environment):
    environment.look(TWO)
    union = corrected(environment, '{"drop": [1]}')
    assert union.sum() == 400
    assert union[60:80, 60:80].all()


def test_dropping_counts_by_the_numbers_in_the_picture_also_beside_a_box(environment):
    environment.look(TWO)
    union = corrected(environment, '{"bbox_2d": [400, 0, 500, 100], "drop": [2]}')
    assert union.sum() == 400 + 100
    assert not union[60:80, 60:80].any()


def test_a_point_corrects_the_region_in_which_it_lies(environment, monkeypatch):
    """The region's prompt becomes its box, with the point, as in the product's refine."""
    environment.look(TWO)
    drawn, draw = [], environment._drawn
    monkeypatch.setattr(environment, "_drawn", lambda some: drawn.extend(some) or draw(some))
    corrected(environment, '{"negative_points": [[150, 150]]}')
    assert [(each.box, each.negative) for each in drawn] == [((10, 10, 30, 30), ((15, 15),))]


def test_an_unreadable_correction_keeps_the_masks(environment):
    environment.look(TWO)
    assert corrected(environment, "remove them").sum() == 800
    assert environment._correction.kind == "no_json"


def test_an_answer_without_instances_is_shown_without_masks(environment):
    picture, words = environment.look([])
    assert (np.asarray(picture["image"]) == 90).all()
    assert "(0 in all)" in words["text"]
    assert corrected(environment, '{"bbox_2d": [0, 0, 100, 100]}').sum() == 100


def test_a_reset_forgets_the_question_before(environment):
    environment.look(TWO)
    environment.reset(id="other", style="box")
    with pytest.raises(RuntimeError, match="no masks were drawn"):
        environment._union()


def test_nothing_is_corrected_that_was_not_shown(environment):
    with pytest.raises(RuntimeError, match="nothing to correct"):
        environment._correct("{}")
