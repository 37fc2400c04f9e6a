"""Converts the regions of a stored result to a table of typed columns, the same for one region, many or none."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2s_agent.errors import T2SError
from t2s_agent.regions.fields import Field, fields_of, values_of
from t2s_agent.regions.frame import EARTH, PIXELS_WKT, Frame
from t2s_agent.regions.geojson import multipolygon, region_from
from t2s_agent.regions.region import Region
from t2s_agent.results.export.endings import EXTRA
from t2s_agent.results.files import REGIONS
from t2s_agent.results.outlines import StoredRegions, read_outlines
from t2s_agent.results.record import Record, about

if TYPE_CHECKING:
    import geopandas

LONLAT = "EPSG:4326"  # outlines are longitude, latitude, as all of these formats store it, whatever the axis order of the code
_TYPES = {"text": "string", "integer": "Int32", "real": "float64", "boolean": "boolean"}


def stored(folder: Path) -> tuple[list[Region], Frame | None]:
    """Returns the regions in a result's folder, and the frame in their file; None for files of earlier versions."""
    collection = read_outlines(folder / REGIONS)
    frame = Frame.read(collection.get("frame"))
    return [region_from(feature, frame) for feature in collection["features"]], frame


def frame_of(record: Record, frame: Frame | None) -> Frame:
    """Returns the frame in which a result is written: that of its file, or pixels with y up for files of earlier versions."""
    if record.units.on_earth:
        return EARTH
    return frame if frame is not None else Frame.pixels()


def crs_of(record: Record, frame: Frame | None) -> str:
    """Returns the CRS of outlines in files, as a code or WKT."""
    return LONLAT if record.units.on_earth else frame_of(record, frame).crs or PIXELS_WKT


def rows_of(record: Record, regions: list[Region]) -> tuple[tuple[Field, ...], list[dict[str, Any]]]:
    """Returns the fields, and the values of each region."""
    said = about(record)
    return fields_of(record.units), [values_of(region, said) for region in regions]


def to_geodataframe(record: Record, folder: Path) -> "geopandas.GeoDataFrame":
    """Returns the regions of a stored result, one per row, with its CRS. Raises `output_unwritable` if geopandas is missing.

    Columns and types are the same for an empty result. Where the image has no place on Earth the CRS is an engineering one, or
    the image's own, and `y` points up (`regions.frame`).
    """
    return geodataframe_of(record, *stored(folder))


def geodataframe_of(record: Record, regions: list[Region], stored_frame: Frame | None) -> "geopandas.GeoDataFrame":
    """`to_geodataframe` of some regions of a result, whose file has the frame `stored_frame`."""
    try:
        import geopandas
        import pandas
    except ImportError as error:
        raise T2SError("output_unwritable", "geopandas is not installed", f"Run {EXTRA}") from error
    frame = frame_of(record, stored_frame)
    fields, rows = rows_of(record, regions)
    columns = {
        field.name: pandas.Series([row[field.name] for row in rows], dtype=_TYPES[field.kind]) for field in fields
    }
    outlines = [multipolygon(each) for each in frame.to_file([region.geometry for region in regions])]
    return geopandas.GeoDataFrame(columns, geometry=outlines, crs=crs_of(record, stored_frame))


def write_csv(record: Record, folder: Path, path: Path) -> None:
    """Writes a CSV table in UTF-8; GDAL and QGIS read the outlines from the first column `WKT`. CSV cannot state its CRS."""
    regions = StoredRegions(folder / REGIONS)
    frame, said, fields = frame_of(record, regions.frame), about(record), fields_of(record.units)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["WKT", *(field.name for field in fields)])
        for region in regions:
            row, (outline,) = values_of(region, said), frame.to_file([region.geometry])
            values = (row[field.name] for field in fields)
            writer.writerow([multipolygon(outline).wkt, *("" if value is None else value for value in values)])
