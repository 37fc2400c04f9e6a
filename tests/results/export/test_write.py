"""Every file type holds the same regions: their number, areas, outlines, types and what was asked."""

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyarrow.parquet
import pyogrio
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from stored.data import stored_result
from views.data import view_of

from t2s_agent.errors import T2SError
from t2s_agent.regions.fields import fields_of
from t2s_agent.regions.frame import PIXELS_WKT
from t2s_agent.regions.picture import COLOURS
from t2s_agent.regions.units import METRES, PIXELS
from t2s_agent.results.export import ENDINGS, to_geodataframe, to_stac_item, write
from t2s_agent.scene import Window

BOXES = [(10, 10, 16, 16), (30, 5, 40, 20)]
MOON = {"crs": "+proj=eqc +R=1737400 +units=m +no_defs", "transform": Affine(100, 0, 50_000, 0, -100, 20_000)}
NO_PLACE = {"crs": None}


def read(path):
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, **({"layer": 0} if path.suffix == ".gpkg" else {}))


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".geojson", ".shp", ".kml"])
def test_a_file_of_any_type_has_the_regions_at_their_place_with_what_was_asked(tmp_path, ending):
    record, folder = stored_result(tmp_path / "r", BOXES)
    table = read(write(tmp_path / f"a{ending}", record, folder)).sort_values(
        "uid"
    )  # FlatGeobuf keeps its index's order
    assert table.crs.to_epsg() == 4326
    assert list(table["region_id" if ending == ".kml" else "id"]) == [1, 2]
    assert list(table["uid"]) == [f"{record.id}-1", f"{record.id}-2"]
    assert set(table["question"]) == {record.query}
    assert set(table["image"]) == {record.scene.name}
    assert "not known" in table["pm_level"].iloc[0]
    # 36 and 150 pixels of half a metre; UTM's scale is 0.9996 there
    assert table.to_crs(32633).area.tolist() == pytest.approx([9, 37.5], rel=0.02)
    assert table["area_m2"].tolist() == pytest.approx([9.01, 37.53], abs=0.01)
    assert (table["areapm_m2" if ending == ".shp" else "area_pm_m2"] > 0).all()
    if ending != ".shp":  # which knows polygons only
        assert set(table.geom_type) == {"MultiPolygon"}


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".shp"])
def test_an_empty_result_has_the_fields_types_and_geometry_of_a_full_one(tmp_path, ending):
    def schema(path):
        if ending == ".parquet":
            return pyarrow.parquet.read_schema(path).remove_metadata()
        info = pyogrio.read_info(path, layer=0)
        return list(info["fields"]), list(info["dtypes"]), info["geometry_type"], info["crs"]

    full, empty = stored_result(tmp_path / "full", BOXES), stored_result(tmp_path / "empty", [])
    paths = [write(tmp_path / f"{n}{ending}", *each) for n, each in enumerate((full, empty))]
    assert schema(paths[0]) == schema(paths[1])
    assert (len(read(paths[0])), len(read(paths[1]))) == (2, 0)


def test_two_results_are_merged_without_two_regions_of_one_id(tmp_path):
    tables = [to_geodataframe(*stored_result(tmp_path / str(n), BOXES[: n + 1])) for n in range(2)]
    merged = pandas.concat(tables)
    assert merged["uid"].is_unique
    assert sorted(merged["id"]) == [1, 1, 2]
    assert merged.crs.to_epsg() == 4326


@pytest.mark.parametrize("place", [NO_PLACE, MOON])
@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".shp", ".geojson", ".csv"])
def test_without_a_place_on_earth_outlines_lie_on_the_mask_and_no_file_says_wgs_84(tmp_path, ending, place):
    record, folder = stored_result(tmp_path / "r", BOXES, view=view_of(**({"transform": None} | place)))
    path = write(tmp_path / f"a{ending}", record, folder)
    mask = write(tmp_path / "m.tif", record, folder)
    if ending == ".csv":
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        outlines = [shapely.from_wkt(row["WKT"]) for row in rows]
        assert rows[0]["area_px2"] == "36.0"
    else:
        table = read(path)
        outlines = table.sort_values("id").geometry
        assert table.crs is not None
        assert table.crs.to_epsg() is None
        assert table["area_px2"].tolist() == [36.0, 150.0] or ending == ".fgb"
    with rasterio.open(mask) as file:
        burned = rasterio.features.rasterize(zip(outlines, (1, 2), strict=True), file.shape, transform=file.transform)
        assert (burned == file.read(1)).all()


