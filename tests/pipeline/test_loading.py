"""A large result is read in parts, and says the same as one that is read at once; what needs all of it is refused by name."""

import pytest

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Refinement, describe, refine, segment
from t2s_agent.pipeline.loading import labels_around, listed_regions
from t2s_agent.regions.region import Region
from t2s_agent.results.outlines import StoredRegions


@pytest.fixture
def tanks(engine, scene):
    return segment(engine, scene, "Where are the storage tanks?")


@pytest.fixture
def large(monkeypatch):
    """Makes every result of more than two regions a large one."""
    return lambda: monkeypatch.setattr("t2s_agent.pipeline.loading.MOST_REGIONS_HELD", 2)


def without_neighbours(description):
    measured = {name: value for name, value in description.measured.items() if "neighbour" not in name}
    return {name: value for name, value in measured.items() if name != "remarks"}


@pytest.mark.parametrize("sort_by", ["", "area", "lon"])
def test_its_measures_and_its_table_are_those_of_a_small_one(engine, tanks, large, sort_by):
    asked = {"result_id": tanks.id, "columns": ["length", "bbox"], "sort_by": sort_by}
    small = describe(engine, **asked)
    large()
    told = describe(engine, **asked)
    assert without_neighbours(told) == without_neighbours(small)
    assert told.table == small.table
    assert any("neighbours" in each for each in told.measured["remarks"])
    page = describe(engine, **asked, skip=2, most=3, facts=False)
    assert page.table.rows == small.table.rows[2:5]
    assert page.table.total == 7
    assert "count" not in page.measured


def test_one_of_its_regions_is_described_as_in_a_small_one(engine, tanks, large):
    small = describe(engine, result_id=tanks.id, region_id=5)
    large()
    assert describe(engine, result_id=tanks.id, region_id=5) == small
    with pytest.raises(T2SError, match="has no region 8") as caught:
        describe(engine, result_id=tanks.id, region_id=8)
    assert caught.value.code == "region_unknown"


def test_listing_reads_no_outline_but_all_else(engine, tanks, large):
    whole = listed_regions(engine, tanks)
    large()
    light = listed_regions(engine, tanks)
    assert isinstance(light, StoredRegions)
    assert all(region.geometry.is_empty for region in light)
    names = [name for name in Region.__slots__ if name != "geometry"]
    for one, other in zip(whole, light, strict=True):
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_what_needs_all_of_it_says_what_works_instead(engine, tanks, large):
    large()
    asked = [
        lambda: refine(engine, tanks.id, Refinement(smooth_m=2)),
        lambda: describe(engine, result_id=tanks.id, bands=True),
        lambda: describe(engine, result_id=tanks.id, other=tanks.id),
        lambda: describe(engine, result_id=tanks.id, question="What is this?"),
    ]
    for each in asked:
        with pytest.raises(T2SError, match="ask about a part with bbox") as caught:
            each()
        assert caught.value.code == "limit_exceeded"


def test_of_its_mask_the_part_around_a_region_is_read(engine, tanks, large):
    whole = labels_around(engine, tanks, 3)
    large()
    x, y, labels = labels_around(engine, tanks, 3)
    assert (whole.x, whole.y) == (0, 0)
    assert labels.size < whole.labels.size / 20
    height, width = labels.shape
    assert (labels == whole.labels[y : y + height, x : x + width]).all()
    assert (labels == 3).sum() == (whole.labels == 3).sum()


def test_regions_that_are_not_in_the_record_can_be_named(engine, scene, monkeypatch):
    monkeypatch.setattr("t2s_agent.results.record.INLINE_REGIONS", 3)
    tanks = segment(engine, scene, "Where are the storage tanks?")
    assert (len(tanks.regions), tanks.region_count) == (3, 7)
    assert refine(engine, tanks.id, Refinement(keep=(6, 7))).region_count == 2
    with pytest.raises(T2SError, match="there is no region 8"):
        refine(engine, tanks.id, Refinement(keep=(8,)))
