"""Regions read one at a time are those of the whole file, in all versions of the format, and few are in memory."""

import json
import tracemalloc

import pytest
from stored.data import stored_result
from views.data import view_of

from t2s_agent.errors import T2SError
from t2s_agent.regions.geojson import regions_from
from t2s_agent.results.outlines import StoredRegions

BOXES = [(x, 2, x + 3, 6) for x in range(2, 50, 5)]


def file_of(tmp_path, boxes=BOXES, **changes):
    return stored_result(tmp_path / "r_1", boxes, **changes)[1] / "regions.geojson"


def as_one_line(path):
    """The file as earlier versions wrote it."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":")) + "\n")
    return path


def facts(region):
    return region.id, region.geometry.wkt, region.area, region.centroid, region.bbox


@pytest.mark.parametrize("located", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("query", ["ships", 'say "features": [{ and \\"features\\":[ ü \n{'])
def test_they_are_those_of_the_whole_file(tmp_path, old, located, query):
    path = file_of(tmp_path, view=view_of() if located else view_of(crs=None), query=query)
    path = as_one_line(path) if old else path
    regions = StoredRegions(path)
    whole = [facts(region) for region in regions_from(json.loads(path.read_text(encoding="utf-8")))]
    assert [facts(region) for region in regions] == whole
    assert [facts(regions[i]) for i in range(len(regions))] == whole
    assert facts(regions[-1]) == whole[-1]
    assert [facts(region) for region in regions[2:8:3]] == whole[2:8:3]


def test_one_is_found_by_its_id_and_an_unknown_id_names_those_there_are(tmp_path):
    regions = StoredRegions(file_of(tmp_path))
    assert regions.by_id(3).id == 3
    for id_ in (0, -1, 11):
        with pytest.raises(T2SError, match=r"1, 2, 3, 4, 5, 6, 7, 8, 9, 10") as caught:
            regions.by_id(id_)
        assert caught.value.code == "region_unknown"
    with pytest.raises(IndexError):
        regions[10]


def test_a_result_without_regions_has_none(tmp_path):
    path = file_of(tmp_path, boxes=[])
    assert list(StoredRegions(path)) == []
    assert list(StoredRegions(as_one_line(path))) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"features": [\n{"type": 1\n]}', '{"features":[{"a":'])
def test_a_damaged_file_is_named_as_such(tmp_path, text):
    path = file_of(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(T2SError) as caught:
        list(StoredRegions(path))
    assert caught.value.code == "result_damaged"


def test_a_file_that_is_gone_is_named_as_such(tmp_path):
    path = file_of(tmp_path)
    path.unlink()
    with pytest.raises(T2SError) as caught:
        len(StoredRegions(path))
    assert caught.value.code == "result_damaged"


def test_going_through_many_holds_few(tmp_path):
    path = file_of(tmp_path, boxes=BOXES[:1])
    head, feature, end = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(head + (feature.rstrip() + ",\n") * 4_999 + feature + end, encoding="utf-8")
    regions = StoredRegions(path)
    tracemalloc.start()
    count = sum(1 for _ in regions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 5_000
    assert peak < 1_000_000 < path.stat().st_size / 3


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("kept", [3, 5])
def test_a_file_that_is_cut_between_two_features_is_damaged_and_not_a_shorter_result(tmp_path, old, kept):
    path = file_of(tmp_path)
    between = b",\n{" if not old else b',{"type":"Feature"'
    data = (as_one_line(path) if old else path).read_bytes()
    path.write_bytes(between.join(data.split(between)[:kept]) + (b"," if old else b",\n"))
    with pytest.raises(T2SError) as caught:
        len(StoredRegions(path))
    assert caught.value.code == "result_damaged"
