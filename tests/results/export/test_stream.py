"""A result that is written in chunks gives files that hold what those of one table hold."""

import json
import os
import subprocess
import sys

import geopandas
import pyogrio
import pytest
from geopandas.testing import assert_geodataframe_equal
from pyarrow import parquet
from stored.data import stored_result
from views.data import view_of

from t2s_agent.results.export import write

BOXES = [(x, 2, x + 3, 6) for x in range(2, 50, 10)] + [(20, 20, 26, 26)]


def layer_of(path):
    return "where_are_the_tanks" if path.suffix == ".gpkg" else None  # beside the one of styles


def read(path):
    return (
        geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path, layer=layer_of(path))
    )


@pytest.fixture
def chunked(monkeypatch):
    return lambda: monkeypatch.setattr("t2s_agent.results.export.stream.CHUNK", 4)


@pytest.mark.parametrize("located", [True, False])
@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".shp", ".kml", ".csv", ".geojson"])
def test_rows_types_and_place_are_those_of_one_table(tmp_path, chunked, ending, located):
    if ending == ".kml" and not located:
        pytest.skip("KML holds places on Earth")
    record, folder = stored_result(tmp_path / "r", BOXES, view=view_of() if located else view_of(crs=None))
    one = write(tmp_path / "one" / f"a{ending}", record, folder)
    chunked()
    other = write(tmp_path / "other" / f"a{ending}", record, folder)
    if ending in (".csv", ".geojson"):
        assert one.read_bytes() == other.read_bytes()
        return
    assert_geodataframe_equal(read(other), read(one))
    if ending == ".parquet":
        files = [parquet.ParquetFile(each) for each in (one, other)]
        metadata = [json.loads(each.schema_arrow.metadata[b"geo"]) for each in files]
        assert metadata[0] == metadata[1]
        assert files[0].schema_arrow.equals(files[1].schema_arrow)
        assert [each.metadata.num_row_groups for each in files] == [1, 2]
    else:
        facts = [pyogrio.read_info(each, layer_of(each), force_total_bounds=True) for each in (one, other)]
        compared = ("layer_name", "crs", "fields", "ogr_types", "geometry_type", "features", "geometry_name")
        assert [str(facts[0][name]) for name in compared] == [str(facts[1][name]) for name in compared]
        assert facts[0]["total_bounds"] == facts[1]["total_bounds"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from stored.data import stored_result
from t2s_agent.errors import T2SError
from t2s_agent.results.export import stream, write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
stream.CHUNK = 1
path = Path(sys.argv[1])
record, folder = stored_result(path / "stored", [(10, 10, 16, 16), (30, 5, 40, 20)])
for ending in (".gpkg", ".parquet", ".fgb", ".shp", ".kml"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    file = path / f"tanks{ending}"
    write(file, record, folder)
    before = file.read_bytes()
    for most in (200, len(before) - 60):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            write(file, record, folder)
        except T2SError as error:
            assert error.code == "output_unwritable", error
        else:
            raise SystemExit(f"{file.stat().st_size} of {len(before)} bytes of {file} were written without an error")
        assert file.read_bytes() == before
"""


@pytest.mark.slow
def test_a_full_disk_is_an_error_in_chunks_too(tmp_path):
    paths = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
