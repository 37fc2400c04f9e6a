"""Questions for those of a kind that are near something of another kind."""

import numpy as np
import pytest

from evals.questions import CATEGORIES
from evals.questions.relations import LANDMARKS, RELATIONS, relation_question


@pytest.mark.parametrize("landmark", LANDMARKS)
def test_held_out_questions_are_not_training_questions(landmark):
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        taught = {relation_question(category, landmark, rng) for _ in range(200)}
        assert taught.isdisjoint(relation_question(category, landmark, rng, held_out=True) for _ in range(50))


def test_a_question_names_the_category_and_the_landmark():
    question = relation_question("ship", "harbor", np.random.default_rng(3), held_out=True)
    assert "ships" in question
    assert "harbor" in question


def test_each_landmark_is_a_category():
    assert set(RELATIONS.values()) <= set(CATEGORIES)
