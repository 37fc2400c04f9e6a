"""One vocabulary for what became of a question."""

from typing import get_args

import pytest

from t2s_agent.prompting.answer import OUTCOMES, Outcome, outcome
from t2s_agent.results.record import Result


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
    assert Result.model_fields["status"].annotation == Outcome
    assert tuple(OUTCOMES) == get_args(Outcome)
