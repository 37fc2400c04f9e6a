"""The forgiving JSON reader."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.prompting.repair import Unreadable, read_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=15,
)


@given(values)
def test_proper_json_is_read_as_json_reads_it_and_nothing_is_said(value):
    read = read_json(json.dumps(value))
    assert read.value == value
    assert read.repairs == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2,]", [1, 2]),
        ("[1,, 2 3]", [1, 2, 3]),
        ("{'a': 'x', b: None}", {"a": "x", "b": None}),
        ("[True, +5, .5, 5.]", [True, 5, 0.5, 5.0]),
        ("[{'label': \"captain's house\"},]", [{"label": "captain's house"}]),
        (r"['it\'s', 'a\nb']", ["it's", "a\nb"]),
    ],
)
def test_what_is_forgiven(text, value):
    read = read_json(text)
    assert read.value == value
    assert read.repairs == ["the JSON was repaired"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[{"a": [1, 2]}, {"a": [3', [{"a": [1, 2]}]),
        ('[{"a": [1, 2]}, {"a": "x', [{"a": [1, 2]}]),
        ('[{"a": [1, 2]}', [{"a": [1, 2]}]),
        ("[10, 56", [10]),  # 56 may have been meant to be 567
    ],
)
def test_of_a_list_that_was_cut_off_the_whole_items_stay(text, value):
    read = read_json(text)
    assert read.value == value
    assert "cut off" in read.repairs[0]


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"n": "a", "b": [1], "n": "c", "b": [2]}', [{"n": "a", "b": [1]}, {"n": "c", "b": [2]}]),
        ('{"n": "a", "b": [1], "n": "a", "b": [2]}', [{"n": "a", "b": [1]}, {"n": "a", "b": [2]}]),
        ('{"b": [1], "n": "a", "b": [2], "n": "a"}', [{"b": [1], "n": "a"}, {"b": [2], "n": "a"}]),
        ('[{"t": [1], "t": [2]}]', [[{"t": [1]}, {"t": [2]}]]),
    ],
)
def test_an_object_that_repeats_its_keys_is_several(text, value, quote):
    # QwenLM/Qwen3-VL#1720: other readers keep the last of each key, and one object of many
    read = read_json(text.replace('"', quote))
    assert read.value == value
    assert read.repairs[-1] == "an object repeats its keys: it was read as several"


def test_a_key_that_comes_again_with_the_same_value_is_one_object():
    assert read_json('{"n": "a", "n": "a", "b": [1]}').value == {"n": "a", "b": [1]}


@pytest.mark.parametrize("text", ["", "[", '[{"a": 1', "{a 1}", "[maybe]", "[" * 50_000])
def test_what_cannot_be_read_says_so(text):
    with pytest.raises(Unreadable):
        read_json(text)


@given(st.text(alphabet="[]{}\"',:\\ 1.5eE-+aTN", max_size=60))
def test_nothing_else_is_ever_raised(text):
    with contextlib.suppress(Unreadable):
        read_json(text)
