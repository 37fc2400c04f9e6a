"""Writes the regions of a large result a chunk at a time, as files that hold what those of a small result hold."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2s_agent.regions.spool import in_chunks
from t2s_agent.results.export.table import geodataframe_of
from t2s_agent.results.files import REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record

if TYPE_CHECKING:
    import geopandas
    import pyarrow

CHUNK = 5_000  # regions in memory at a time, and in a row group of GeoParquet; a result of fewer is written at once
Change = Callable[["geopandas.GeoDataFrame"], "geopandas.GeoDataFrame"]


def is_long(record: Record) -> bool:
    """Whether a result is written in chunks."""
    return record.region_count > CHUNK


def tables(record: Record, folder: Path) -> "Iterator[geopandas.GeoDataFrame]":
    """Yields the regions of a stored result as tables of at most `CHUNK` rows."""
    regions = StoredRegions(folder / REGIONS)
    for chunk in in_chunks(regions, CHUNK):
        yield geodataframe_of(record, chunk, regions.frame)


def write_layer(
    record: Record, folder: Path, path: Path, driver: str, layer: str, change: Change, **options: Any
) -> None:
    """Writes a layer with GDAL, which asks for one batch of rows after the other. `change` is applied to each table.

    GDAL does not tell that a disk is full while it ends a FlatGeobuf, so that its features are counted again.
    """
    import pyarrow
    import pyogrio

    each = (change(table) for table in tables(record, folder))
    first = next(each)
    schema = _batch(first).schema

    def batches() -> "Iterator[pyarrow.RecordBatch]":
        yield _batch(first)
        for table in each:
            yield _batch(table).cast(schema)

    reader = pyarrow.RecordBatchReader.from_batches(schema, batches())
    epsg = first.crs.to_epsg()
    crs = f"EPSG:{epsg}" if epsg else first.crs.to_wkt("WKT1_GDAL")  # as pyogrio writes tables
    pyogrio.write_arrow(
        reader,
        path,
        layer=layer,
        driver=driver,
        geometry_name="geometry",
        geometry_type="MultiPolygon",
        crs=crs,
        **options,
    )


def _batch(table: "geopandas.GeoDataFrame") -> "pyarrow.RecordBatch":
    import pyarrow

    whole = pyarrow.table(table.to_arrow(index=False, geometry_encoding="WKB")).combine_chunks()
    return whole.to_batches()[0]


def require_rows(path: Path, count: int) -> None:
    """Raises OSError where a file of vectors does not hold so many rows."""
    import pyarrow
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    try:
        with pyogrio.open_arrow(path, columns=[]) as (_, stream):
            found = sum(batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(stream))
    except (DataLayerError, DataSourceError, FeatureError) as error:
        raise OSError(f"GDAL says: {error}") from error
    if found != count:
        raise OSError(f"{found} of {count} regions were written")


def write_geoparquet(record: Record, folder: Path, path: Path, **options: Any) -> None:
    """Writes GeoParquet with a row group a chunk; `options` are those of `GeoDataFrame.to_parquet`."""
    from pyarrow import parquet

    writer = None
    try:
        for table in tables(record, folder):
            memory = BytesIO()
            table.to_parquet(memory, **options)
            rows = parquet.read_table(memory)
            if writer is None:
                schema = rows.schema.with_metadata(_with_bounds(rows.schema.metadata, _bounds(folder)))
                writer = parquet.ParquetWriter(path, schema, compression=options["compression"])
            writer.write_table(rows.cast(schema), row_group_size=CHUNK)
    finally:
        if writer is not None:
            writer.close()


def _with_bounds(metadata: dict[bytes, bytes], bounds: list[float]) -> dict[bytes, bytes]:
    """The metadata of a table of the first rows, with the bounds of all rows."""
    geo = json.loads(metadata[b"geo"])
    geo["columns"]["geometry"]["bbox"] = bounds
    return metadata | {b"geo": json.dumps(geo).encode()}


def _bounds(folder: Path) -> list[float]:
    """The smallest and largest coordinates of all outlines in the coordinates of the file."""
    west, south, east, north = [], [], [], []
    for feature in StoredRegions(folder / REGIONS).features():
        box = feature["bbox"]
        crosses = box[0] > box[2]  # 180 degrees, where the outline is cut
        west.append(-180.0 if crosses else box[0])
        east.append(180.0 if crosses else box[2])
        south.append(box[1])
        north.append(box[3])
    return [min(west), min(south), max(east), max(north)]
