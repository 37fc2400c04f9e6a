"""The table of sizes, and what a question asks for by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.tiling.sizes import load_sizes


def asked(question, sizes=load_sizes()):  # noqa: B008 (read once)
    found = sizes.asked(question)
    return found and found.name


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Where are the lakes?", "lake"),
        ("tennis courts", "tennis court"),
        ("Outline ALL the large Buildings, please", "building"),
        ("lakes and cars", "car"),  # the smallest counts
        ("which ferries are there", "ferry"),
        ("a ground track field", "ground track field"),  # neither a field nor a track
        ("football field", "football field"),
        ("lakes in forests", "forest"),
        ("Where in this image are the lakes?", "lake"),
        ("lakes on the map", "lake"),
    ],
)
def test_things_are_found_by_whole_words_the_longest_first(question, name):
    assert asked(question) == name


@pytest.mark.parametrize(
    "question",
    [
        "lakes with jetties",  # it may be the jetties that are looked for
        "people's boathouses",
        "court",
        "carpark roofs",
        "tanklike things",
        "small lakes",
        "the largest lake",
        "what would you use to cross a river?",
        "Where are the?",
        "",
        "湖",
        "What is on the runway?",  # the runway is only the place
        "all that is in the lake",
        "land in a lake",
        "lakes \N{AUTOMOBILE}",
        "the 737 of the airport",
        "list A380, airport",
    ],
)
def test_a_question_with_a_word_that_is_not_in_the_table_asks_for_nothing_known(question):
    assert asked(question) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(question):
    asked(question)


def test_one_unknown_word_more_never_makes_things_larger():
    assert asked("Where are the forests quux?") is None


def test_own_entries_come_first(tmp_path):
    own = tmp_path / "sizes.toml"
    own.write_text('plain = ["our"]\n[[size]]\nwords = ["lake", "dew pond"]\nside_m = 400\n', encoding="utf-8")
    sizes = load_sizes(own)
    assert sizes.asked("our lakes").side_m == 400
    assert asked("dew ponds", sizes) == "dew pond"
    assert asked("forests", sizes) == "forest"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[size]]\nwords = []\nside_m = 1", "size.0.words"),
        ('[[size]]\nwords = ["a"]\nside_m = 0', "size.0.side_m"),
        ('[[size]]\nwords = ["a"]\nside_m = nan', "size.0.side_m"),
        ('[[size]]\nwords = ["a"]\nside_m = 1\nwidth = 2', "size.0.width"),
        ("[[sizes]]", "sizes"),
        ("= 1", "not TOML"),
    ],
)
def test_a_fault_in_a_file_is_named(tmp_path, text, why):
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(T2SError, match=why) as raised:
        load_sizes(tmp_path / "own.toml")
    assert raised.value.code == "argument_invalid"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(T2SError, match="cannot be read: No such file"):
        load_sizes(tmp_path / "own.toml")


def test_every_entry_says_where_its_number_comes_from():
    assert [entry.words for entry in load_sizes().entries if not entry.source] == []


def test_a_word_has_one_size():
    words = [word for entry in load_sizes().entries for word in entry.words]
    assert len(words) == len(set(words))
