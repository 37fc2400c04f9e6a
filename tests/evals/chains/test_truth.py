"""Exact answers, worked by hand on a scene of rectangles."""

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from yard.data import K, scene_of, yard

from evals.chains.scenes import Thing, mask_of
from evals.chains.selection import Selection, Truth
from evals.chains.truth import Exact, work_out

YARD = yard()


def answer_of(scene, measure, of, **more):
    return work_out(scene, Truth(measure=measure, of=of, **more)).answer


TANKS = {"things": "tank"}


def test_measures_are_those_of_the_ground_not_of_the_map():
    assert answer_of(YARD, "total_area", TANKS) == pytest.approx((200 + 200 + 600) / K**2, rel=1e-5)
    assert answer_of(YARD, "median_area", TANKS) == pytest.approx(200 / K**2, rel=1e-5)
    assert answer_of(YARD, "total_perimeter", TANKS) == pytest.approx((60 + 60 + 100) / K, rel=1e-5)
    assert answer_of(YARD, "longest", TANKS) == pytest.approx(30 / K, rel=1e-5)
    assert answer_of(YARD, "share_of_image", TANKS) == pytest.approx(100 * 1000 / 250_000, rel=1e-5)
    assert answer_of(YARD, "per_hectare", TANKS) == pytest.approx(3 / 25 * K**2, rel=1e-4)


def test_distances_go_from_edge_to_edge():
    assert answer_of(YARD, "nearest_distance", TANKS, to={"things": "shed"}) == pytest.approx(20 / K, rel=1e-5)
    assert answer_of(YARD, "nearest_distance", TANKS) == pytest.approx(55 / K, rel=1e-5)
    assert answer_of(YARD, "distance_of_nth", TANKS, to={"things": "shed"}, n=2) == pytest.approx(190 / K, rel=1e-5)
    assert answer_of(YARD, "pairs_within", TANKS, metres=56) == 1
    assert answer_of(YARD, "pairs_within", TANKS, metres=141) == 2


def test_an_orientation_is_counted_clockwise_from_north():
    slanted = shapely.affinity.rotate(
        shapely.box(400, 480, 600, 520), -30, origin="center"
    )  # up to the right on the map
    scene = scene_of()
    scene.things.append(Thing("ship", slanted, *mask_of(slanted)))
    assert answer_of(scene, "orientation", {"things": "ship"}) == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        ({"things": "tank", "inside": {"things": "yard"}}, 2),
        ({"things": "tank", "outside": {"things": "yard"}}, 1),
        ({"things": "tank", "within": {"metres": 60, "of": {"things": "shed"}}}, 1),
        ({"things": "tank", "beyond": {"metres": 60, "of": {"things": "shed"}}}, 2),
        ({"things": "tank", "area_from": 300}, 1),
        ({"things": "tank", "bbox": (0, 0, 0.5, 1)}, 2),
        ({"any_of": [{"things": "tank"}, {"things": "shed"}]}, 4),
        ({"things": "tank", "minus": {"things": "tank", "first": {"count": 1, "by": "area"}}}, 2),
        ({"things": "tank", "nearest_to": {"things": "shed"}}, 1),
        ({"things": "plane"}, 0),
    ],
)
def test_selections_keep_what_they_say(selection, count):
    assert answer_of(YARD, "count", selection) == count


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12, unique=True), st.floats(1, 200)
)
def test_what_is_within_and_what_is_beyond_make_the_whole(places, metres):
    tanks = [("tank", x * 90 + 10, y * 90 + 10, x * 90 + 50, y * 90 + 50) for x, y in places]
    scene = scene_of(("shed", 930, 930, 960, 960), *tanks)
    near = Selection.model_validate({"things": "tank", "within": {"metres": metres, "of": {"things": "shed"}}})
    far = Selection.model_validate({"things": "tank", "beyond": {"metres": metres, "of": {"things": "shed"}}})
    exact = Exact(scene)
    assert sorted(exact.chosen(near) + exact.chosen(far)) == exact.chosen(Selection(things="tank"))
    assert exact.chosen(Selection(all_of=[near, far])) == []


def test_totals_that_differ_by_less_than_their_edges_are_undecided():
    close = {"to": {"things": "shed"}, "names": ("tanks", "sheds")}
    assert answer_of(YARD, "larger_total", TANKS, **close) == "tanks"
    equal = scene_of(("tank", 100, 100, 140, 140), ("shed", 300, 300, 340, 341))
    assert answer_of(equal, "larger_total", TANKS, **close) == "undecided"


def test_the_mask_of_an_outline_is_not_wider_than_it():
    disc = shapely.Point(100.3, 80.6).buffer(20, 64)
    mask, offset = mask_of(disc)
    assert mask.sum() == pytest.approx(disc.area, rel=0.005)
    assert offset == (60, 80)


def test_the_northernmost_have_the_highest_latitude():
    stacked = scene_of(("tank", 100, 100, 120, 120), ("tank", 100, 300, 130, 330), ("tank", 100, 600, 140, 640))
    north = {"things": "tank", "first": {"count": 1, "by": "north"}}
    assert answer_of(stacked, "total_area", north) == pytest.approx(100 / K**2, rel=1e-5)
    south = {"things": "tank", "first": {"count": 1, "by": "north", "smallest": True}}
    assert answer_of(stacked, "total_area", south) == pytest.approx(400 / K**2, rel=1e-5)


def test_a_thing_alone_among_its_kind_has_no_neighbour():
    alone = scene_of(("shed", 100, 100, 120, 120), ("tank", 400, 100, 420, 120))
    both = {"any_of": [{"things": "shed"}, {"things": "tank"}]}
    near = {"all_of": [both], "within": {"metres": 1000, "of": {"things": "shed"}}}
    assert answer_of(alone, "count", near) == 1
