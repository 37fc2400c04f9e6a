"""Append-only files of JSON lines that survive a kill at any point, and that refuse rows made under other settings."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from t2s_agent.errors import T2SError

VERSION = 1  # of the files: rows of another version are not read


def hash_of(settings: Mapping[str, Any]) -> str:
    """What identifies settings: the SHA-256 of their JSON with sorted keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Records:
    """A file whose first line holds the settings and each further one a row with an `id`. Used as a context manager.

    `settings` decide: a file that was begun under others is refused. `notes` (paths, for example) are written along and may
    differ. A last line that a kill cut short is dropped, so that its row is made again.
    """

    def __init__(
        self, path: Path, kind: str, settings: Mapping[str, Any], notes: Mapping[str, Any] | None = None
    ) -> None:
        self.path = path
        self.done: set[str] = set()
        self._header: dict[str, Any] = {
            "kind": kind,
            "version": VERSION,
            "hash": hash_of(settings),
            "settings": dict(settings),
        }
        self._notes = dict(notes or {})
        self._lock = FileLock(f"{path}.lock")
        self._file: BinaryIO | None = None

    def __enter__(self) -> "Records":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise T2SError(
                "argument_invalid", f"another process is writing {self.path.name}", "Wait for it, or use another folder"
            ) from error
        except OSError as error:
            raise T2SError(
                "output_unwritable", f"{self.path.parent} cannot be written", "Name another folder with --out"
            ) from error
        try:
            kept = self._check() if self.path.is_file() else 0
            self._file = self.path.open("ab")
            self._file.truncate(kept)
            if not kept:
                self._write({**self._header, "notes": self._notes})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        self._lock.release()

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes a row at once, so that a kill loses at most the row that is being written."""
        self._write(row)
        self.done.add(row["id"])

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the records are not open")
        self._file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()

    def _check(self) -> int:
        """Notes the ids that are there; how many bytes are whole lines."""
        kept = 0
        for number, line, row in _lines(self.path):
            if number == 1:
                self._demand_same(row)
            else:
                self.done.add(row["id"])
            kept += len(line)
        return kept

    def _demand_same(self, header: Mapping[str, Any]) -> None:
        if header.get("hash") == self._header["hash"] and header.get("version") == VERSION:
            return
        had, now = header.get("settings") or {}, self._header["settings"]
        changed = [
            f"{key}: {had.get(key)!r}, now {now.get(key)!r}"
            for key in sorted({*had, *now})
            if had.get(key) != now.get(key)
        ]
        raise T2SError(
            "argument_invalid",
            f"{self.path} was begun with other settings ({'; '.join(changed) or 'another version of the file'})",
            "Use the same settings to go on, or another --out to begin again",
        )


def header_of(path: Path) -> dict[str, Any]:
    """The first line of a file of records: kind, version, hash, settings, notes; `argument_invalid` where it has none."""
    for _, _, row in _lines(path):
        if {"kind", "settings", "hash"} <= row.keys():
            return row
        break
    raise T2SError("argument_invalid", f"{path} is no file of records", "Name a file that evals.run has written")


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows, one by one; a last line that was cut short is left out."""
    for number, _, row in _lines(path):
        if number > 1:
            yield row


def _lines(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Number, bytes and value of each whole line. A cut last line ends it; another damaged line is an error."""
    try:
        opened = path.open("rb")
    except OSError as error:
        raise T2SError("argument_invalid", f"{path} cannot be read", "Run the stage before this one first") from error
    with opened:
        for number, line in enumerate(opened, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                if not opened.read(1):
                    return
                raise T2SError(
                    "argument_invalid",
                    f"line {number} of {path} is damaged",
                    "Remove that line and run the stage again",
                ) from error
            if not line.endswith(b"\n"):
                return
            yield number, line, row


def merge(parts: list[Path], into: Path) -> int:
    """Writes the rows of several shards into one file; how many. Refuses shards of different settings and doubled rows."""
    headers = [header_of(part) for part in parts]
    if len({header["hash"] for header in headers}) != 1:
        raise T2SError(
            "argument_invalid", "the shards were made with different settings", "Merge shards of one run only"
        )
    seen: set[str] = set()
    fresh = into.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(json.dumps(headers[0], ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        for part in parts:
            for number, line, row in _lines(part):
                if number == 1:
                    continue
                if row["id"] in seen:
                    raise T2SError("argument_invalid", f"{row['id']} is in two shards", "Leave one of them out")
                seen.add(row["id"])
                file.write(line)
    fresh.replace(into)
    return len(seen)
