"""Two dates of a place: which regions are one object, and what makes that uncertain."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from t2s_agent.regions.change import Dated, compare
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.units import PIXELS

PM = 4.0


def region(id_, x, y, width, height, **more):
    shape = shapely.box(x, y, x + width, y + height)
    area, perimeter = Measure(shape.area, PM, "px2"), Measure(shape.length, 1.0, "px")
    return Region(id_, shape, area, perimeter, (x, y), shape.bounds, **more)


def compared(old, new, *, seen_old=None, seen_new=None):
    before = Dated(old, dict.fromkeys((r.id for r in old), 1.0) | (seen_old or {}))
    after = Dated(new, dict.fromkeys((r.id for r in new), 1.0) | (seen_new or {}))
    return compare(before, after, PIXELS)


def said(comparison):
    return [(match.kind, match.before, match.after) for match in comparison.matches]


def test_each_object_appeared_went_stayed_or_changed():
    old = [region(1, 0, 0, 10, 10), region(2, 50, 0, 10, 10), region(3, 100, 0, 10, 10)]
    new = [region(1, 0.2, 0, 10, 10), region(2, 50, 0, 20, 10), region(3, 200, 0, 10, 10)]
    found = compared(old, new)
    assert said(found) == [("appeared", (), (3,)), ("gone", (3,), ()), ("changed", (2,), (2,)), ("same", (1,), (1,))]
    assert [match.why for match in found.matches] == [()] * 4
    changed = found.of("changed")[0]
    assert (changed.difference.value, changed.difference.plus_minus) == (100.0, 2 * PM)
    assert changed.overlap == 0.5
    assert found.of("gone")[0].outline.equals(old[2].geometry)
    assert found.of("changed")[0].outline.equals(new[1].geometry)


def test_an_object_in_two_parts_at_one_date_is_the_same_object():
    found = compared([region(1, 0, 0, 20, 10)], [region(1, 0, 0, 10, 10), region(2, 10, 0, 10, 10)])
    assert said(found) == [("same", (1,), (1, 2))]
    assert found.matches[0].overlap == 1.0


def test_neighbours_that_overlap_a_little_are_not_joined():
    old = [region(k, 12 * k, 0, 10, 10) for k in range(5)]
    new = [region(k, 12 * k + 3, 0, 10, 10) for k in range(5)]  # shifted: each also overlaps the next one by a tenth
    assert said(compared(old, new)) == [("same", (k,), (k,)) for k in range(5)]


def test_a_small_difference_that_the_plus_minus_covers_is_no_change():
    assert said(compared([region(1, 0, 0, 10, 10)], [region(1, 0, 0, 10, 10.7)])) == [("same", (1,), (1,))]
    assert said(compared([region(1, 0, 0, 10, 10)], [region(1, 0, 0, 10, 10.9)])) == [("changed", (1,), (1,))]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ([], [region(1, 0, 0, 9, 9, unsure=True)], "is unsure"),
        ([region(1, 0, 0, 9, 9)], [region(1, 10.5, 0, 9, 9)], "may have shifted"),
        ([region(1, 0, 0, 9, 9)], [region(1, 6, 0, 30, 9)], "overlaps region 1 of the earlier date by 33%"),
        ([region(1, 0, 0, 9, 9)], [region(1, 0, 0, 30, 9)], "overlap by 30% only"),
        ([region(1, 0, 0, 9, 9)], [region(1, 0, 0, 17, 9, touches_edge=True)], "cut by the edge"),
    ],
)
def test_what_is_uncertain_says_why(old, new, why):
    assert why in "; ".join(compared(old, new).matches[0].why)


def test_what_the_other_picture_does_not_show_is_not_compared():
    found = compared([], [region(1, 0, 0, 9, 9), region(2, 50, 0, 9, 9)], seen_new={1: 0.2, 2: 0.7})
    assert said(found) == [("appeared", (), (2,))]
    assert found.not_seen_after == (1,)
    assert found.matches[0].why == ("the earlier date shows 70% of region 2",)


boxes = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(2, 20), st.integers(2, 20)), max_size=8
).map(lambda each: [region(k, *box) for k, box in enumerate(each, 1)])


@given(old=boxes, new=boxes)
def test_every_region_is_in_one_match_and_the_dates_exchanged_give_the_reverse(old, new):
    found, back = compared(old, new), compared(new, old)
    assert sorted(id_ for match in found.matches for id_ in match.before) == [r.id for r in old]
    assert sorted(id_ for match in found.matches for id_ in match.after) == [r.id for r in new]
    reverse = {"appeared": "gone", "gone": "appeared"}
    assert sorted((reverse.get(m.kind, m.kind), m.after, m.before) for m in found.matches) == sorted(said(back))
