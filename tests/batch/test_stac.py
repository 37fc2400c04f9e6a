"""Items of STAC from JSON and stac-geoparquet: assets, places, names."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from t2s_agent.batch.scenes import find_scenes
from t2s_agent.batch.selecting import select
from t2s_agent.batch.stac import read_items
from t2s_agent.errors import T2SError

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(id_, geometry, **assets):
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": id_,
        "collection": "yards",
        "geometry": shapely.geometry.mapping(geometry),
        "bbox": list(geometry.bounds),
        "properties": {"datetime": "2026-03-01T10:00:00Z", "updated": "2026-03-02T00:00:00Z"},
        "links": [],
        "assets": assets or {"visual": {"href": f"./{id_}.tif", "type": TIFF, "roles": ["data"]}},
    }


NEAR, FIJI = shapely.box(4, 51, 5, 52), shapely.Polygon([(179, -18), (-179, -18), (-179, -17), (179, -17)])


@pytest.fixture
def collection(tmp_path):
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [item("near", NEAR), item("fiji", FIJI)]}))
    return path


@pytest.fixture
def parquet(tmp_path):
    """The same two items as stac-geoparquet writes them: nulls of other items, a box that nearly goes round the globe."""
    asset = {"href": "./near.tif", "type": TIFF, "roles": ["data"], "file:checksum": None}
    other = {"href": "./fiji.tif", "type": TIFF, "roles": ["data"], "file:checksum": "1220ab"}
    rows = [
        {"id": "near", "geometry": shapely.to_wkb(NEAR), "assets": {"visual": asset, "thumbnail": None}},
        {"id": "fiji", "geometry": shapely.to_wkb(FIJI), "assets": {"visual": other, "thumbnail": {"href": "t.png"}}},
    ]
    for row in rows:
        row |= {"collection": "yards", "bbox": {"xmin": 175.0, "ymin": -18.0, "xmax": -175.0, "ymax": -17.0}}
    path = tmp_path / "items.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("form", ["collection", "parquet"])
def test_a_scene_is_named_by_collection_item_and_asset(form, request, tmp_path):
    scenes = find_scenes([str(request.getfixturevalue(form))])
    assert [scene.name for scene in scenes] == ["yards/near/visual", "yards/fiji/visual"]
    assert [scene.image for scene in scenes] == [str(tmp_path / "near.tif"), str(tmp_path / "fiji.tif")]


@pytest.mark.parametrize("form", ["collection", "parquet"])
@pytest.mark.parametrize(
    ("bbox", "found"),
    [((170, -30, -170, 0), ["yards/fiji/visual"]), ((0, 50, 10, 55), ["yards/near/visual"]), ((-100, -30, 100, 0), [])],
)
def test_items_are_selected_by_their_geometry_also_across_180_degrees(form, bbox, found, request):
    scenes = find_scenes([str(request.getfixturevalue(form))])
    chosen = select(scenes, bbox, lambda: pytest.fail("no file needs to be opened"))
    assert [scene.name for scene in chosen.scenes] == found


def test_what_an_item_says_of_its_asset_is_its_version(collection, parquet):
    assert [scene.version for scene in find_scenes([str(collection)])] == ["2026-03-02T00:00:00Z"] * 2
    assert [scene.version for scene in find_scenes([str(parquet)])] == ["", "1220ab"]
    assert find_scenes([str(collection)])[0].datetime == "2026-03-01T10:00:00Z"


def test_the_only_picture_is_taken_and_of_several_one_must_be_named(tmp_path):
    bands = {"B04": {"href": "b4.tif", "type": TIFF}, "B03": {"href": "b3.tif", "type": TIFF}}
    meta = {"meta": {"href": "m.xml"}, "thumbnail": {"href": "t.png", "type": "image/png", "roles": ["thumbnail"]}}
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item("x", NEAR, B04=bands["B04"], **meta)))
    found = next(read_items(path)).picture()
    assert (found.image, found.asset) == (str(tmp_path / "b4.tif"), "B04")
    path.write_text(json.dumps(item("x", NEAR, **bands, **meta)))
    with pytest.raises(T2SError, match="does not say which") as error:
        next(read_items(path)).picture()
    assert error.value.fix == "Choose with --asset from B04, B03"
    assert next(read_items(path)).picture("B03").asset == "B03"
    with pytest.raises(T2SError, match="no asset 'B99'"):
        next(read_items(path)).picture("B99")


def test_an_item_without_the_asset_is_a_scene_with_a_problem_among_others(tmp_path):
    features = [item("a", NEAR, B04={"href": "a.tif", "type": TIFF}), item("b", NEAR)]
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    first, second = find_scenes([str(tmp_path / "items.json")], asset="B04")
    assert (first.name, first.problem) == ("yards/a/B04", "")
    assert (second.name, second.image) == ("yards/b/B04", "")
    assert second.problem.startswith("the item 'b': items.json has no asset 'B04'")
    with pytest.raises(T2SError, match="has no asset 'B99'"):
        find_scenes([str(tmp_path / "items.json")], asset="B99")


@pytest.mark.parametrize(
    ("href", "own", "found"),
    [
        ("https://a.org/x.tif", "", "https://a.org/x.tif"),
        ("../x.tif", "https://a.org/items/1.json", "https://a.org/x.tif"),
        ("s3://bucket/x.tif", "", "s3://bucket/x.tif"),
        ("file:///data/a%20b.tif", "", "/data/a b.tif"),
        ("/data/x.tif", "", "/data/x.tif"),
    ],
)
def test_a_href_is_relative_to_the_item(tmp_path, href, own, found):
    written = item("x", NEAR, visual={"href": href, "type": TIFF})
    written["links"] = [{"rel": "self", "href": own}] if own else []
    (tmp_path / "item.json").write_text(json.dumps(written))
    assert next(read_items(tmp_path / "item.json")).picture().image == found


@pytest.mark.parametrize(
    "text", ["", "[]", '{"type": "FeatureCollection", "features": [{"type": "Feature"}]}', '{"a": 1}']
)
def test_json_that_is_no_item_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(T2SError) as error:
        list(read_items(tmp_path / "x.json"))
    assert error.value.code == "argument_invalid"


def test_the_bands_of_an_item_are_those_of_its_picture(tmp_path):
    bands = [{"name": name, "eo:common_name": name} for name in ("blue", "green", "red", "nir")]
    asset = {"href": "x.tif", "type": TIFF, "bands": bands}
    (tmp_path / "item.json").write_text(json.dumps(item("x", NEAR, data=asset)))
    assert find_scenes([str(tmp_path / "item.json")])[0].bands == "3,2,1"


def test_files_are_selected_by_their_own_place(scenes, job):
    from t2s_agent.pipeline import Engine

    found = find_scenes([str(scenes)])
    with_b = select(found, (3.0014, 51.4, 3.0020, 51.5), lambda: Engine.open(job.settings))
    assert [scene.name for scene in with_b.scenes] == ["b.tif"]
