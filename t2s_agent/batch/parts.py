"""Writes what rows found as one GeoParquet file, whole or not at all: under another name, flushed, renamed."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import shapely

from t2s_agent.batch.ledger import Changed
from t2s_agent.batch.rows import Row
from t2s_agent.batch.schema import (
    CHANGES,
    COVERING,
    DATETIME_AFTER,
    GEOMETRY,
    REGIONS,
    ROW_COLUMNS,
    TABLES,
    Bounds,
    Table,
    columns_of,
    covering,
    require_pyarrow,
    schema_of,
)
from t2s_agent.batch.writing import TEMPORARY, replacing
from t2s_agent.pipeline.change import Change
from t2s_agent.regions.change import KINDS
from t2s_agent.regions.fields import values_of
from t2s_agent.regions.frame import EARTH, Frame
from t2s_agent.regions.geojson import multipolygon
from t2s_agent.regions.region import Geometry
from t2s_agent.regions.units import Units
from t2s_agent.results.files import REGIONS as REGIONS_FILE
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record, about
from t2s_agent.results.store import ResultStore

NAME = re.compile(r"part-[0-9a-f]{16}\.parquet")
COLUMNS_ONLY = "columns.parquet"  # no rows: the folder can be read as a table from the beginning
_GROUP = 2_000  # regions in memory together, and in one row group of a file


class Outlined(Protocol):
    """What one row adds to a part of `table`."""

    @property
    def row(self) -> Row: ...

    @property
    def table(self) -> Table: ...

    def facts(self) -> dict[str, Any]:
        """Values of the row's line in the ledger."""

    def outlines(self, store: ResultStore) -> Iterator[tuple[dict[str, Any], Any]]:
        """Values of columns, and the outline in the coordinates of the part. They are taken twice."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A row with its result."""

    row: Row
    record: Record

    @property
    def table(self) -> Table:
        return REGIONS[self.record.unit_area]

    def facts(self) -> dict[str, Any]:
        """Values of the row's line in the ledger."""
        return _of_record(self.record)

    def outlines(self, store: ResultStore) -> Iterator[tuple[dict[str, Any], Any]]:
        """The regions of the stored result."""
        own, said = _of_row(self.row), about(self.record)
        for region in StoredRegions(store.artifact(self.record.id, REGIONS_FILE)):
            yield own | values_of(region, said), _outline(region.geometry, self.record.units)


@dataclass(frozen=True, slots=True)
class Compared:
    """A row of two dates with what changed."""

    row: Row
    change: Change

    @property
    def table(self) -> Table:
        return CHANGES[self.change.before.unit_area]

    def facts(self) -> dict[str, Any]:
        """Values of the row's line in the ledger. It is `partly` done, or not understood, where one of the dates is."""
        dates = self.change.before, self.change.after
        both = [_of_record(date) for date in dates]
        matches = len(self.change.comparison.matches)
        doubtful = [date.status for date in dates if date.status in ("not_understood", "partly")]
        return both[1] | {
            "status": min(doubtful, default="found" if matches else "empty"),
            "result": self.change.before.id,
            "result_after": self.change.after.id,
            "regions": matches,
            "not_looked_at": max(each["not_looked_at"] for each in both),
            "windows_left": sum(each["windows_left"] for each in both),
            "tokens": sum(each["tokens"] for each in both),
            "change": _changed(self.change),
        }

    def outlines(self, store: ResultStore) -> Iterator[tuple[dict[str, Any], Any]]:  # noqa: ARG002 (the protocol's; all is in memory)
        """The matches of the two dates."""
        own = _of_row(self.row) | {DATETIME_AFTER: self.row.datetime_after or None}
        for match in self.change.comparison.matches:
            yield own | self.change.properties(match), _outline(match.outline, self.table.units)


def _of_record(record: Record) -> dict[str, Any]:
    tiling = record.tiling
    return {
        "status": record.status,
        "result": record.id,
        "regions": record.region_count,
        "not_looked_at": tiling.share_not_looked_at if tiling else 0.0,
        "windows_left": tiling.windows - tiling.looked_at if tiling else 0,
        "area": record.total_area,
        "area_pm": record.total_area_pm,
        "unit": record.unit_area,
        "tokens": record.prompted.tokens,
    }


def _changed(change: Change) -> Changed:
    facts, unit = change.facts(), change.before.unit_area
    return Changed(
        **{kind: facts[f"{kind}_count"] for kind in KINDS},
        uncertain=sum(facts[f"{kind}_uncertain"] for kind in KINDS),
        appeared_area=facts[f"appeared_area_{unit}"],
        appeared_area_pm=facts[f"appeared_area_pm_{unit}"],
        gone_area=facts[f"gone_area_{unit}"],
        gone_area_pm=facts[f"gone_area_pm_{unit}"],
        difference=facts[f"difference_{unit}"],
        difference_pm=facts[f"difference_pm_{unit}"],
        not_compared=len(facts["not_seen_before"]) + len(facts["not_seen_after"]),
    )


def write_part(out: Path, answered: Sequence[Outlined], store: ResultStore) -> str:
    """Writes what rows of one table found; returns the file's path from `out`. Memory holds 2,000 regions.

    Raises `output_unwritable`: then nothing is left.
    """
    table = answered[0].table
    name = new_part(table)
    bounds = _bounds(outline for each in answered for _, outline in each.outlines(store))
    _write(out / name, table, bounds, _values(answered, store))
    return name


def new_part(table: Table) -> str:
    """A new name for a part, from the output folder."""
    return f"{table.folder}/part-{secrets.token_hex(8)}.parquet"


def write_columns(out: Path, table: Table) -> None:
    """Writes the file without rows, if it is not there."""
    path = out / table.folder / COLUMNS_ONLY
    if not path.exists():
        _write(path, table, None, iter(()))


def remove_unknown(out: Path, known: set[str]) -> int:
    """Removes parts that the ledger does not know, and files that were being written; returns how many parts."""
    count = 0
    for name in TABLES:
        folder = out / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)
            elif NAME.fullmatch(path.name) and f"{name}/{path.name}" not in known:
                path.unlink()
                count += 1
    return count


def _write(path: Path, table: Table, bounds: Bounds | None, values: Iterator[dict[str, Any]]) -> None:
    pa = require_pyarrow()
    import pyarrow.parquet as pq

    schema = schema_of(table, bounds)
    with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := list(islice(values, _GROUP)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _values(answered: Sequence[Outlined], store: ResultStore) -> Iterator[dict[str, Any]]:
    names = set(columns_of(answered[0].table).names)
    for each in answered:
        for values, outline in each.outlines(store):
            values |= {GEOMETRY: shapely.to_wkb(outline), COVERING: covering(outline.bounds)}
            yield {name: value for name, value in values.items() if name in names}


def _of_row(row: Row) -> dict[str, Any]:
    values = (row.id, row.scene, row.question_id, row.datetime or None)
    return dict(zip(ROW_COLUMNS, values, strict=True))


def _outline(geometry: Geometry, units: Units) -> Any:
    frame = EARTH if units.on_earth else Frame.pixels()
    return multipolygon(frame.to_file([geometry])[0])


def _bounds(outlines: Iterator[Any]) -> Bounds | None:
    found: Bounds | None = None
    for outline in outlines:
        west, south, east, north = outline.bounds
        if found is not None:
            west, south = min(west, found[0]), min(south, found[1])
            east, north = max(east, found[2]), max(north, found[3])
        found = (west, south, east, north)
    return found
