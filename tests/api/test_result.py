"""A result as an object: what it holds, what it writes, how it is shown."""

import base64
import builtins
import io
import json

import geopandas
import matplotlib as mpl
import numpy as np
import pytest
import shapely
from PIL import Image

from t2s_agent import pipeline
from t2s_agent.api.result import Result
from t2s_agent.errors import T2SError

mpl.use("Agg")
EVIL = '<script>alert("1")</script>'


def test_it_has_what_its_record_says_without_holding_the_regions_of_the_record(stored):
    result = stored(warnings=("half of it is nodata",))
    assert (result.status, result.question, result.warnings) == (
        "found",
        "Where are the tanks?",
        ("half of it is nodata",),
    )
    assert [region.area for region in result.record.regions] == [round(r.area.value, 2) for r in result.regions]
    assert result._head.regions == ()
    assert result.total_area.value == pytest.approx(sum(region.area.value for region in result.regions), abs=0.1)


def test_regions_are_at_their_place_on_earth(stored):
    first, second = stored().regions
    assert first.geometry.bounds[0] < second.geometry.bounds[0]
    assert first.geometry.centroid.x == pytest.approx(15.00008, abs=1e-4)  # 6.5 m east of the zone's central meridian
    assert first.area.value == pytest.approx(36 * 0.25, rel=0.01)


def test_the_mask_is_the_file_and_may_not_be_changed(stored):
    result = stored()
    assert np.unique(result.mask).tolist() == [0, 1, 2]
    assert np.count_nonzero(result.mask == 1) == 36
    with pytest.raises(ValueError, match="read-only"):
        result.mask[0, 0] = 1


def test_it_is_found_again_by_its_id_a_beginning_of_it_and_last(stored, engine):
    result = stored()
    for name in (result.id, result.id[:12], "last"):
        assert Result.open(name, store=engine.store.folder) == result
    with pytest.raises(T2SError) as caught:
        Result.open("r_ffffffff", store=engine.store.folder)
    assert caught.value.code == "result_unknown"


def test_its_geo_interface_is_what_its_regions_are(stored):
    result = stored()
    table = geopandas.GeoDataFrame.from_features(result)
    assert [shapely.equals(a, b.geometry) for a, b in zip(table.geometry, result.regions, strict=True)] == [True, True]
    assert table["area_m2"].tolist() == [region.area.value for region in result.regions]


def test_a_result_without_a_place_on_earth_gives_pixels(stored):
    result = stored(located=False)
    assert result.regions[0].geometry.bounds == (10, 10, 16, 16)
    assert result.__geo_interface__["features"][0]["properties"]["area_px2"] == 36
    assert "px2" in repr(result)


def test_to_file_writes_and_to_geodataframe_gives_the_same_rows(stored, tmp_path):
    result = stored()
    written = geopandas.read_file(result.to_file(tmp_path / "new" / "a.gpkg"))
    assert written["uid"].tolist() == result.to_geodataframe()["uid"].tolist() == [f"{result.id}-1", f"{result.id}-2"]


def test_a_repr_has_a_few_lines(stored):
    text = repr(stored(warnings=("a", "b", "c")))
    assert text.splitlines()[0].endswith(": found")
    assert "2 regions" in text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize("field", ["query", "warnings", "label"])
