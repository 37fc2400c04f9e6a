"""The question bank of nano."""

import numpy as np
import pytest

from training.nano.questions import CATEGORIES, QUESTIONS, pick


def test_no_question_is_asked_for_two_categories():
    asked = [text.lower().rstrip(".?") for bank in QUESTIONS.values() for text in {*bank.train, *bank.held_out}]
    assert len({*asked}) >= len(asked) - 16 * len(
        CATEGORIES
    )  # "Where are the X" stands with and without a question mark
    owner: dict[str, str] = {}
    for category, bank in QUESTIONS.items():
        for text in (*bank.train, *bank.held_out):
            assert owner.setdefault(text.lower().rstrip(".?"), category) == category, text


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_thirty_phrasings_and_held_out_ones(category):
    bank = QUESTIONS[category]
    assert len(set(bank.train)) >= 30
    assert len(set(bank.held_out)) >= 8
    assert not {t.lower() for t in bank.train} & {t.lower() for t in bank.held_out}


def test_the_same_seed_picks_the_same_question():
    first, second = (pick("ship", np.random.default_rng(4)) for _ in range(2))
    assert first == second
