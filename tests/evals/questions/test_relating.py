"""Questions for those of a kind that are near something of another kind."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from evals.questions.relating import LANDMARKS, RELATIONS, relating


@pytest.mark.parametrize("landmark", LANDMARKS)
def test_held_out_questions_are_never_taught(landmark):
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        taught = {relating(category, landmark, rng) for _ in range(200)}
        assert taught.isdisjoint(relating(category, landmark, rng, held_out=True) for _ in range(50))


def test_a_question_says_what_and_beside_what():
    question = relating("ship", "harbor", np.random.default_rng(3), held_out=True)
    assert "ships" in question
    assert "harbor" in question


def test_what_has_to_be_near_is_a_category():
    assert set(RELATIONS.values()) <= set(CATEGORIES)
