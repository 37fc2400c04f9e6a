"""Filters, orders, set operations and their sources, on the demo scene."""

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, describe, refine, segment
from t2s_agent.pipeline.loading import regions_with_edges
from t2s_agent.regions.relations import nearest_of
from t2s_agent.regions.units import METRES

TANKS, SHIPS = "Where are the storage tanks?", "ships"


@pytest.fixture
def tanks(engine, scene):
    return segment(engine, scene, TANKS)


@pytest.fixture
def ships(engine, scene):
    return segment(engine, scene, SHIPS)


def stored(engine, result):
    return regions_with_edges(engine, result)


def test_a_region_knows_its_length_its_parts_and_the_edge(tanks, ships):
    for region in (*tanks.regions, *ships.regions):
        assert region.length >= region.width > 0
        assert region.length_pm > 0
        assert (region.parts, region.touches_edge, region.sources) == (1, False, ())


def test_within_and_beyond_divide_a_result(engine, tanks, ships):
    nearest = nearest_of(stored(engine, tanks), stored(engine, ships), units=METRES)
    limit = sorted(each.distance.value for each in nearest)[2]
    near = refine(engine, tanks.id, Refinement(other=ships.id, within_m=limit))
    far = refine(engine, tanks.id, Refinement(other=ships.id, beyond_m=limit))
    ids = [{source.id for region in each.regions for source in region.sources} for each in (near, far)]
    assert len(ids[0]) == 3
    assert ids[0] | ids[1] == {region.id for region in tanks.regions}
    assert not ids[0] & ids[1]
    assert near.left_out == {"within_m": len(tanks.regions) - 3}


def test_against_itself_a_region_is_not_its_own_neighbour(engine, tanks):
    nearest = nearest_of(stored(engine, tanks), stored(engine, tanks), units=METRES, itself=True)
    least = min(each.distance.value for each in nearest)
    assert refine(engine, tanks.id, Refinement(other=tanks.id, within_m=least / 2)).regions == ()
    pair = refine(engine, tanks.id, Refinement(other=tanks.id, within_m=least)).regions
    assert [region.was for region in pair] == sorted(each.id for each in nearest if each.distance.value == least)


def test_the_three_longest_are_numbered_in_that_order(engine, ships):
    made = refine(engine, ships.id, Refinement(sort_by="length", descending=True, first=3))
    lengths = sorted((region.length for region in ships.regions), reverse=True)
    assert [(region.id, region.length) for region in made.regions] == list(enumerate(lengths[:3], 1))
    by_id = {region.id: region for region in ships.regions}
    for region in made.regions:
        assert by_id[region.was].length == region.length
        assert [(each.result, each.id) for each in region.sources] == [(ships.id, region.was)]


def test_sizes_from_and_to_hold_both_ends(engine, tanks):
    areas = sorted({region.area for region in tanks.regions})
    made = refine(engine, tanks.id, Refinement(min_area_m2=areas[1] - 0.01, max_area_m2=areas[1] + 0.01))
    assert {region.area for region in made.regions} == {areas[1]}
    below, above = (sum(sign * (r.area - areas[1]) > 0 for r in tanks.regions) for sign in (-1, 1))
    assert made.left_out == {name: count for name, count in (("min_area_m2", below), ("max_area_m2", above)) if count}
    assert made.warnings == ()
    lengths = sorted(region.length for region in tanks.regions)
    made = refine(engine, tanks.id, Refinement(min_length_m=lengths[-1] - 0.01))
    assert {region.length for region in made.regions} == {lengths[-1]}


def test_a_union_of_two_results_has_the_regions_of_both_each_with_its_source(engine, tanks, ships):
    made = refine(engine, tanks.id, Refinement(other=ships.id, operation="union"))
    assert len(made.regions) == len(tanks.regions) + len(ships.regions)
    assert made.total_area == pytest.approx(tanks.total_area + ships.total_area, rel=1e-6)
    named = [(each.result, each.id) for region in made.regions for each in region.sources]
    assert named == [*((tanks.id, r.id) for r in tanks.regions), *((ships.id, r.id) for r in ships.regions)]
    again = refine(engine, made.id, Refinement(other=tanks.id, operation="union"))
    assert [region.area for region in again.regions] == [region.area for region in made.regions]
    assert [(each.result, each.id) for each in again.regions[0].sources] == [(made.id, 1), (tanks.id, 1)]


def test_areas_of_intersection_and_difference_add_up_to_the_whole(engine, tanks, ships):
    both = refine(engine, tanks.id, Refinement(other=ships.id, operation="union"))
    common = refine(engine, both.id, Refinement(other=tanks.id, operation="intersection"))
    rest = refine(engine, both.id, Refinement(other=tanks.id, operation="difference"))
    assert common.total_area == pytest.approx(tanks.total_area, rel=1e-6)
    assert rest.total_area == pytest.approx(ships.total_area, rel=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {"within_m": 5.0},
        {"beyond_m": 5.0},
        {"sort_by": "nearest"},
        {"sort_by": "colour"},
        {"descending": True},
        {"first": -1},
        {"sort_by": "x"},
        {"min_area_m2": 5, "max_area_m2": 4},
        {"min_length_m": float("nan")},
        {"max_length_m": -1.0},
        {"instruction": "only red ones", "keep": (1,)},
    ],
)
def test_what_makes_no_sense_is_refused(engine, tanks, how):
    with pytest.raises(T2SError) as caught:
        refine(engine, tanks.id, Refinement(**how))
    assert caught.value.code == "argument_invalid"
    assert [summary.id for summary in engine.store.listed().results] == [tanks.id]


def test_what_is_described_of_two_results(engine, tanks, ships):
    said = describe(engine, result_id=tanks.id, other=ships.id, pairs_within_m=1e5, columns=("length", "edge", "from"))
    measured, table = said.measured, said.table
    assert (measured["count"], measured["pairs_within"]) == (7, 7 * len(ships.regions))
    assert measured["difference_m2"] == pytest.approx(tanks.total_area - ships.total_area)
    assert measured["share_of_image"] == pytest.approx(tanks.total_area / measured["image_area_m2"], rel=1e-4)
    assert measured["image_area_m2"] == pytest.approx((640 * 0.5) ** 2, rel=1e-3)
    assert measured["regions_per_hectare"] == pytest.approx(7 / 10.24, rel=1e-3)
    assert "bands" not in measured
    names = "id area_m2 pm lon lat length_m length_pm edge from nearest_m nearest_pm nearest_id"
    assert table.columns == tuple(names.split())
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["area_m2"] for row in rows] == [region.area for region in tanks.regions]
    nearest = measured["nearest_m"]
    assert nearest["min"] == min(row["nearest_m"] for row in rows)
    assert nearest["min_ids"] in [[r["id"], r["nearest_id"]] for r in rows if r["nearest_m"] == nearest["min"]]


def test_the_two_largest_of_a_table_and_neighbours_in_the_same_result(engine, tanks):
    said = describe(engine, result_id=tanks.id, other=tanks.id, sort_by="area", descending=True, first=2)
    areas = sorted((region.area for region in tanks.regions), reverse=True)
    assert [row[1] for row in said.table.rows] == areas[:2]
    assert said.table.total == len(areas)
    assert all(row[0] != row[-1] for row in said.table.rows)
    assert "difference_m2" not in said.measured