def test_kml_of_an_image_without_a_place_is_refused_and_nothing_is_left(tmp_path):
    record, folder = stored_result(tmp_path / "r", BOXES, view=view_of(crs=None))
    with pytest.raises(T2SError) as caught:
        write(tmp_path / "out" / "a.kml", record, folder)
    assert caught.value.code == "no_georeference"
    assert not list((tmp_path / "out").iterdir())


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    record, folder = stored_result(tmp_path / "r", BOXES)
    path = write(tmp_path / "a.gpkg", record, folder)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyogrio.write_dataframe", full)
    with pytest.raises(T2SError) as caught:
        write(path, record, folder)
    assert caught.value.code == "output_unwritable"
    assert "No space left" in caught.value.what
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.gpkg", "r"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_user_named_is_replaced_and_nothing_else(tmp_path, ending):
    record, folder = stored_result(tmp_path / "r", BOXES)
    other = tmp_path / "out" / "tanks.txt"
    other.parent.mkdir()
    other.write_text("mine", encoding="utf-8")
    path = write(other.with_name(f"tanks{ending}"), record, folder)
    first = path.stat().st_ino
    assert write(path, record, folder).stat().st_ino != first
    assert other.read_text(encoding="utf-8") == "mine"
    parts = {".shx", ".dbf", ".prj", ".cpg"} if ending == ".shp" else set()
    assert {each.suffix for each in other.parent.iterdir()} == {".txt", path.suffix, *parts}


def test_fields_of_a_shapefile_are_unique_within_ten_characters(tmp_path):
    for units in (METRES, PIXELS):
        short = [field.short for field in fields_of(units)]
        assert len({name.lower() for name in short}) == len(short)
        assert max(map(len, short)) <= 10
    record, folder = stored_result(tmp_path / "r", BOXES, query="Wo " + "ä" * 200)
    info = pyogrio.read_info(write(tmp_path / "a.shp", record, folder))
    assert list(info["fields"]) == [field.short for field in fields_of(METRES)]
    question = read(tmp_path / "a.shp")["question"].iloc[0]
    assert question == "Wo " + "ä" * 125  # 253 bytes: no letter is cut in two


def test_geoparquet_has_version_crs_and_the_column_by_which_readers_skip(tmp_path):
    record, folder = stored_result(tmp_path / "r", BOXES)
    path = write(tmp_path / "a.parquet", record, folder)
    geo = json.loads(pyarrow.parquet.read_schema(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["MultiPolygon"])
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    first = geopandas.read_parquet(path).iloc[[0]]
    assert len(geopandas.read_parquet(path, bbox=tuple(first.total_bounds))) == 1


def test_a_geopackage_holds_the_layer_named_after_the_question_and_its_style(tmp_path):
    record, folder = stored_result(tmp_path / "r", BOXES, query="Where are the 2 tanks?")
    path = write(tmp_path / "a.gpkg", record, folder)
    with closing(sqlite3.connect(path)) as database:
        ((table, column, qml, default),) = database.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        )
        (about,) = database.execute("SELECT identifier FROM gpkg_contents WHERE data_type = 'features'").fetchone()
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (table, column, default) == ("where_are_the_2_tanks", "geom", 1)
    assert about == record.query
    assert re.findall(r'name="outline_color" type="QString" value="(\d+,\d+,\d+),255"', qml) == [
        ",".join(map(str, colour)) for colour in COLOURS
    ]


def test_csv_has_the_same_columns_with_and_without_regions(tmp_path):
    header = "WKT," + ",".join(field.name for field in fields_of(METRES))
    for boxes in (BOXES, []):
        record, folder = stored_result(tmp_path / str(len(boxes)), boxes)
        lines = write(tmp_path / "a.csv", record, folder).read_text(encoding="utf-8").splitlines()
        assert (lines[0], len(lines)) == (header, 1 + len(boxes))