def test_html_holds_the_picture_and_a_table_and_no_word_of_others_as_markup(stored, field):
    changes = {"query": {"query": EVIL}, "warnings": {"warnings": (EVIL,)}, "label": {}}[field]
    result = stored(**changes)
    if field == "label":
        path = result.geojson_path
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"id":1,', '"id":1,"label":"<script>alert(1)</script>",'), encoding="utf-8")
        assert result.regions[0].label.startswith("<script>")
    page = result._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    data = page.partition("base64,")[2].partition('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(data))).width <= 720
    assert page.count("<tr>") == 3


def test_html_of_many_regions_shows_ten_and_says_how_many_there_are(stored):
    page = stored(boxes=[(x, 2, x + 3, 5) for x in range(2, 56, 4)])._repr_html_()
    assert page.count("<tr>") == 11
    assert "and 4 more regions" in page


def test_an_empty_result_is_shown_and_written_as_any(stored, tmp_path):
    result = stored(boxes=())
    assert (len(result.regions), list(result.regions), result.mask.max()) == (0, [], 0)
    assert "0 regions" in result._repr_html_()
    assert len(geopandas.read_file(result.to_file(tmp_path / "a.fgb"))) == 0
    assert result.plot(image=False).get_title() == result.question


def test_plot_draws_each_region_in_the_reference_system_of_the_image(stored):
    result = stored(query="Where is $x?")
    ax = result.plot(image=False)
    west = ax.collections[0].get_datalim(ax.transData).x0
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    assert west == pytest.approx(500_005, abs=0.1)  # 10 pixels of half a metre
    assert ax.get_title() == "Where is $x?"
    ax.figure.canvas.draw()


def test_plot_names_the_image_that_is_gone(stored):
    with pytest.raises(T2SError) as caught:
        stored().plot()
    assert caught.value.code == "image_not_found"


def test_explore_writes_no_word_of_others_as_markup(stored):
    page = stored(query=EVIL).explore(tiles=None).get_root().render()
    assert EVIL not in page
    assert "alert(&quot;1&quot;)" in page or "alert(\\u0026quot;1\\u0026quot;)" in page


def test_explore_of_an_image_without_a_place_on_earth_is_refused(stored):
    with pytest.raises(T2SError) as caught:
        stored(located=False).explore()
    assert caught.value.code == "no_georeference"


@pytest.mark.parametrize(
    ("library", "use", "extra"),
    [
        ("matplotlib", lambda result: result.plot(image=False), "plot"),
        ("folium", lambda result: result.explore(), "explore"),
        ("geopandas", lambda result: result.to_geodataframe(), "geo"),
    ],
)
def test_a_missing_library_is_named_with_the_extra_to_install(stored, monkeypatch, library, use, extra):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == library:
            raise ImportError(name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(T2SError, match=rf'pip install "t2s-agent\[{extra}\]"') as caught:
        use(stored())
    assert caught.value.code == "output_unwritable"


@pytest.mark.parametrize("what", ["mask", "picture"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_is_gone_or_cut_short_is_a_damaged_result(stored, what, gone):
    result = stored()
    path = result.mask_path if what == "mask" else result.picture_path
    if gone:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes((path.read_bytes() if path.exists() else b"")[:150])
    with pytest.raises(T2SError) as caught:
        getattr(result, what)
    assert caught.value.code == "result_damaged"


def test_ids_and_numbers_may_come_from_arrays_and_tables(stored, monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "refine", lambda engine, id_, how, **_: asked.append(how) or engine.store.load(id_))
    result = stored()
    table = result.to_geodataframe()
    largest = table.loc[table["area_m2"] == table["area_m2"].max(), "id"]
    result.refine(keep=largest, first=np.int64(1), point=np.array([[15.0001, 2.0]]), box=np.array([15, 1, 16, 2]))
    [how] = asked
    kept = json.loads(json.dumps([how.keep, how.first, how.positive, how.box]))  # a record keeps it as JSON
    assert kept == [[2], 1, [[15.0001, 2.0]], [15, 1, 16, 2]]


@pytest.mark.parametrize("options", [
    {"keep": 1}, {"keep": ["a"]}, {"drop": [1.5]}, {"first": 1.5}, {"point": [("a", 1)]}, {"point": (4.3, 51.9)},
    {"not_point": [(1, 2, 3)]}, {"box": "1,2,3,4"}, {"box": (None, 1, 2, 3)}, {"keep": [1], "min_area_m2": "5"},
])  # fmt: skip
def test_an_argument_of_another_type_is_named(stored, options):
    with pytest.raises(T2SError) as caught:
        stored().refine(**options)
    assert caught.value.code in ("argument_invalid", "bbox_invalid")
    assert any(name in str(caught.value) for name in (*options, "box"))
