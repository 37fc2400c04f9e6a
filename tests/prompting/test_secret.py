"""A key is taken out of texts, however a server spells it."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.prompting.secret import PLACEHOLDERS, SHORTEST, Redaction

KEY = "made-up/key+of=tests:0123456789"


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        KEY.upper(),
        urllib.parse.quote(KEY, safe=""),
        KEY.encode().hex(),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(b"Bearer " + KEY.encode()).decode(),
        json.dumps(KEY).replace("/", "\\/").strip('"'),
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        "\u200b".join(KEY),
        KEY[:-5],
        KEY[5:],
    ],
)
def test_a_key_in_any_spelling_and_its_long_parts_are_taken_out(spelled):
    redacted = Redaction(KEY)(f"before {spelled} after")
    assert redacted.startswith("before [key]")
    assert redacted.endswith(" after")
    assert spelled not in redacted


def test_texts_without_the_key_and_short_parts_of_it_stay_as_they_are():
    text = f"the key begins with {KEY[:7]} and ends with {KEY[-7:]}"
    assert Redaction(KEY)(text) == text


@pytest.mark.parametrize("key", [*sorted(PLACEHOLDERS), "EMPTY", "x" * (SHORTEST - 1)])
def test_placeholders_are_no_keys(key):
    assert Redaction(key)(f"an {key} answer") == f"an {key} answer"


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SHORTEST, max_size=40), st.text(max_size=20)
)
def test_no_key_is_left_in_any_text(key, around):
    if key.casefold() in PLACEHOLDERS:
        return
    assert key not in Redaction(key)(around + key + around).replace("[key]", "\0")
