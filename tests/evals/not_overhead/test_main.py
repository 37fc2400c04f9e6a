"""The counts of false and right remarks, on pictures of which the answer is known."""

import numpy as np

from evals.not_overhead.__main__ import false_alarms, hits, table
from evals.not_overhead.made import kinds
from evals.not_overhead.real import drawn, view_of

BLANK = np.full((200, 200, 3), 120, np.uint8)


def test_each_remark_on_an_overhead_image_is_a_false_one_and_named():
    count = false_alarms("some", [*drawn(1), ("blank.png", view_of(BLANK))])
    assert (count.of, count.remarks, count.named) == (2, 1, ("blank.png",))


def test_a_remark_is_right_where_it_is_that_of_the_kind():
    noise = kinds(1)["uniform noise"][1]
    count = hits("mixed", "noise", [*noise, BLANK, next(iter(drawn(1)))[1].rgb])
    assert (count.of, count.remarks, count.right) == (3, 2, 1)


def test_the_tables_name_both():
    text = table([false_alarms("scenes", drawn(1))], [hits("blank", "blank", [BLANK])])
    assert "| scenes | 1 | 0 |" in text
    assert "| blank | 1 | 1 | 1 |" in text


def test_pictures_of_a_seed_are_the_same_again():
    first, again = kinds(1, seed=3), kinds(1, seed=3)
    assert all((first[name][1][0] == again[name][1][0]).all() for name in first)
