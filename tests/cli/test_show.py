"""Lines and JSON as they are printed."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from t2s_agent.cli.show import Screen, aligned, finite


def test_columns_are_as_wide_as_their_widest_cell_and_nothing_is_cut():
    assert aligned([["id", "label"], ["1", "storage tank"], ["10", ""]]) == ["id  label", "1   storage tank", "10"]


@given(st.lists(st.tuples(*[st.text(st.characters(categories=["L", "N"]))] * 2), min_size=1))
def test_the_last_column_begins_at_one_place_also_where_characters_are_two_wide(rows):
    lines = aligned([[*row, "|"] for row in rows])
    assert len({cell_len(line[:-1]) for line in lines}) == 1


def test_what_is_no_number_is_null(capsys):
    Screen(as_json=True).json({"a": math.nan, "b": [1.5, -math.inf], "c": {"d": (math.inf, "x")}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": [None, "x"]}}


@given(
    st.recursive(
        st.floats() | st.text() | st.none() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_becomes_json_that_every_reader_takes(value):
    json.dumps(finite(value), allow_nan=False)


@pytest.mark.parametrize("words", ["[red]x[/red]", ":boat:", "[/]", "[link=file:///x]y[/link]"])
def test_words_are_printed_as_they_are(capsys, words):
    Screen(as_json=False).say(words)
    Screen(as_json=False).note(words)
    out, err = capsys.readouterr()
    assert (out, err) == (f"{words}\n", f"{words}\n")


def test_a_line_is_as_long_as_it_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    Screen(as_json=False).say("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1
