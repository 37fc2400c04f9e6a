"""Takes the regions of rows that were answered anew out of the parts of their earlier answers.

The rest of a part is written as a new one, then the ledger is replaced by one that names it, then the old part is removed. After a kill in
between the next run does it again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.parts import new_part, remove_unknown
from t2s_agent.batch.schema import COVERING, Bounds, Table, require_pyarrow, schema_of, table_of
from t2s_agent.batch.writing import replacing

_GROUP = 5_000  # regions in memory, and in a row group


def remove_replaced(out: Path, ledger: Ledger) -> int:
    """Leaves only the regions of valid answers in the parts; returns how many rows' earlier regions were taken out."""
    replaced = ledger.replaced()
    if not replaced:
        return 0
    moved = {}
    valid = ledger.parts()
    for part, rows in replaced.items():
        if valid[part]:
            moved[part] = new_part(table_of(part))
            _copy(out / part, out / moved[part], rows, table_of(part))
    ledger.move_parts(moved)
    remove_unknown(out, set(ledger.parts()))
    return sum(map(len, replaced.values()))


def _copy(path: Path, to: Path, without: set[str], table: Table) -> None:
    require_pyarrow()
    import pyarrow.parquet as pq

    bounds = _bounds(path, without)
    schema = schema_of(table, bounds)
    with replacing(to) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _tables(path, without):
            writer.write_table(rows.replace_schema_metadata(schema.metadata))


def _tables(path: Path, without: set[str], columns: list[str] | None = None) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    left_out = pa.array(sorted(without), pa.string())
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_GROUP, columns=columns):
            kept = batch.filter(pc.invert(pc.is_in(batch.column("row_id"), value_set=left_out)))
            if kept.num_rows:
                yield pa.Table.from_batches([kept])


def _bounds(path: Path, without: set[str]) -> Bounds | None:
    import pyarrow.compute as pc

    found: Bounds | None = None
    for table in _tables(path, without, ["row_id", COVERING]):
        corners = table.column(COVERING).combine_chunks().flatten()
        west, south, east, north = (
            limit(corner).as_py() for limit, corner in zip((pc.min, pc.min, pc.max, pc.max), corners, strict=True)
        )
        if found is not None:
            west, south = min(west, found[0]), min(south, found[1])
            east, north = max(east, found[2]), max(north, found[3])
        found = (west, south, east, north)
    return found
