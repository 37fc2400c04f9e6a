"""Parts: one schema whatever is null, GeoParquet metadata, and the product's own values; read by geopandas and DuckDB."""

import json

import geopandas
import pyarrow.parquet as pq
import pytest
from archive.data import TANKS, write_scene

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.scenes import find_scenes
from t2s_agent.batch.schema import ROW_COLUMNS
from t2s_agent.errors import T2SError
from t2s_agent.results.export import write
from t2s_agent.results.store import ResultStore


def files(out):
    return sorted((out / "parts").glob("*.parquet"))


def test_all_parts_have_one_schema_also_the_one_without_rows(run, job):
    run()
    schemas = [pq.read_schema(path) for path in files(job.out)]
    assert len(schemas) > 1
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert geopandas.read_parquet(job.out / "parts" / "columns.parquet").empty


def test_a_part_has_geoparquet_metadata_with_its_box_and_crs(run, job):
    run()
    path = files(job.out)[-1]
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["MultiPolygon"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    assert column["bbox"] == pytest.approx(geopandas.read_parquet(path).total_bounds, abs=0)


def test_the_columns_have_the_values_of_the_products_own_geoparquet(run, job, tmp_path):
    run()
    store = ResultStore(job.results)
    line = next(iter(Ledger(job.out).lines.values()))
    own = geopandas.read_parquet(write(tmp_path / "own.parquet", store.load(line.result), job.results / line.result))
    table = geopandas.read_parquet(job.out / "parts")
    table = table[table["row_id"] == line.id].drop(columns=list(ROW_COLUMNS)).reset_index(drop=True)
    for name in table.columns:
        assert table[name].notna().tolist() == own[name].notna().tolist(), name
        assert table[name].dropna().tolist() == own[name].dropna().tolist(), name
    assert {*own.columns} - {"bbox"} == {*table.columns} - {"bbox"}


def test_a_region_across_180_degrees_is_in_a_part(run, job, tmp_path):
    write_scene(tmp_path / "far" / "x.tif", west=0.0, crs="EPSG:3832")  # PDC Mercator: x = 0 is 150 E
    write_scene(
        tmp_path / "far" / "y.tif", west=3_339_584.7 - 12, crs="EPSG:3832"
    )  # 180 E lies 12 m from the left edge
    run(scenes=find_scenes([str(tmp_path / "far")]))
    table = geopandas.read_parquet(job.out / "parts")
    crossing = table[table["scene"] == "y.tif"].iloc[0].geometry
    assert crossing.bounds[0] == -180
    assert crossing.bounds[2] == 180


def test_duckdb_reads_the_folder_as_one_table(run, job):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    run()
    found = duckdb.sql(
        f"SELECT l.scene, count(p.id), any_value(p.question) FROM read_json('{job.out}/ledger.jsonl') l "
        f"LEFT JOIN '{job.out}/parts/*.parquet' p ON p.row_id = l.id GROUP BY ALL ORDER BY 1"
    ).fetchall()
    assert found == [("a.tif", 2, TANKS), ("b.tif", 2, TANKS), ("deeper/c.tif", 2, TANKS)]


def test_a_part_that_cannot_be_written_stops_the_run_and_leaves_nothing(run, job, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t2s_agent.batch.writing.os.fsync", full)
    with pytest.raises(T2SError) as error:
        run()
    assert error.value.code == "output_unwritable"
    assert Ledger(job.out).lines == {}
    assert files(job.out) == []
    monkeypatch.undo()
    assert run().done == 3
