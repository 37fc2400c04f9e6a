"""What a small model was never taught is known before it is asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.prompting.vocabulary import FILE, Vocabulary, stem

NANO = Vocabulary.of(nano_folder("prompter"))


@pytest.mark.parametrize(
    "question",
    [
        "ships",
        "Where are the storage tanks?",
        "Which tanks are within 100 m of the quay?",
        "Could you mark all red cars and trucks?",
        "the largest roundabout",
        "Where would somebody swing at a fastball?",
        "blocks of flats",
        "What is in this image?",
    ],
)
def test_what_was_taught_is_not_refused(question):
    assert NANO.unknown(question) == ""


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("solar panels", "solar panels"),
        ("Where are the solar panels?", "solar panels"),
        ("Could you show me any wind turbines near the road?", "wind turbines"),
        ("How many crosswalks are there?", "crosswalks"),
        ("greenhouses", "greenhouses"),
        ("shps", "shps"),
    ],
)
def test_what_was_never_taught_is_named(question, unknown):
    assert NANO.unknown(question).startswith(unknown)


def test_a_word_beside_a_noun_may_be_any_where_the_noun_stands_alone_and_must_be_taught_where_it_does_not():
    known = Vocabulary(
        ("track",), {"ship": frozenset(), "track": frozenset({"running"})}, frozenset(), frozenset({"the"})
    )
    assert not known.unknown("the rusty ships")
    assert not known.unknown("the running tracks")
    assert not known.unknown("the tracks")
    assert known.unknown("the railway tracks") == "railway tracks"


def test_the_remark_says_what_is_known_and_a_near_word_for_one_that_is_misspelt():
    assert "did you mean 'ship'? it knows ship, storage tank" in NANO.remark("nano", "shps")
    assert "did you mean" not in NANO.remark("nano", "solar panels")
    assert "\n" not in NANO.remark("nano", "a\nb")


@given(st.text(max_size=200))
def test_any_text_is_judged(text):
    unknown = NANO.unknown(text)
    assert not unknown or NANO.remark("nano", unknown)


@pytest.mark.parametrize(
    ("word", "same"), [("boats", "boat"), ("ferries", "ferry"), ("churches", "church"), ("Bus", "bus")]
)
def test_a_stem_is_that_of_the_singular(word, same):
    assert stem(word) == same


def test_a_folder_without_a_list_has_no_vocabulary_and_a_damaged_one_is_named(tmp_path):
    assert Vocabulary.of(tmp_path) is None
    (tmp_path / FILE).write_text(json.dumps({"classes": []}), encoding="utf-8")
    with pytest.raises(T2SError, match="model_unavailable"):
        Vocabulary.of(tmp_path)
