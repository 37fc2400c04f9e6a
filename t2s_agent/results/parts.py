"""Manages folders that are being written: each is locked by its writer, so that no one else removes it as a leftover.

The lock is `flock` on a file beside the folder. The kernel keeps it: it ends with the process, also after `kill -9`, and it is seen by
processes in other containers and by other stores in the same process, where a process id says nothing.

On NFS, Linux turns `flock` into a lock that the server keeps, so machines see each other's, unless the mount says `nolock` or
`local_lock=flock`: then each machine needs a store of its own. Where a file system knows no locks at all, writing goes on without
one and leftovers are removed after a day.
"""

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part-"  # folders that are being written
GONE = ".gone-"  # folders that are being removed
_LOCK = ".lock"
_UNLOCKED_S = 3_600.0  # age at which a folder without a lock file is a leftover; earlier versions made such folders
_NO_LOCKS_S = 86_400.0  # the same age on a file system without locks
UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextmanager
def part_of(folder: Path) -> Iterator[Path]:
    """Yields a new, empty, locked folder in `folder`. It is removed at the end, unless it was renamed before."""
    name = f"{PART}{secrets.token_hex(8)}"
    part, lock = folder / name, folder / (name + _LOCK)
    descriptor = _new_lock(lock)
    try:
        part.mkdir()  # after the lock: a folder that can be seen is locked
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Removes incomplete folders of writers that have ended. Does nothing in a folder that is missing or read-only."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return
    for name in names:
        if name.startswith(GONE):
            shutil.rmtree(folder / name, ignore_errors=True)
    for name in {name.removesuffix(_LOCK) for name in names if name.startswith(PART)}:
        _sweep_part(folder / name, folder / (name + _LOCK))


def _sweep_part(part: Path, lock: Path) -> None:
    try:
        descriptor = os.open(lock, os.O_RDWR)  # NFS can lock only files that are open for writing
    except FileNotFoundError:
        if _age_s(part) > _UNLOCKED_S:
            shutil.rmtree(part, ignore_errors=True)
        return
    except OSError:
        return
    try:
        if _abandoned(descriptor, part):
            shutil.rmtree(part, ignore_errors=True)
            with suppress(OSError):
                lock.unlink()
    finally:
        os.close(descriptor)


def _abandoned(descriptor: int, part: Path) -> bool:
    """Whether no process holds the lock of a folder."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in UNSUPPORTED and _age_s(part) > _NO_LOCKS_S
    return True


def _new_lock(path: Path) -> int:
    """Returns the descriptor of a new, locked file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a sweep removed the file between the two lines above


def lock(descriptor: int) -> None:
    """Waits for the lock of an open file. Continues without a lock if the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _age_s(part: Path) -> float:
    """Returns the seconds since the last change in a folder; 0 if it was deleted."""
    try:
        latest = max(path.stat().st_mtime for path in (part, *part.iterdir()))
    except OSError:
        return 0.0
    return time.time() - latest
