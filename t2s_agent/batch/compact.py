"""Joins small parts into larger ones at the end of a run: a folder of a hundred thousand files takes readers minutes to open.

The joined part is written, then the ledger is replaced by one that names it, then the small parts are removed. After a kill in between the
next run removes whichever of the two the ledger does not name.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.parts import new_part, remove_unknown
from t2s_agent.batch.schema import GEOMETRY, TABLES, Bounds, Table, require_pyarrow, schema_of
from t2s_agent.batch.writing import replacing

LEAST = 32  # small parts in a folder, below which nothing is joined
_SMALL, _LARGE = 5_000, 50_000  # regions of a small part, and of a joined one: some 20 MB
_GROUP = 5_000  # regions in a row group


def compact(out: Path, ledger: Ledger) -> int:
    """Joins small parts; returns how many. Memory holds one row group."""
    joined: dict[str, str] = {}
    for table in TABLES.values():
        for group in _groups(ledger, table.folder):
            name = new_part(table)
            _join(out, group, name, table)
            joined |= dict.fromkeys(group, name)
    if joined:
        ledger.move_parts(joined)
        remove_unknown(out, set(ledger.parts()))
    return len(joined)


def _groups(ledger: Ledger, folder: str) -> Iterator[list[str]]:
    """Small parts of a folder that become one, in the order of the ledger."""
    regions: Counter[str] = Counter()
    for line in ledger.lines.values():
        if line.part.startswith(f"{folder}/"):
            regions[line.part] += line.regions
    small = [part for part, count in regions.items() if count < _SMALL]
    if len(small) < LEAST:
        return
    group: list[str] = []
    total = 0
    for part in small:
        if group and total + regions[part] > _LARGE:
            yield group
            group, total = [], 0
        group.append(part)
        total += regions[part]
    if len(group) > 1:
        yield group


def _join(out: Path, parts: Sequence[str], name: str, table: Table) -> None:
    require_pyarrow()
    import pyarrow.parquet as pq

    boxes = [_bounds(pq.read_schema(out / part)) for part in parts]
    west, south, east, north = zip(*boxes, strict=True)
    schema = schema_of(table, (min(west), min(south), max(east), max(north)))
    with replacing(out / name) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _tables([out / part for part in parts]):
            writer.write_table(rows)


def _tables(paths: Sequence[Path]) -> Iterator[Any]:
    """The rows of files, as many together as a row group holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    held: list[Any] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP):
                held.append(batch)
                if sum(each.num_rows for each in held) >= _GROUP:
                    yield pa.Table.from_batches([each.replace_schema_metadata() for each in held])
                    held = []
    if held:
        yield pa.Table.from_batches([each.replace_schema_metadata() for each in held])


def _bounds(schema: Any) -> Bounds:
    west, south, east, north = json.loads(schema.metadata[b"geo"])["columns"][GEOMETRY]["bbox"]
    return west, south, east, north
