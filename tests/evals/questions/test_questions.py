"""The question bank: enough for every category, nothing twice, nothing held out that was taught."""

import re
from collections import Counter

import numpy as np
import pytest

from evals.questions import CATEGORIES, QUESTIONS, TELL, composed, pick, simplified, training_question
from evals.questions import hinting as hinting
from evals.questions import naming as naming
from evals.questions import words as said

TAUGHT = [text for bank in QUESTIONS.values() for text in bank.train]
HELD_OUT = [text for bank in QUESTIONS.values() for text in bank.held_out]


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def test_words_ignore_case_and_punctuation():
    assert words("Where's the T-ball field?") == ("where", "s", "the", "t", "ball", "field")


def test_there_are_twenty_categories_in_one_order_everywhere():
    assert len(CATEGORIES) == 20
    for table in (QUESTIONS, naming.TRAIN, naming.HELD_OUT, hinting.TRAIN, hinting.HELD_OUT):
        assert tuple(table) == CATEGORIES


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_enough_phrasings_of_both_kinds(category):
    bank = QUESTIONS[category]
    assert len(bank.train) + len(bank.held_out) >= 34
    assert len(bank.held_out) >= 8
    hinted = len(hinting.TRAIN[category]) + len(hinting.HELD_OUT[category])
    assert hinted / (len(bank.train) + len(bank.held_out)) == pytest.approx(0.4, abs=0.05)


def test_no_question_occurs_twice_even_in_other_case_or_punctuation():
    counts = Counter(words(text) for text in [*TAUGHT, *HELD_OUT, *TELL])
    assert [" ".join(text) for text, count in counts.items() if count > 1] == []


def test_no_held_out_question_is_a_reordered_training_question():
    taught = {tuple(sorted(words(text))) for text in [*TAUGHT, *TELL]}
    assert [text for text in HELD_OUT if tuple(sorted(words(text))) in taught] == []


def test_held_out_naming_questions_consist_of_training_words():
    taught = {word for text in TAUGHT for word in words(text)}
    asked = [word for texts in naming.HELD_OUT.values() for text in texts for word in words(text)]
    assert sum(word in taught for word in asked) / len(asked) > 0.95


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_hinting_question_does_not_name_its_category(category):
    name = " ".join(words(category))
    hints = [*hinting.TRAIN[category], *hinting.HELD_OUT[category]]
    assert [text for text in hints if re.search(rf"\b{name}s?\b", " ".join(words(text)))] == []


def test_questions_are_ascii_without_extra_blanks():
    for text in [*TAUGHT, *HELD_OUT, *TELL]:
        assert text.isascii()
        assert text == " ".join(text.split()) != ""


def test_pick_depends_on_the_generator_only():
    first, second = np.random.default_rng(7), np.random.default_rng(7)
    assert [pick("ship", first) for _ in range(20)] == [pick("ship", second) for _ in range(20)]


@pytest.mark.parametrize("held_out", [False, True])
def test_pick_returns_all_phrasings_of_its_part_and_no_others(held_out):
    rng = np.random.default_rng(0)
    bank = QUESTIONS["bridge"]
    drawn = {pick("bridge", rng, held_out=held_out) for _ in range(1000)}
    assert drawn == set(bank.held_out if held_out else bank.train)


def test_pick_refuses_an_unknown_category():
    with pytest.raises(KeyError):
        pick("submarine", np.random.default_rng(0))


@pytest.mark.parametrize("table", [said.NAMES, said.SINGULAR, said.ACTIVITIES, said.PARTS, said.HINTS, said.LOOKS])
def test_each_category_has_phrases_and_no_phrase_belongs_to_two(table):
    assert tuple(table) == CATEGORIES
    counts = Counter(words(text) for texts in table.values() for text in texts)
    assert [" ".join(text) for text, count in counts.items() if count > 1] == []


def test_a_composed_question_contains_a_phrase_of_its_category():
    pieces = [
        piece
        for table in (said.NAMES, said.SINGULAR, said.ACTIVITIES, said.PARTS, said.HINTS, said.LOOKS)
        for piece in table["harbor"]
    ]
    rng = np.random.default_rng(0)
    assert all(any(piece in question for piece in pieces) for question in (composed("harbor", rng) for _ in range(300)))


def test_a_simplified_question_loses_at_most_one_word():
    rng = np.random.default_rng(0)
    whole = words("Where would a captain steer the Ship?")
    for _ in range(100):
        left = words(simplified("Where would a captain steer the Ship?", rng))
        assert len(left) >= len(whole) - 1
        assert set(left) <= set(whole)


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_training_question_is_a_held_out_one(category):
    rng = np.random.default_rng(0)
    held = {words(text) for text in HELD_OUT}
    assert held.isdisjoint(words(training_question(category, rng)) for _ in range(1000))
