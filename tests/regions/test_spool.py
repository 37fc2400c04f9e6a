"""Regions in a temporary file come back as they were, in the order and in the chunks in which they were added."""

from shapely.geometry import box
from views.data import region_of

from t2s_agent.regions.spool import RegionSpool, in_chunks


def test_they_are_read_as_often_as_needed_and_leave_no_file(tmp_path):
    regions = [region_of(id_, box(id_, 0, id_ + 1, 1)) for id_ in range(1, 6)]
    with RegionSpool(tmp_path) as spool:
        for chunk in in_chunks(regions, 2):
            spool.add(chunk)
        for _ in range(2):
            assert [[each.id for each in chunk] for chunk in spool.chunks()] == [[1, 2], [3, 4], [5]]
        again = [each for chunk in spool.chunks() for each in chunk]
        assert [(each.geometry, each.area) for each in again] == [(each.geometry, each.area) for each in regions]
        assert not list(tmp_path.iterdir())


def test_an_empty_one_has_no_chunks(tmp_path):
    with RegionSpool(tmp_path) as spool:
        assert list(spool.chunks()) == []
    assert list(in_chunks([])) == []
