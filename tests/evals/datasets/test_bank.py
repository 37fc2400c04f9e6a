"""The question bank: held-out words are not those of training, and every question says what answers it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.datasets import Bank
from evals.datasets.bank import _COUNT, DEFAULT_KINDS, KINDS
from evals.datasets.near import grown, near
from evals.questions import _FRAMES, CATEGORIES, QUESTIONS
from t2s_agent.mask import Mask

BOXES = {"ship": np.array([[0, 0, 9, 9], [50, 60, 52, 62]], float), "plane": np.array([[5, 5, 20, 20]], float)}


def asked(bank, image="a.png", known=CATEGORIES):
    return list(bank.ask(image, known, BOXES, (100, 100)))


@given(st.text(max_size=8), st.integers(0, 9))
def test_held_out_questions_are_none_of_those_that_nano_was_trained_with(image, seed):
    for question in asked(Bank(seed=seed), image):
        if question.phrasing == "held_out" and question.kind in ("name", "hint", "empty"):
            assert question.text in QUESTIONS[question.category].held_out
            assert question.text not in QUESTIONS[question.category].train


def test_frames_of_counting_that_are_held_out_are_none_of_training():
    trained = {frame for _, frames in _FRAMES for frame in frames}
    assert not trained & set(_COUNT["held_out"])
    assert set(_COUNT["trained"]) <= trained


@given(st.text(max_size=8))
def test_what_is_wanted_is_of_the_category_and_empty_ones_are_not_there(image):
    for question in asked(Bank(kinds=KINDS, absent=3), image):
        there = len(BOXES.get(question.category, ()))
        assert all(0 <= index < there for index in question.wanted)
        if question.kind == "empty":
            assert there == 0
        if question.kind in ("name", "hint", "count"):
            assert len(question.wanted) == there > 0
        assert question.known == (question.kind != "untaught")


def test_the_same_image_is_asked_the_same_and_another_seed_other_words():
    assert asked(Bank()) == asked(Bank())
    assert [q.text for q in asked(Bank(seed=1))] != [q.text for q in asked(Bank(seed=2))]
    assert {q.kind for q in asked(Bank())} == set(DEFAULT_KINDS)


def test_classes_without_phrasings_are_asked_by_a_template():
    (question,) = asked(Bank(kinds=("empty",), absent=1), known=["lighthouse"])
    assert (question.phrasing, question.category, question.kind) == ("template", "lighthouse", "empty")
    assert "lighthouse" in question.text


def test_a_mask_grows_along_rows_and_columns_alike():
    mask = np.zeros((9, 12), bool)
    mask[4, 0] = True
    assert np.argwhere(grown(mask, 2)).tolist() == [[row, column] for row in range(2, 7) for column in range(3)]


@pytest.mark.parametrize(("x", "expected"), [(60, [True, False]), (70, None), (200, None)])
def test_nearness_is_clear_or_not_asked(x, expected):
    landmark = Mask(np.ones((4, 1), bool), 0, 0)
    masks = [Mask(np.ones((2, 2), bool), x, 0), Mask(np.ones((2, 2), bool), 300, 0)]
    found = near(masks, [landmark], (10, 400))
    assert (found is None) if expected is None else (found.tolist() == expected)
