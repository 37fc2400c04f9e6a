"""Keeps what was found in each window of a large scene on disk, so that work that was killed goes on where it ended.

One SQLite file a question: a window and its pieces are written in one transaction, so a window is there with all of them or not at
all. Its name is the hash of all that the answer depends on; a lock (`flock`) keeps a second process from the same file.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.tiling.loading import Piece

FOLDER = ".windows"  # in the store
MOST_PIECES = 2**20  # of one window
_ABANDONED_S = 14 * 86_400.0  # a ledger that nobody went on with is removed after two weeks
_SAME_TIME = 64  # processes with the same question

WindowStatus = Literal["found", "empty", "nodata", "not_understood", "failed", "not_reached"]
LOOKED_AT = ("found", "empty", "nodata")


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one window. `pixels` is the View's digest, `code` and `message` are of the error of a failed window."""

    index: int
    status: WindowStatus
    pixels: str = ""
    raw: str = ""
    thinking: str = ""
    tokens: int = 0
    seconds: float = 0.0
    attempts: int = 1
    valid_share: float = 0.0
    code: str = ""
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A mask in grid pixels, with what is known of it."""

    mask: Mask
    score: float | None
    softness: float | None
    instance: Instance


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a piece besides its mask; `instance` is in grid pixels."""

    score: float | None
    softness: float | None
    instance: Instance


class Ledger:
    """The windows of one question about one scene, and what was found in them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.executescript(_TABLES)

    @property
    def folder(self) -> Path:
        """Where the ledger is, for other temporary files of the same work."""
        return self._path.parent

    def close(self) -> None:
        self._database.close()

    def add(self, looked: Looked, found: Sequence[Found] = ()) -> None:
        """Records a window and its pieces, in place of what was recorded of it before."""
        first = looked.index * MOST_PIECES
        row = asdict(looked) | {"warnings": json.dumps(looked.warnings)}
        with self._transaction() as database:
            database.execute("delete from pieces where tile = ?", (looked.index,))
            database.execute(
                f"insert or replace into windows ({_quoted(row)}) values ({', '.join('?' * len(row))})",  # noqa: S608 (our own field names)
                tuple(row.values()),
            )
            database.executemany(
                "insert into pieces values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(first + at, looked.index, *_stored(each)) for at, each in enumerate(found)],
            )

    def remember(self, name: str, value: Any) -> None:
        """Keeps a JSON value under a name."""
        self._database.execute("insert or replace into facts values (?, ?)", (name, json.dumps(value)))

    def remembered(self, name: str) -> Any:
        """The value kept under a name; None if there is none."""
        row = self._database.execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def windows(self) -> Iterator[Looked]:
        """What came of the windows so far, in the order of their indexes."""
        names = tuple(Looked.__dataclass_fields__)
        rows = self._database.execute(f'select {_quoted(names)} from windows order by "index"')  # noqa: S608 (our own field names)
        for row in rows:
            fields = dict(zip(names, row, strict=True))
            yield Looked(**fields | {"warnings": tuple(json.loads(fields["warnings"]))})

    def statuses(self) -> dict[int, WindowStatus]:
        """The status of each window so far, by its index."""
        return dict(self._database.execute('select "index", status from windows'))

    def tokens(self) -> int:
        return int(self._database.execute("select coalesce(sum(tokens), 0) from windows").fetchone()[0])

    def pieces_of(self, tile: int) -> list[Piece] | None:
        """The pieces found in a window; None where it was not looked at."""
        row = self._database.execute('select status from windows where "index" = ?', (tile,)).fetchone()
        if row is None or row[0] not in LOOKED_AT:
            return None
        rows = self._database.execute(
            "select id, x, y, width, height, pixels, score from pieces where tile = ? order by id", (tile,)
        )
        return [
            Piece(id_, tile, _mask(x, y, width, height, pixels), 0.0 if score is None else score)
            for id_, x, y, width, height, pixels, score in rows
        ]

    def about(self, id_: int) -> About:
        """What is known of a piece besides its mask."""
        score, softness, instance = self._database.execute(
            "select score, softness, instance from pieces where id = ?", (id_,)
        ).fetchone()
        return About(score, softness, _instance(json.loads(instance)))

    def pieces(self) -> int:
        """The number of pieces so far."""
        return int(self._database.execute("select count(*) from pieces").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises `output_unwritable` where the disk is full."""
        try:
            with self._database:
                self._database.execute("begin immediate")
                yield self._database
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _OF_THE_DISK:
                raise
            raise T2SError(
                "output_unwritable",
                f"what was found in a window could not be written ({error})",
                "Make room or choose another --store; the same question then goes on where it ended",
            ) from error


_OF_THE_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_TABLES = """
create table if not exists windows ("index" integer primary key, status text, pixels text, raw text, thinking text, tokens integer,
    seconds real, attempts integer, valid_share real, code text, message text, warnings text);
create table if not exists pieces (id integer primary key, tile integer, x integer, y integer, width integer, height integer,
    pixels blob, score real, softness real, instance text);
create index if not exists pieces_by_tile on pieces (tile);
create table if not exists facts (name text primary key, value text);
"""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _stored(found: Found) -> tuple[Any, ...]:
    mask = found.mask
    packed = zlib.compress(np.packbits(mask.pixels).tobytes(), 1)
    return (
        mask.x, mask.y, mask.width, mask.height, packed, _number(found.score), _number(found.softness),
        json.dumps(asdict(found.instance)),
    )  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _mask(x: int, y: int, width: int, height: int, packed: bytes) -> Mask:
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=width * height)
    return Mask(bits.reshape(height, width).astype(bool), x, y)


def _instance(fields: dict[str, Any]) -> Instance:
    def points(name: str) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in fields[name])

    box = fields["box"] and tuple(float(each) for each in fields["box"])
    return Instance(**fields | {"box": box, "positive": points("positive"), "negative": points("negative")})


@contextmanager
def ledger_of(store: Path, key: str, *, patience_s: float = 10.0) -> Iterator[Ledger]:
    """Opens the ledger of a question, with what an earlier process left in it. Kept at the end: `forget` removes it.

    Where others are at work on the same question for more than `patience_s` (work that was stopped ends after its windows), this one
    works from a ledger of its own.
    """
    home = store / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    for number in range(_SAME_TIME):
        folder = home / (key if not number else f"{key}-{number}")
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        if not _locked(lock, 0.0 if number else patience_s):
            os.close(lock)
            continue
        ledger = Ledger(folder / "ledger.sqlite")
        try:
            yield ledger
        finally:
            ledger.close()
            os.close(lock)
        return
    raise RuntimeError(f"{_SAME_TIME} processes work on the same question")


def _locked(lock: int, patience_s: float) -> bool:
    """Whether the lock was taken in this time."""
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)
        else:
            return True


def forget(store: Path, ledger: Ledger) -> None:
    """Removes a ledger that is no longer needed. Called by the process that holds it."""
    if ledger.folder.is_relative_to(store / FOLDER):
        shutil.rmtree(ledger.folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Removes ledgers that nobody went on with."""
    for folder in home.iterdir():
        with suppress(OSError):
            if time.time() - max(each.stat().st_mtime for each in (folder, *folder.iterdir())) > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)
