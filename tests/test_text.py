"""Untrusted text is made safe to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.text import model_name, one_line, plain, without_queries

anything = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too


def test_control_characters_become_blanks_and_line_feeds_stay():
    assert plain("a\x1b[31mred\x00\tb\nc", 100) == "a [31mred  b\nc"
    assert one_line("a\nb\u2028c", 100) == "a b c"


def test_a_name_that_reads_backwards_or_cannot_be_encoded_is_shown_as_it_is():
    assert plain("photo\u202egnp.exe", 100) == "photo gnp.exe"
    assert plain("caf\udce9.tif", 100) == "caf .tif"


def test_other_scripts_stay_as_they_are():
    assert plain("Häfen 港口 مرافئ ± m²", 100) == "Häfen 港口 مرافئ ± m²"


def test_long_words_are_cut_with_a_mark():
    assert plain("x" * 500, 100) == "x" * 99 + "…"


@given(text=anything, most=st.integers(1, 80))
def test_what_comes_out_can_be_encoded_is_printable_and_no_longer_than_asked(text, most):
    shown = one_line(text, most)
    shown.encode()  # raises where it cannot be
    assert len(shown) <= most
    assert all(unicodedata.category(c)[0] != "C" for c in shown)
    assert one_line(shown, most) == shown


def test_a_model_is_shown_without_its_folder_or_address():
    assert model_name("scripted:/home/x/answers.json") == "scripted"
    assert model_name("/srv/models/mine") == "mine"
    assert model_name("https://user:secret@host.example.org/v1#qwen") == "qwen"
    assert model_name("facebook/sam2.1-hiera-small") == "facebook/sam2.1-hiera-small"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'https://h.org/a.tif?sig=a%2F&b=c' has a user", "'https://h.org/a.tif' has a user"),
        ("(https://h.org/a?sig=1), and", "(https://h.org/a), and"),
        ("s3://b/a?X=1 and https://u:p@h.org/x", "s3://b/a and https://h.org/x"),
        ("/vsicurl/https://h.org/a.tif?sig=1", "/vsicurl/https://h.org/a.tif"),
        ("at https://h.org/v1#model, why? yes", "at https://h.org/v1#model, why? yes"),
        ("a new address: https://h.org/a.tif?...", "a new address: https://h.org/a.tif?..."),
        ("Did you mean 'a.tif'?", "Did you mean 'a.tif'?"),
        ("mail a@b.org: what?", "mail a@b.org: what?"),
    ],
)
def test_addresses_are_quoted_without_user_and_query(text, shown):
    assert without_queries(text) == shown
