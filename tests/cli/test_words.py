"""What people write on the command line, and what is made of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.cli import words
from t2s_agent.errors import T2SError

BOX = (4.33, 51.9, 4.34, 51.91)


@pytest.mark.parametrize(
    "written",
    [
        "--bbox 4.33 51.9 4.34 51.91",
        "--bbox 4.33,51.9,4.34,51.91",
        "--bbox 4.33, 51.9, 4.34, 51.91",
        "--bbox 4.33,51.9 4.34,51.91",
        "--bbox [4.33, 51.9, 4.34, 51.91]",
    ],
)
def test_a_box_is_written_with_blanks_or_commas(written):
    option, value, image, query = words.joined_values([*written.split(), "a.tif", "ships"])
    assert (option, image, query) == ("--bbox", "a.tif", "ships")
    assert words.box(value, "--bbox") == BOX


def test_a_box_in_quotes_and_one_behind_an_equals_sign_stay_one_word():
    assert words.joined_values(["--bbox", "4.33, 51.9, 4.34, 51.91", "a.tif"])[1:] == [
        "4.33, 51.9, 4.34, 51.91",
        "a.tif",
    ]
    assert words.joined_values(["--bbox=4.33,51.9,4.34,51.91", "a.tif"]) == ["--bbox=4.33,51.9,4.34,51.91", "a.tif"]


@given(st.tuples(*[st.floats(-180, 180)] * 4))
def test_any_four_numbers_come_back_whichever_way_they_are_written(numbers):
    for separator in (" ", ",", ", ", ";"):
        _, value, image = words.joined_values(["--bbox", *separator.join(map(repr, numbers)).split(" "), "a.tif"])
        assert words.box(value, "--bbox") == numbers
        assert image == "a.tif"


def test_western_longitudes_are_numbers_and_no_options():
    assert words.joined_values(["--point", "-122.5", "37.7", "--drop", "3"]) == [
        "--point",
        "-122.5 37.7",
        "--drop",
        "3",
    ]


def test_nothing_is_gathered_behind_two_dashes():
    assert words.joined_values(["--", "--bbox", "1", "2", "3", "4"]) == ["--", "--bbox", "1", "2", "3", "4"]


@pytest.mark.parametrize("text", ["4,33 51,9 4,34 51,91", "4,33;51,9;4,34;51,91"])
def test_decimal_commas_are_recognised(text):
    _, value = words.joined_values(["--bbox", *text.split()])
    with pytest.raises(T2SError, match="decimal commas") as caught:
        words.box(value, "--bbox")
    assert caught.value.code == "bbox_invalid"


@pytest.mark.parametrize("text", ["1 2 3", "1,2,3,4,5", "a,b,c,d", "", "4.33E 51.9N 4.34E 51.91N"])
def test_what_is_not_four_numbers_is_said_with_an_example(text):
    with pytest.raises(T2SError) as caught:
        words.box(text, "--bbox")
    assert (caught.value.code, "4.33,51.90" in caught.value.fix) == ("bbox_invalid", True)


def test_points_are_pairs():
    assert words.points(["4.3, 51.9", "4.4 52"], "--point") == ((4.3, 51.9), (4.4, 52.0))
    with pytest.raises(T2SError) as caught:
        words.points(["4.3"], "--point")
    assert caught.value.code == "argument_invalid"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["3"], (3,)), (["1,2,3"], (1, 2, 3)), (["1-3"], (1, 2, 3)), (["2", "1-2, 7"], (2, 1, 7)), ([], ()), (None, ())],
)
def test_ids_come_alone_in_lists_and_in_ranges(texts, expected):
    assert words.ids(texts, "--keep") == expected


def test_ids_that_follow_each_other_are_one_list():
    assert words.joined_values(["--drop", "1", "2-4", "--json", "last"]) == ["--drop", "1 2-4", "--json", "last"]
    assert words.joined_values(["--drop", "1", "last"]) == ["--drop", "1", "last"]


@pytest.mark.parametrize("text", ["one", "3-1", "-1", "1-", "1.5", "1-999999999", "99999999999999999999"])
def test_what_is_no_id_is_named(text):
    with pytest.raises(T2SError) as caught:
        words.ids([text], "--drop")
    assert (caught.value.code, text in caught.value.what) == ("argument_invalid", True)


def test_since_is_a_date_a_time_or_how_long_ago():
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert words.since("7d", now) == now - timedelta(days=7)
    assert words.since("90min", now) == now - timedelta(minutes=90)
    assert words.since("2026-03-01", now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert words.since("2026-03-01T14:30+02:00", now) == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["tomorrow", "7", "99999999999w", "2026-13-01", ""])
def test_what_is_no_time_is_said(text):
    with pytest.raises(T2SError) as caught:
        words.since(text)
    assert caught.value.code == "argument_invalid"
