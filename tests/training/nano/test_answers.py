"""Tests that answers made from the truth are those that nano was trained to write, token by token."""

import numpy as np
import pytest

from evals.datasets import Truth
from evals.questions import CATEGORIES
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask, union_of
from t2s_agent.prompting.parsing import parse_answer, well_tagged
from t2s_agent.prompting.style import STYLES
from training.nano.answers import nano_answer, objects_for, writes_like_nano
from training.nano.dialogue import Targets, Writer
from training.nano.image_tokens import SIDE, cell_of
from training.nano.pack import numbers_of
from training.policy import open_policy
from training.recipe import Policy

PLANE = {"category": "plane"}


@pytest.fixture(scope="module")
def tokenizer():
    return open_policy(Policy(name="nano", dtype="float32"), device="cpu").processor.tokenizer


def truth_of(*boxes, side=SIDE):
    masks = tuple(Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1) for x1, y1, x2, y2 in boxes)
    return Truth(union_of(masks, side, side), masks)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def written(tokenizer, truth, kind=None, most=16):
    """The same answer by nano's own writer of training dialogues."""
    numbers = np.array([numbers_of(mask.full(SIDE, SIDE)) for mask in truth.instances]).reshape(-1, 8)
    cells = cell_of(numbers)
    order = np.argsort(cells)
    category = np.full(len(order), CATEGORIES.index("plane"))
    targets = Targets(category, numbers[order], cells[order], np.zeros((len(order), 24), bool))
    dialogue = Writer(tokenizer, STYLES["box_2_points"]).write(
        "planes", category[0] if len(order) else CATEGORIES.index("plane"), targets, np.arange(len(order)), kind
    )
    return dialogue.ids[dialogue.answer_from :].tolist()


def test_the_tokens_are_those_of_nanos_own_training(tokenizer):
    truth = truth_of((300, 20, 360, 90), (10, 20, 60, 60), (200, 300, 280, 440))
    assert ids(tokenizer, nano_answer(truth, PLANE, most=16)) == written(tokenizer, truth)


def test_no_object_is_an_empty_list(tokenizer):
    truth = truth_of()
    assert ids(tokenizer, nano_answer(truth, PLANE, most=16)) == written(tokenizer, truth)


def test_the_thought_says_which_objects_are_meant(tokenizer):
    truth = truth_of((300, 20, 360, 90))
    for which in ("largest", "near harbor"):
        assert ids(tokenizer, nano_answer(truth, PLANE | {"which": which}, most=16)) == written(tokenizer, truth, which)


def test_the_products_parser_reads_the_answer_strictly():
    text = nano_answer(truth_of((300, 20, 360, 90), (10, 20, 60, 60)), PLANE, most=16).removesuffix("<|im_end|>")
    assert well_tagged(text)
    read = parse_answer(text, frame=(1000, 1000), style=STYLES["box_2_points"], strict=True)
    assert [instance.box for instance in read.instances] == [(20, 40, 130, 130), (670, 40, 800, 200)]
    assert {instance.label for instance in read.instances} == {"plane"}


def test_a_longer_answer_is_cut_without_an_end():
    truth = truth_of(*((40 * n, 20, 40 * n + 20, 50) for n in range(5)))
    text = nano_answer(truth, PLANE, most=3)
    assert text.count("bbox_2d") == 3
    assert text.endswith("]]}")


def test_of_two_objects_in_a_cell_the_larger_is_named():
    truth = truth_of((2, 2, 12, 12), (6, 6, 30, 30))
    assert nano_answer(truth, PLANE, most=16).count("bbox_2d") == 1
    assert "10,10,70,70" in nano_answer(truth, PLANE, most=16)


def test_objects_that_are_too_small_to_be_taught_are_left_out_at_any_size_of_view():
    assert len(objects_for(truth_of((0, 0, 3, 3), (100, 100, 104, 104)), "plane")) == 1
    assert len(objects_for(truth_of((0, 0, 3, 3), (100, 100, 104, 104), side=224), "plane")) == 2


def test_land_is_taken_by_its_large_parts():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:60, :60] = mask[200:220, 200:220] = True
    assert [part.area for part in objects_for(Truth(mask), "water")] == [3600]


def test_a_thin_object_keeps_an_extent():
    assert "0,0,1000,10]" in nano_answer(truth_of((0, 0, SIDE, 1)), PLANE, most=16)


def test_a_category_without_a_word_is_refused():
    with pytest.raises(T2SError, match="windmill"):
        nano_answer(truth_of(), {"category": "windmill"}, most=16)


def test_nanos_tokenizer_is_known_by_its_pieces(tokenizer, tiny_models):
    assert writes_like_nano(tokenizer)
    other = open_policy(Policy(name=str(tiny_models["qwen3_vl"]), dtype="float32"), device="cpu")
    assert not writes_like_nano(other.processor.tokenizer)