def test_the_mask_of_a_view_that_was_made_smaller_has_square_pixels_and_the_same_areas(tmp_path):
    view = view_of(
        40, 60, transform=Affine(1.5, 0, 500_000, 0, -1.6, 5_000_000)
    )  # 90 x 64 px of which are shown as 60 x 40
    changes = {"window": (0, 0, 90, 64), "view_size": (60, 40), "width": 90, "height": 64}
    record, folder = stored_result(tmp_path / "r", BOXES, view=view)
    record = record.model_copy(update={"scene": record.scene.model_copy(update=changes)})
    with rasterio.open(folder / "mask.tif") as stored, rasterio.open(write(tmp_path / "m.tif", record, folder)) as file:
        assert file.transform.a == pytest.approx(-file.transform.e)
        assert file.transform @ (0, 0) == stored.transform @ (0, 0)
        assert file.bounds.right == pytest.approx(stored.bounds.right, abs=1.5)
        assert file.bounds.bottom == pytest.approx(stored.bounds.bottom, abs=1.5)
        for id_, box in ((1, BOXES[0]), (2, BOXES[1])):
            rows, columns = np.nonzero(file.read(1) == id_)
            area = len(rows) * abs(file.transform.determinant)
            assert area == pytest.approx((box[2] - box[0]) * (box[3] - box[1]) * 2.4, rel=0.15)
            middle = file.transform @ (columns.mean() + 0.5, rows.mean() + 0.5)
            expected = stored.transform @ ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            assert middle == pytest.approx(expected, abs=0.8)  # half a pixel


def test_a_mask_of_more_regions_than_colours_has_a_style_beside_it(tmp_path):
    boxes = [(x, y, x + 1, y + 1) for y in range(0, 40, 2) for x in range(0, 60, 2)][:300]
    record, folder = stored_result(tmp_path / "r", boxes)
    path = write(tmp_path / "m.tif", record, folder)
    qml = path.with_suffix(".qml").read_text(encoding="utf-8")
    assert qml.count("<paletteEntry") == 300
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint16",)
    (tmp_path / "n.qml").write_text("another layer's", encoding="utf-8")
    with pytest.raises(T2SError, match=r"n\.qml"):
        write(tmp_path / "n.tif", record, folder)
    assert not (tmp_path / "n.tif").exists()


@pytest.mark.parametrize("place", ["earth", "pixels"])
def test_results_of_version_0_1_are_written_in_the_form_of_today(tmp_path, place):
    old = Path(__file__).parents[2] / "data" / "stored"
    view = view_of() if place == "earth" else view_of(crs=None)
    record, folder = stored_result(tmp_path / "r", [(10, 10, 16, 16), (30, 5, 40, 20), (36, 5, 44, 18)], view=view)
    scene = record.scene.model_copy(update={"window": Window(0, 0, 60, 40), "view_size": (60, 40)})
    record = record.model_copy(update={"scene": scene})
    now = {ending: read(write(tmp_path / f"now{ending}", record, folder)) for ending in (".geojson", ".gpkg")}
    with rasterio.open(write(tmp_path / "now.tif", record, folder)) as file:
        mask, transform = file.read(1), file.transform
    (folder / "regions.geojson").write_bytes((old / f"version_0_1_{place}.geojson").read_bytes())
    (folder / "mask.tif").write_bytes((old / f"version_0_1_{place}.tif").read_bytes())
    for ending, table in now.items():
        then = read(write(tmp_path / f"then{ending}", record, folder))
        assert list(then["uid"]) == list(table["uid"])
        area = "area_m2" if place == "earth" else "area_px2"
        assert list(then[area]) == list(table[area])
        assert then.geometry.area.tolist() == pytest.approx(table.geometry.area.tolist(), rel=0.05)
        assert then.crs == table.crs
        assert then["made_from"].iloc[0] == "r_0123456789ab-4"
    with rasterio.open(write(tmp_path / "then.tif", record, folder)) as file:
        assert (file.read(1) == mask).all()
        assert file.transform == transform


