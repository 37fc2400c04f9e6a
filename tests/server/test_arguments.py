"""Arguments against a schema, in words that an agent can act on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.errors import T2SError
from t2s_agent.server.arguments import checked

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "whose it is"},
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "size": {"type": "number", "minimum": 0},
        "loud": {"type": "boolean"},
        "how": {"type": "string", "enum": ["fast", "slow"]},
        "points": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "ids": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        "words": {"type": "string", "maxLength": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def refused(**arguments):
    with pytest.raises(T2SError) as caught:
        checked("tool", SCHEMA, arguments)
    assert caught.value.code in ("argument_invalid", "limit_exceeded")
    return str(caught.value)


def test_what_fits_comes_back_as_it_was():
    arguments = {"name": "a", "count": 5, "size": 0, "loud": False, "how": "slow", "points": [[1, 2.5]], "ids": []}
    assert checked("tool", SCHEMA, arguments) == arguments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "tool needs name: whose it is"),
        ({"name": "a", "cuont": 1}, "no argument 'cuont'. Did you mean count"),
        ({"name": "a", "zzz": 1}, "It takes name, count, size"),
        ({"name": 1}, "name = 1 is not text"),
        ({"name": None}, "name = null is not text"),
        ({"name": "a", "count": "three"}, "count = 'three' is not a whole number"),
        ({"name": "a", "count": "2.5"}, "not a whole number"),
        ({"name": "a", "count": "6"}, "from 1 to 5"),
        ({"name": "a", "count": "true"}, "not a whole number"),
        ({"name": "a", "size": "nan"}, "not a number"),
        ({"name": "a", "size": "1" * 6000}, "not a number"),
        ({"name": "a", "count": 2.5}, "not a whole number"),
        ({"name": "a", "count": True}, "not a whole number"),
        ({"name": "a", "count": 6}, "from 1 to 5"),
        ({"name": "a", "size": -1}, "size = -1 is negative. Give a number of at least 0"),
        ({"name": "a", "count": 0}, "count = 0 is too small. Give a whole number from 1 to 5"),
        ({"name": "a", "count": 10**400}, "count = a number of more than 60 digits is too large"),
        ({"name": "a", "size": 10**400}, "size = a number of more than 60 digits is too large"),
        ({"name": "a", "size": float("inf")}, "size = Infinity is not a number"),
        ({"name": "a", "points": [[10**400, 1]]}, "is too large"),
        ({"name": "a", "ids": [1, 2, 3, 4]}, "limit_exceeded: ids has 4 entries. Give at most 3"),
        ({"name": "a", "words": "x" * 10**6}, "limit_exceeded: words has 1000000 characters. Give at most 5"),
        (
            {"name": "a", "points": nested(40)},
            "limit_exceeded: 'points' has more than 16 levels of nested lists or objects",
        ),
        (
            {"name": "a", "points": "[" * 40 + "]" * 40},
            "limit_exceeded: 'points' has more than 16 levels of nested lists or objects",
        ),
        ({"name": "a", "size": float("nan")}, "not a number"),
        ({"name": "a", "loud": "yes"}, "true or false"),
        ({"name": "a", "how": "Slow"}, "Did you mean slow"),
        ({"name": "a", "points": [1, 2]}, r"Give a list such as [[4.35"),
        ({"name": "a", "ids": [1, "two"]}, "has 'two', which is not a whole number"),
        ({"name": "a", "ids": "1, 2, 3, 4"}, "ids has 4 entries. Give at most 3"),
    ],
)
def test_what_does_not_fit_is_named(arguments, expected):
    assert expected in refused(**arguments)


def test_a_whole_number_may_be_written_with_a_point():
    assert checked("tool", SCHEMA, {"name": "a", "count": 3.0})["count"] == 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "[1, 2]", "[1, 2]"),
        ("name", "7", "7"),
        ("count", "3", 3),
        ("count", " 3.0 ", 3),
        ("size", "0.5", 0.5),
        ("size", "1e3", 1000.0),
        ("loud", "true", True),
        ("loud", "False", False),
        ("ids", "[1, 2]", [1, 2]),
        ("ids", "1, 2", [1, 2]),
        ("ids", ["1", "2"], [1, 2]),
        ("points", "[[4.35, 51.87]]", [[4.35, 51.87]]),
        ("points", [["4.35", "51.87"]], [[4.35, 51.87]]),
        ("tags", "length, width", ["length", "width"]),
        ("tags", '["length"]', ["length"]),
    ],
)
def test_what_came_as_text_is_read_by_the_schema(name, text, value):
    got = checked("tool", SCHEMA, {"name": "a", name: text})[name]
    assert got == value
    assert isinstance(got, bool) == isinstance(value, bool)


def test_null_or_empty_text_for_what_may_be_left_out_leaves_it_out():
    assert checked("tool", SCHEMA, {"name": "a", "count": None, "points": None, "words": None}) == {"name": "a"}
    assert checked("tool", SCHEMA, {"name": "a", "count": "", "points": " ", "words": ""}) == {"name": "a", "words": ""}


def test_a_tool_of_ours_refuses_unknown_names_though_its_schema_does_not_list_that():
    listed = {key: value for key, value in SCHEMA.items() if key != "additionalProperties"}
    assert checked("tool", listed, {"name": "a", "cuont": 1}) == {"name": "a", "cuont": 1}
    with pytest.raises(T2SError, match="Did you mean count"):
        checked("tool", listed, {"name": "a", "cuont": 1}, closed=True)


def test_a_schema_that_allows_more_is_obeyed():
    open_schema = {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "b": {"$ref": "#/$defs/B"}}}
    arguments = {"a": None, "b": {"any": "thing"}, "c": 1}
    assert checked("tool", open_schema, arguments) == arguments


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), json_values))
def test_whatever_is_sent_is_taken_or_refused_in_our_words(arguments):
    codes = {"argument_invalid"}
    try:
        checked("tool", SCHEMA, arguments)
    except T2SError as error:
        codes.add(error.code)
    assert codes == {"argument_invalid"}
