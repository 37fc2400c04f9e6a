"""One vocabulary for what became of a question."""

from typing import get_args

import pytest

from t2s_agent.prompting.answer import OUTCOMES, Outcome, outcome
from t2s_agent.prompting.parsing import parse_answer
from t2s_agent.results.record import Record


@pytest.mark.parametrize(
    ("answered", "count", "coarse", "expected"),
    [
        ("found", 3, False, "found"),
        ("found", 0, False, "empty"),  # all were left out afterwards
        ("empty", 0, False, "empty"),
        ("found", 3, True, "partly"),  # smaller ones cannot be seen
        ("empty", 0, True, "partly"),
        ("not_understood", 0, False, "not_understood"),
        ("not_understood", 0, True, "not_understood"),
        ("not_understood", 1, False, "found"),  # a person added one
    ],
)
def test_what_became_of_a_question(answered, count, coarse, expected):
    assert outcome(answered, count, coarse=coarse) == expected


def test_records_and_explanations_have_the_same_words():
    assert Record.model_fields["status"].annotation == Outcome
    assert tuple(OUTCOMES) == get_args(Outcome)


@pytest.mark.parametrize(
    ("thinking", "status"),
    [
        ("I do not understand the question.", "not_understood"),
        ("I don't know what a frobnicator is.", "not_understood"),
        ("It is not clear what is meant by that.", "not_understood"),
        ("The request is ambiguous.", "not_understood"),
        ("I don't know what this dark object is, but there are no ships.", "empty"),
        ("There are no solar panels in this image; the roofs cannot hold any.", "empty"),
        ("The image is unclear in the north.", "empty"),
    ],
)
def test_a_model_that_says_it_does_not_understand_is_believed(thinking, status):
    raw = f"<think>{thinking}</think><answer>```json[]```</answer>"
    assert parse_answer(raw, frame=(100, 100)).status == status


def test_a_model_that_names_something_is_taken_at_that():
    box = '[{"bbox_2d": [1, 2, 30, 40]}]'
    raw = f"<think>I do not understand the question.</think><answer>```json{box}```</answer>"
    assert parse_answer(raw, frame=(100, 100)).status == "found"
