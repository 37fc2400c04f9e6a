"""Which of several objects is asked for is decided by numbers, and only where one stands out."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from evals.questions.extremes import EXTREMES, extreme, extreme_question

# upper left and small, lower right and large, in the middle between them
THREE = np.array([[0, 0, 100, 100], [600, 600, 1000, 1000], [300, 300, 500, 500]], float)


@pytest.mark.parametrize(
    ("kind", "row"), [("north", 0), ("south", 1), ("west", 0), ("east", 1), ("largest", 1), ("smallest", 0)]
)
def test_the_extreme_is_the_row_with_the_largest_measure(kind, row):
    assert extreme(kind, THREE) == row


@pytest.mark.parametrize("kind", EXTREMES)
def test_there_is_no_extreme_among_equal_or_single_objects(kind):
    assert extreme(kind, THREE[:1]) is None
    assert extreme(kind, np.repeat(THREE[:1], 2, 0)) is None


@pytest.mark.parametrize("kind", EXTREMES)
def test_held_out_questions_are_not_training_questions(kind):
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        taught = {extreme_question(category, kind, rng) for _ in range(200)}
        assert taught.isdisjoint(extreme_question(category, kind, rng, held_out=True) for _ in range(50))


def test_a_question_names_the_extreme_and_the_category():
    question = extreme_question("storage tank", "largest", np.random.default_rng(3), held_out=True)
    assert "storage tank" in question
    assert any(word in question for word in (*EXTREMES["largest"], "larger", "greatest", "most"))
