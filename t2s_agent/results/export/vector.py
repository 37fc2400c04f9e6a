"""Writes regions as GeoPackage, GeoParquet, FlatGeobuf, shapefile and KML, with geopandas and GDAL."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2s_agent.errors import T2SError
from t2s_agent.regions.fields import fields_of
from t2s_agent.regions.geojson import layer_name
from t2s_agent.results.export.stream import Change, is_long, require_rows, write_geoparquet, write_layer
from t2s_agent.results.export.style import add_style
from t2s_agent.results.export.table import to_geodataframe
from t2s_agent.results.record import Record

if TYPE_CHECKING:
    import geopandas

_GPKG = {"VERSION": "1.2"}  # version 1.4, the default of GDAL 3.9, makes GDAL before 3.7 (QGIS 3.22) warn
_PARQUET = {
    "index": False,
    "compression": "zstd",
    "geometry_encoding": "WKB",
    "schema_version": "1.1.0",
    "write_covering_bbox": True,
}
_LONGEST_DBF = 254  # bytes of a text in a shapefile


def write_geopackage(record: Record, folder: Path, path: Path) -> None:
    """Writes a GeoPackage of one layer named after the question, with a style, so that QGIS draws it like the picture."""
    layer = layer_name(record.query)
    about = {"IDENTIFIER": record.query, "DESCRIPTION": f"{record.query} ({record.id})"}
    _write(record, folder, path, "GPKG", layer, dataset_options=_GPKG, layer_options=about)
    add_style(path, layer, record.units)


def write_parquet(record: Record, folder: Path, path: Path) -> None:
    """Writes GeoParquet 1.1: WKB outlines, and their boxes in a column `bbox`, with which readers skip rows of other areas."""
    if is_long(record):
        write_geoparquet(record, folder, path, **_PARQUET)
    else:
        to_geodataframe(record, folder).to_parquet(path, **_PARQUET)


def write_flatgeobuf(record: Record, folder: Path, path: Path) -> None:
    """Writes a FlatGeobuf of one layer named after the question. Its spatial index needs at least one region."""
    index = "YES" if record.region_count else "NO"
    _write(record, folder, path, "FlatGeobuf", layer_name(record.query), SPATIAL_INDEX=index)


def write_shapefile(record: Record, folder: Path, path: Path) -> None:
    """Writes a shapefile: short field names, texts cut at 254 bytes, true and false as 1 and 0."""

    def shortened(table: "geopandas.GeoDataFrame") -> "geopandas.GeoDataFrame":
        for field in fields_of(record.units):
            if field.kind == "text":
                table[field.name] = table[field.name].map(_cut, na_action="ignore").astype("string")
            elif field.kind == "boolean":
                table[field.name] = table[field.name].astype("Int32")
        return table.rename(columns={field.name: field.short for field in fields_of(record.units)})

    _write(record, folder, path, "ESRI Shapefile", path.stem, shortened)


def write_kml(record: Record, folder: Path, path: Path) -> None:
    """Writes KML, with `uid` as name and the id as `region_id`. Raises `no_georeference` for a result without georeference."""
    if not record.units.on_earth:
        raise T2SError(
            "no_georeference",
            f"KML holds places on Earth, and {record.scene.name} has none",
            "Write .gpkg, .parquet, .fgb, .geojson, .shp or .csv",
        )

    def named(table: "geopandas.GeoDataFrame") -> "geopandas.GeoDataFrame":
        table = table.rename(columns={"id": "region_id"})  # `id` is KML's own, and a text
        table.insert(0, "Name", table["uid"])
        return table

    _write(record, folder, path, "KML", layer_name(record.query), named)


def _write(
    record: Record,
    folder: Path,
    path: Path,
    driver: str,
    layer: str,
    change: Change = lambda table: table,
    **options: Any,
) -> None:
    """Writes a layer of all regions; a long result in chunks."""
    table = None if is_long(record) else change(to_geodataframe(record, folder))
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    # GDAL does not tell that the disk is full while it ends these, so that Python writes them
    memory = BytesIO() if driver in ("FlatGeobuf", "KML") and table is not None else None
    try:
        if table is None:
            write_layer(record, folder, path, driver, layer, change, **options)
            if driver in ("FlatGeobuf", "KML"):
                require_rows(path, record.region_count)
            return
        # the geometry type is said, so that an empty layer has it too
        pyogrio.write_dataframe(
            table, memory or path, layer=layer, driver=driver, geometry_type="MultiPolygon", use_arrow=True, **options
        )
    except (DataLayerError, DataSourceError, FeatureError) as error:
        raise OSError(f"GDAL says: {error}") from error
    if memory:
        path.write_bytes(memory.getvalue())


def _cut(text: str) -> str:
    return text.encode()[:_LONGEST_DBF].decode(errors="ignore")