def test_a_stac_item_says_what_it_is_where_it_lies_and_of_which_image(tmp_path):
    record, folder = stored_result(tmp_path / "r", BOXES)
    path = write(tmp_path / "out" / "a.stac.json", record, folder)
    item = pystac.Item.from_dict(json.loads(path.read_text(encoding="utf-8")))
    assert item.id == record.id
    mask = item.assets["mask"]
    assert (path.parent / mask.href).resolve() == (folder / "mask.tif").resolve()
    assert mask.extra_fields["file:size"] == (folder / "mask.tif").stat().st_size
    assert [each["value"] for each in mask.extra_fields["classification:classes"]] == [0, 1, 2]
    assert item.properties["proj:shape"] == [40, 60]
    assert item.get_single_link("derived_from").title == record.scene.name
    west, south, east, north = item.bbox
    assert shapely.box(west, south, east, north).contains(to_geodataframe(record, folder).union_all())
    # the same in other words: 60 x 40 px of half a metre are 600 m2
    metres = geopandas.GeoSeries([shapely.geometry.shape(item.geometry)], crs=4326).to_crs(32633)
    assert metres.area.iloc[0] == pytest.approx(600, rel=1e-3)


def test_a_stac_item_without_a_place_on_earth_has_no_geometry(tmp_path):
    item = to_stac_item(*stored_result(tmp_path / "r", BOXES, view=view_of(crs=None)))
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    assert PIXELS_WKT.split('"')[1] in item["properties"]["proj:wkt2"]


@pytest.mark.parametrize("ending", [each for each in ENDINGS if each != ".json"])
def test_a_region_over_the_limb_of_a_geostationary_image_is_clipped_and_written(tmp_path, ending):
    limb = view_of(120, 120, transform=Affine(1e5, 0, -6e6, 0, -1e5, 6e6), crs="+proj=geos +h=35785831 +sweep=x")
    record, folder = stored_result(tmp_path / "r", [(0, 40, 40, 80)], view=limb)
    path = write(tmp_path / f"a{ending}", record, folder)
    if ending in (".gpkg", ".parquet", ".fgb", ".geojson", ".shp", ".kml"):
        (outline,) = read(path).geometry
        assert outline.is_valid
        west, _, east, _ = outline.bounds
        assert -81.4 < west < east < 0  # from there Meteosat sees no further than 81.3 degrees
    elif ending == ".stac.json":
        west, south, east, north = json.loads(path.read_text(encoding="utf-8"))["bbox"]
        assert (west, south, east, north) == pytest.approx((-80, -80, 80, 80), abs=2)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from stored.data import stored_result
from t2s_agent.errors import T2SError
from t2s_agent.results.export import write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, ending = Path(sys.argv[1]), sys.argv[2]
record, folder = stored_result(path / "stored", [(10, 10, 16, 16), (30, 5, 40, 20)])
file = path / f"tanks{ending}"
write(file, record, folder)
before = file.read_bytes()
for most in (200, len(before) - 60):  # the disk is full at once, or when the end is written
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        write(file, record, folder)
    except T2SError as error:
        assert error.code == "output_unwritable", error
    else:
        raise SystemExit(f"{file.stat().st_size} of {len(before)} bytes were written without an error")
    assert file.read_bytes() == before
"""


@pytest.mark.parametrize("ending", sorted(set(ENDINGS) - {".json", ".tiff"}))
def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path, ending):
    paths = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), ending]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.parametrize("name", ["mask.tif", "new.geojson", "below/mask.tif"])
def test_no_file_is_written_into_a_stored_result(tmp_path, name):
    record, folder = stored_result(tmp_path / "r_00000001", BOXES, id="r_00000001")
    (folder / "record.json").write_text("{}", encoding="utf-8")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(T2SError, match="is a stored result, which is never changed"):
        write(folder / name, record, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "a\0.csv"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    record, folder = stored_result(tmp_path / "stored", BOXES)
    with pytest.raises(T2SError, match=r"too long|null character"):
        write(tmp_path / name, record, folder)


@pytest.mark.parametrize("ending", [".geojson", ".gpkg", ".csv"])
def test_outlines_that_are_cut_short_are_not_written_as_if_they_were_all(tmp_path, ending):
    record, folder = stored_result(tmp_path / "stored", BOXES)
    whole = (folder / "regions.geojson").read_bytes()
    (folder / "regions.geojson").write_bytes(whole[: whole.index(b"\n{") + 40])
    with pytest.raises(T2SError) as caught:
        write(tmp_path / f"a{ending}", record, folder)
    assert caught.value.code == "result_damaged"
    assert not (tmp_path / f"a{ending}").exists()
