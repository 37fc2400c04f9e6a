"""The store of results: a folder each, seen whole or not at all, also after `kill -9`."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from t2s_agent.errors import T2SError
from t2s_agent.results.record import Result

_ID = re.compile(r"r_[0-9a-f]{8,20}")
_PART = ".part-"  # folders that are being written
RECORD = "record.json"
Writer = Callable[[Path], None]


class ResultStore:
    """Results in a folder. Each belongs to an owner; to anybody else it is as if it were not there.

    A result is written beside its place, flushed and renamed. Opening the store sweeps what a dead process left half-written.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 10 * 2**30, max_age_days: float = 365.0) -> None:
        self.folder, self._max_bytes, self._max_age_s = folder, max_bytes, max_age_days * 86_400
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise T2SError(
                "output_unwritable",
                f"the store {folder} cannot be made ({error.strerror})",
                "Choose another with --store",
            ) from error
        self._sweep()

    def save(self, result: Result, artifacts: Mapping[str, Writer]) -> Path:
        """Writes a result with its files and gives its folder. Nothing is left where anything fails."""
        part = self.folder / f"{_PART}{os.getpid()}-{result.id}"
        place = self.folder / result.id
        try:
            part.mkdir()
            for name, write in artifacts.items():
                write(part / name)
            (part / RECORD).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
            for file in part.iterdir():
                _flush(file)
            _flush(part)
            part.rename(place)
            _flush(self.folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise T2SError(
                "output_unwritable",
                f"{result.id} could not be written to {self.folder} ({error.strerror})",
                "Make room or choose another --store",
            ) from error
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        self._drop_old(keep=result.id)
        return place

    def load(self, id_: str, owner: str = "local") -> Result:
        """The record of a result. `result_unknown` also for somebody else's; `result_damaged` where it cannot be read."""
        if not _ID.fullmatch(id_) or not (self.folder / id_ / RECORD).is_file():
            raise self._unknown(id_, owner)
        result = self._read(id_)
        if result.owner != owner:
            raise self._unknown(id_, owner)
        return result

    def artifact(self, id_: str, name: str, owner: str = "local") -> Path:
        """The path of one of a result's files."""
        self.load(id_, owner)
        path = self.folder / id_ / name
        if Path(name).name != name or not path.is_file():
            there = ", ".join(sorted(f.name for f in (self.folder / id_).iterdir()))
            raise T2SError("result_unknown", f"{id_} has no file {name!r}", f"It has {there}")
        return path

    def delete(self, id_: str, owner: str = "local") -> None:
        """Removes a result with its files, for good; `result_unknown` also for somebody else's.

        Results that name it as a parent stay, and can no longer be traced back to it: that is for the caller to decide.
        """
        result = self.load(id_, owner)
        with self._locked():
            self._remove(self.folder / result.id)

    def ids(self) -> list[str]:
        """All ids, oldest first, whoever owns them."""
        return sorted(f.name for f in self.folder.iterdir() if _ID.fullmatch(f.name) and (f / RECORD).is_file())

    def listed(self, owner: str = "local", *, of: Sequence[str] | None = None) -> tuple[list[Result], list[str]]:
        """The owner's results, newest first, and the ids of those that are damaged; only `of` these ids where they are given."""
        results, damaged = [], []
        for id_ in reversed(self.ids() if of is None else of):
            try:
                result = self._read(id_)
            except T2SError:
                damaged.append(id_)
                continue
            if result.owner == owner:
                results.append(result)
        return results, damaged

    def _read(self, id_: str) -> Result:
        try:
            return Result.model_validate_json((self.folder / id_ / RECORD).read_bytes())
        except (ValidationError, OSError) as error:
            raise T2SError("result_damaged", f"the record of {id_} cannot be read", "Make the result again") from error

    def _unknown(self, id_: str, owner: str) -> T2SError:
        own = [result.id for result in self.listed(owner)[0]]
        near = get_close_matches(id_, own, 3) or own[:3]
        fix = f"Results of yours: {', '.join(near)}" if near else "Make one first (segment, for agents reason_segment)"
        return T2SError("result_unknown", f"there is no result {id_[:60]!r}", fix)

    def _sweep(self) -> None:
        """Removes what processes that are no more left half-written."""
        for part in self.folder.glob(f"{_PART}*"):
            pid = part.name.removeprefix(_PART).split("-")[0]
            if not (pid.isdigit() and _alive(int(pid))) or int(pid) == os.getpid():
                shutil.rmtree(part, ignore_errors=True)
        self._drop_old()

    def _drop_old(self, keep: str = "") -> None:
        with self._locked():
            now, total = time.time(), 0
            for id_ in reversed(self.ids()):
                folder = self.folder / id_
                total += sum(f.stat().st_size for f in folder.iterdir())
                if id_ != keep and (total > self._max_bytes or now - folder.stat().st_mtime > self._max_age_s):
                    self._remove(folder)

    def _remove(self, folder: Path) -> None:
        """Removes a result's folder: out of sight at once, then file by file. `result_unknown` where it is already gone."""
        gone = folder.with_name(f"{_PART}0-{folder.name}")
        try:
            folder.rename(gone)
        except FileNotFoundError as error:
            raise T2SError("result_unknown", f"{folder.name} is already deleted", "Nothing is left to do") from error
        except OSError as error:
            raise T2SError(
                "output_unwritable",
                f"{folder.name} cannot be deleted from {self.folder} ({error.strerror})",
                "Ask for the right to write there",
            ) from error
        shutil.rmtree(gone, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time drops results."""
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
