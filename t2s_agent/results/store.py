"""Stores each result in a folder of its own, completely or not at all, also after `kill -9`."""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from t2s_agent.errors import T2SError
from t2s_agent.results.catalogue import ID, Catalogue, Summary, read_record
from t2s_agent.results.files import LOCAL, RECORD
from t2s_agent.results.parts import GONE, part_of, sweep
from t2s_agent.results.record import Record
from t2s_agent.results.title import read_title, write_title

LEAST_PREFIX = 4  # digits of an id that may be used instead of the whole id
_PREFIX = re.compile(rf"r_[0-9a-f]{{{LEAST_PREFIX},}}")
_CANDIDATES = 10  # ids in the error if a prefix matches several results
_LOOKED_AT = 200  # newest results that are searched for similar ids
Writer = Callable[[Path], None]


class IdTaken(T2SError):
    """Another result has this id. Nothing was overwritten; choose another id and save again."""


class Listing(NamedTuple):
    """An owner's results, and the ids of the damaged ones."""

    results: list[Summary]
    damaged: list[str]


class ResultStore:
    """The results of one owner in a folder that owners share. Results of other owners are treated as missing.

    A result is written beside its place, flushed and renamed. Opening the store removes what dead writers left half-written, and
    results beyond `max_bytes` or older than `max_age_days` where these are given. A store that may not be written can be read;
    one that is not there yet is empty, and is made by the first `save`.

    Wherever an id is expected, its beginning works too (`r_` and at least four digits) if it matches one result of the owner.
    """

    def __init__(
        self,
        folder: Path,
        owner: str = LOCAL,
        *,
        max_bytes: int | None = None,
        max_age_days: float | None = None,
    ) -> None:
        self.folder, self.owner, self._max_bytes = folder, owner, max_bytes
        self._max_age_s = None if max_age_days is None else max_age_days * 86_400
        self._catalogue = Catalogue(folder)
        sweep(folder)
        self._drop_old()

    def for_owner(self, owner: str) -> "ResultStore":
        """Returns the store of another owner in the same folder."""
        other = copy(self)
        other.owner = owner
        return other

    def save(self, result: Record, artifacts: Mapping[str, Writer]) -> Path:
        """Writes a result with its files and returns its folder. If anything fails, nothing is left behind.

        Raises IdTaken where there is a result of this id, and `output_unwritable` where the store cannot be written.
        """
        place = self.folder / result.id
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part_of(self.folder) as part:
                for name, write in artifacts.items():
                    write(part / name)
                (part / RECORD).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
                for file in part.iterdir():
                    _flush(file)
                _flush(part)
                _rename(part, place)
            _flush(self.folder)
        except OSError as error:
            raise self._unwritable(f"{result.id} could not be written to {self.folder}", error) from error
        self._catalogue.add(result)
        self._drop_old(keep=result.id)
        return place

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Yields a new folder in the store for what is made before the record of a result is known. It is removed at the end.

        Raises `output_unwritable` where it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part_of(self.folder) as part:
                yield part
        except OSError as error:
            raise self._unwritable(f"a result could not be written to {self.folder}", error) from error

    def require_writable(self) -> None:
        """Raises `output_unwritable` if nothing can be saved; called before work that ends with `save`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(f"the store {self.folder} cannot be made", error) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._unwritable(f"the store {self.folder} is read-only", PermissionError(errno.EACCES, ""))

    def load(self, id_: str, *, regions: bool = True) -> Record:
        """Returns the record of a result, by its id or a beginning of it that matches one result; `Record.id` is the whole id.

        With `regions` False it has none of them, and takes little memory. `result_unknown` also for somebody else's;
        `result_damaged` where it cannot be read.
        """
        if ID.fullmatch(id_) and (self.folder / id_ / RECORD).is_file():
            result = read_record(self.folder, id_, regions=regions)
            if result.owner == self.owner:
                return result
        return read_record(self.folder, self._whole_id(id_), regions=regions)

    def artifact(self, id_: str, name: str) -> Path:
        """Returns the path of one of a result's files."""
        folder = self.folder / self.load(id_).id
        path = folder / name
        if Path(name).name != name or not path.is_file():
            there = ", ".join(sorted(f.name for f in folder.iterdir() if not f.name.startswith(".")))
            raise T2SError("result_unknown", f"{folder.name} has no file {name[:60]!r}", f"It has {there}")
        return path

    def name_of(self, id_: str) -> str:
        """Returns the name that a person gave a result, by its whole id; empty where there is none."""
        return read_title(self.folder / id_) if ID.fullmatch(id_) else ""

    def rename(self, id_: str, name: str) -> str:
        """Names a result (an empty name takes it away) and returns the name as it was kept; the record stays as it is.

        `result_unknown` where there is none of this owner's, `output_unwritable` where the store may only be read.
        """
        whole = self.load(id_, regions=False).id
        try:
            return write_title(self.folder / whole, name)
        except OSError as error:
            raise self._unwritable(f"{whole} cannot be named", error) from error

    def delete(self, id_: str) -> str:
        """Permanently removes a result with its files, also a damaged one, and returns its whole id.

        Results that name it as a parent stay, and can no longer be traced back to it: that is for the caller to decide.
        `result_unknown` where there is none of this owner's, `output_unwritable` where the store may only be read.
        """
        whole = id_ if id_ in self.listed().damaged else self.load(id_).id
        try:
            self._remove(whole)
        except FileNotFoundError as error:
            raise T2SError("result_unknown", f"{whole} is already deleted", "Nothing is left to do") from error
        except OSError as error:
            raise self._unwritable(f"{whole} cannot be deleted from {self.folder}", error) from error
        return whole

    def listed(self) -> Listing:
        """Returns the owner's results and damaged results, both newest first.

        A damaged result of which the owner cannot be read belongs to the local owner.
        """
        known = self._catalogue.known()
        own = [each.summary for each in known if each.owner == self.owner and each.summary]
        damaged = [each.id for each in reversed(known) if not each.summary and (each.owner or LOCAL) == self.owner]
        return Listing(sorted(own, key=lambda summary: (summary.created_utc, summary.id), reverse=True), damaged)

    def _whole_id(self, id_: str) -> str:
        own = [summary.id for summary in self.listed().results]
        fitting = [each for each in own if each.startswith(id_)] if _PREFIX.fullmatch(id_) else []
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            more = f" and {len(fitting) - _CANDIDATES} older ones" if len(fitting) > _CANDIDATES else ""
            raise T2SError(
                "result_unknown",
                f"{len(fitting)} results begin with {id_}",
                f"Give more of the id: {', '.join(fitting[:_CANDIDATES])}{more}",
                near=tuple(fitting[:_CANDIDATES]),
            )
        near = get_close_matches(id_[:60], own[:_LOOKED_AT], 3) or own[:3]
        fix = f"Results of yours: {', '.join(near)}" if near else "Make one first (segment, for agents reason_segment)"
        if not id_:
            raise T2SError("result_unknown", "the id of the result is empty", fix, near=tuple(near))
        if re.fullmatch(rf"r_[0-9a-f]{{0,{LEAST_PREFIX - 1}}}", id_):
            raise T2SError(
                "result_unknown",
                f"{id_} is too short; {LEAST_PREFIX} digits after r_ are needed",
                fix,
                near=tuple(near),
            )
        raise T2SError("result_unknown", f"there is no result {id_[:60]!r}", fix, near=tuple(near))

    def _drop_old(self, keep: str = "") -> None:
        """Removes the oldest results beyond the limits. In a read-only store they stay."""
        if self._max_bytes is None and self._max_age_s is None:
            return
        now, total = time.time(), 0
        for id_ in reversed(self._catalogue.ids()):
            with suppress(OSError):  # another process has removed it, or it may not be removed
                with os.scandir(self.folder / id_) as files:
                    total += sum(file.stat().st_size for file in files)
                too_many = self._max_bytes is not None and total > self._max_bytes
                changed = (self.folder / id_).stat().st_mtime
                too_old = self._max_age_s is not None and now - changed > self._max_age_s
                if id_ != keep and (too_many or too_old):
                    self._remove(id_)

    def _remove(self, id_: str) -> None:
        gone = self.folder / f"{GONE}{secrets.token_hex(8)}"  # renamed first, so that no one sees it half removed
        (self.folder / id_).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    @staticmethod
    def _unwritable(what: str, error: OSError) -> T2SError:
        why = f" ({error.strerror})" if error.strerror else ""
        return T2SError("output_unwritable", what + why, "Make room or choose another --store")


def _rename(part: Path, place: Path) -> None:
    """Renames a folder to its final path. Raises IdTaken if the path exists; renaming onto a non-empty folder fails anyway."""
    if not os.path.lexists(place):  # os.rename would replace an empty folder
        try:
            part.rename(place)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        else:
            return
    raise IdTaken("output_unwritable", f"there is a result {place.name} already", "Save it under another id")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
