"""Keeps an index of a store's results, to list, find and count them without reading their records.

A record takes a millisecond to read, and a store may hold thousands. So a line of each is kept in one file, `.index.jsonl`, added when a
result is saved. A line is believed while the record's time and size are what they were; lines that are missing, damaged or
out of date are made again from the record. Losing the file costs time and nothing else.
"""

import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_agent.errors import T2SError
from t2s_agent.results.files import RECORD
from t2s_agent.results.parts import lock
from t2s_agent.results.record import Record, pm_level

ID = re.compile(r"r_[0-9a-f]{8,32}")
_INDEX = ".index.jsonl"
_SPARE_LINES = 1_000  # lines of deleted results in the index file before it is rewritten without them


class Summary(BaseModel):
    """A result in a list: the few facts that identify it. `count` is the number of its regions."""

    model_config = ConfigDict(frozen=True)

    id: str
    parents: tuple[str, ...]
    operation: str
    query: str
    status: str
    image: str
    count: int
    total_area: float
    total_area_pm: float
    unit_area: str
    created_utc: str
    pm_level: str = ""


class Known(BaseModel):
    """The facts of one result and the state of its record that they come from; one line of the index.

    `summary` is None if the record is damaged; `owner` is None if the owner cannot be read any more.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[2] = 2  # 2: pm_level
    id: str
    mtime_ns: int
    size: int
    owner: str | None
    summary: Summary | None


class Catalogue:
    """The results of a folder by their ids. One per store; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._file = folder / _INDEX
        self._lock = threading.Lock()
        self._held: dict[str, Known] = {}
        self._lines = 0  # of the index
        self._seen: tuple[int, ...] = ()  # the state of the index that was read

    def ids(self) -> list[str]:
        """Returns all ids, oldest first."""
        return sorted(self._record_states())

    def known(self) -> list[Known]:
        """Returns the facts of all results, by their ids, oldest first."""
        with self._lock:
            there = self._record_states()
            missing = self._missing(there)
            if missing:
                self._read_index()
                missing = self._missing(there)
            for gone in self._held.keys() - there.keys():
                del self._held[gone]
            fresh = [self._read(id_, *there[id_]) for id_ in missing]
            self._append([known for known in fresh if known.summary])
            if self._lines > 2 * len(there) + _SPARE_LINES:
                self._rewrite()
            return [self._held[id_] for id_ in sorted(there)]

    def add(self, result: Record) -> None:
        """Adds a result that was saved just now."""
        status = Path(self._folder, result.id, RECORD).stat()
        with self._lock:
            self._append([self._remember(result.id, status.st_mtime_ns, status.st_size, result)])

    def _record_states(self) -> dict[str, tuple[int, int]]:
        """Returns the ids of all results, with time and size of their records."""
        try:
            names = [name for name in os.listdir(self._folder) if ID.fullmatch(name)]  # noqa: PTH208 (see below)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise T2SError(
                "argument_invalid",
                f"the store {self._folder} cannot be read ({error.strerror})",
                "Choose another with --store",
            ) from error
        found = {}
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                status = os.stat(f"{self._folder}/{name}/{RECORD}")  # noqa: PTH116 (thousands: Path takes three times as long)
                found[name] = (status.st_mtime_ns, status.st_size)
        return found

    def _missing(self, there: dict[str, tuple[int, int]]) -> list[str]:
        held = self._held
        return [id_ for id_, state in there.items() if id_ not in held or (held[id_].mtime_ns, held[id_].size) != state]

    def _read(self, id_: str, mtime_ns: int, size: int) -> Known:
        try:
            return self._remember(id_, mtime_ns, size, read_record(Path(self._folder), id_))
        except T2SError:
            return self._remember(id_, mtime_ns, size, None)

    def _remember(self, id_: str, mtime_ns: int, size: int, result: Record | None) -> Known:
        before = self._held.get(id_)
        known = self._held[id_] = Known(
            id=id_,
            mtime_ns=mtime_ns,
            size=size,
            owner=result.owner if result else before.owner if before else None,
            summary=summary_of(result) if result else None,
        )
        return known

    def _read_index(self) -> None:
        try:
            with self._file.open("rb") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen == self._seen:
                    return
                lines = file.read().splitlines()
        except OSError:  # does not exist yet, or may not be read
            return
        self._seen, self._lines = seen, len(lines)
        for line in lines:
            with suppress(ValidationError):  # incomplete because its writer was killed, or of another version
                known = Known.model_validate_json(line)
                self._held[known.id] = known

    def _append(self, fresh: Sequence[Known]) -> None:
        """Adds lines to the index. In a store that is read-only or full, the index stays unchanged."""
        if not fresh:
            return
        with suppress(OSError), self._locked(), self._file.open("ab+") as file:
            cut_short = file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" * bool(cut_short) + _text(fresh))
            self._lines += len(fresh)

    def _rewrite(self) -> None:
        """Rewrites the index without lines of deleted results."""
        fresh = self._file.with_name(f"{_INDEX}.{secrets.token_hex(8)}.new")
        kept = [known for known in self._held.values() if known.summary]
        with suppress(OSError), self._locked():
            fresh.write_bytes(_text(kept))
            fresh.replace(self._file)
            self._lines = len(kept)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lets one process at a time write the index."""
        with self._file.with_name(".lock").open("a") as file:
            lock(file.fileno())
            yield


def _text(lines: Iterable[Known]) -> bytes:
    return "".join(line.model_dump_json() + "\n" for line in lines).encode()


def read_record(folder: Path, id_: str, *, regions: bool = True) -> Record:
    """Returns the record of a result; without its regions if `regions` is False.

    Raises `result_damaged` if it cannot be read or has another id.
    """
    path = folder / id_ / RECORD
    try:
        result = Record.model_validate_json(path.read_bytes() if regions else _without_regions(path))
    except (ValidationError, OSError) as error:
        raise T2SError("result_damaged", f"the record of {id_} cannot be read", "Make the result again") from error
    if result.id != id_:
        raise T2SError("result_damaged", f"the record of {id_} is that of {result.id}", "Name the folder as it was")
    return result if regions else result.model_copy(update={"regions": ()})


def _without_regions(path: Path) -> bytes:
    """Returns a record's text with an empty list of regions: 100,000 of them, in an older record, take 60 MB, and more as objects."""
    kept: list[bytes] = []
    skipping, count, counted = False, 0, False
    with path.open("rb") as file:
        for line in file:  # written with an indent of 1; JSON strings contain no line feeds
            skipping = skipping and not line.startswith(b" ]")
            if skipping:
                count += line.startswith(b"  {")
                continue
            kept.append(line)
            counted = counted or line.startswith(b' "region_count": ')
            skipping = line.rstrip() == b' "regions": ['
    if not counted and count:  # an older record
        kept.insert(1, b' "region_count": %d,\n' % count)
    return b"".join(kept)


def summary_of(result: Record) -> Summary:
    """Returns the few facts that identify a result."""
    return Summary(
        id=result.id,
        parents=result.parents,
        operation=result.operation,
        query=result.query,
        status=result.status,
        image=result.scene.name,
        count=result.region_count,
        total_area=result.total_area,
        total_area_pm=result.total_area_pm,
        unit_area=result.unit_area,
        created_utc=result.created_utc,
        pm_level=pm_level(result),
    )
