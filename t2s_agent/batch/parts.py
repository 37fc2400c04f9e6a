"""Writes the regions of stored results as one GeoParquet file, whole or not at all: under another name, flushed, renamed."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import shapely

from t2s_agent.batch.rows import Row
from t2s_agent.batch.schema import COVERING, FOLDERS, GEOMETRY, Bounds, columns_of, covering, require_pyarrow, schema_of
from t2s_agent.batch.writing import TEMPORARY, replacing
from t2s_agent.regions.fields import values_of
from t2s_agent.regions.frame import EARTH, Frame
from t2s_agent.regions.geojson import multipolygon
from t2s_agent.regions.region import Region
from t2s_agent.regions.units import METRES, Units
from t2s_agent.results.files import REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record, about
from t2s_agent.results.store import ResultStore

NAME = re.compile(r"part-[0-9a-f]{16}\.parquet")
COLUMNS_ONLY = "columns.parquet"  # no rows: the folder can be read as a table from the beginning
_GROUP = 2_000  # regions in memory together, and in one row group of a file


@dataclass(frozen=True, slots=True)
class Answered:
    """A row with its result. `units` and the number of `regions` are the record's."""

    row: Row
    record: Record
    units: Units
    regions: int


def write_part(out: Path, answered: Sequence[Answered], store: ResultStore) -> str:
    """Writes the regions of results of one kind of units; returns the file's path from `out`. Memory holds 2,000 regions.

    Raises `output_unwritable`: then nothing is left.
    """
    units = answered[0].units
    name = new_part(units)
    bounds = _bounds(outline for each in answered for _, outline in _outlined(each, store))
    _write(out / name, units, bounds, _values(answered, store))
    return name


def new_part(units: Units) -> str:
    """A new name for a part, from the output folder."""
    return f"{FOLDERS[units.area]}/part-{secrets.token_hex(8)}.parquet"


def write_columns(out: Path, units: Units = METRES) -> None:
    """Writes the file without rows, if it is not there."""
    path = out / FOLDERS[units.area] / COLUMNS_ONLY
    if not path.exists():
        _write(path, units, None, iter(()))


def remove_unknown(out: Path, known: set[str]) -> int:
    """Removes parts that the ledger does not know, and files that were being written; returns how many parts."""
    count = 0
    for name in FOLDERS.values():
        folder = out / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)
            elif NAME.fullmatch(path.name) and f"{name}/{path.name}" not in known:
                path.unlink()
                count += 1
    return count


def _write(path: Path, units: Units, bounds: Bounds | None, values: Iterator[dict[str, Any]]) -> None:
    pa = require_pyarrow()
    import pyarrow.parquet as pq

    schema = schema_of(units, bounds)
    with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := list(islice(values, _GROUP)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _values(answered: Sequence[Answered], store: ResultStore) -> Iterator[dict[str, Any]]:
    names = set(columns_of(answered[0].units).names)
    for each in answered:
        row, said = each.row, about(each.record)
        own = {
            "row_id": row.id,
            "scene": row.scene,
            "question_id": row.question_id,
            "scene_datetime": row.datetime or None,
        }
        for region, outline in _outlined(each, store):
            values = own | values_of(region, said)
            values |= {GEOMETRY: shapely.to_wkb(outline), COVERING: covering(outline.bounds)}
            yield {name: value for name, value in values.items() if name in names}


def _outlined(each: Answered, store: ResultStore) -> Iterator[tuple[Region, Any]]:
    """The regions of a stored result with their outlines in the coordinates of the part."""
    frame = EARTH if each.units.on_earth else Frame.pixels()
    for region in StoredRegions(store.artifact(each.record.id, REGIONS)):
        yield region, multipolygon(frame.to_file([region.geometry])[0])


def _bounds(outlines: Iterator[Any]) -> Bounds | None:
    found: Bounds | None = None
    for outline in outlines:
        west, south, east, north = outline.bounds
        if found is not None:
            west, south = min(west, found[0]), min(south, found[1])
            east, north = max(east, found[2]), max(north, found[3])
        found = (west, south, east, north)
    return found
