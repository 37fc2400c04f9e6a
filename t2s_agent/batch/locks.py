"""Locks of an output folder: one run at a time, and no new run while workers of a killed one still live.

The kernel keeps them (`flock`), so they end with their process, also after `kill -9`. Where a file system knows no locks there are none.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from t2s_agent.batch.writing import telling
from t2s_agent.errors import T2SError
from t2s_agent.results.parts import UNSUPPORTED

_RUN, _WORKERS = ".lock", ".workers.lock"
WAIT_S = 60.0  # a worker ends a moment after its run; one that hangs in a read, later
_POLL_S = 0.1


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Keeps other runs away from a folder. Raises `output_unwritable` where one is there, or where workers of an earlier one stay."""
    descriptor = _opened(out / _RUN)
    try:
        if not _take(descriptor, fcntl.LOCK_EX):
            raise T2SError("output_unwritable", f"another run writes to {out}", "Wait for it, or use another --out")
        _wait_for_workers(out)
        yield
    finally:
        os.close(descriptor)


def hold_as_worker(out: Path) -> int:
    """Takes the lock that workers share; returns its descriptor, which is held until it is closed."""
    descriptor = _opened(out / _WORKERS)
    _take(descriptor, fcntl.LOCK_SH)
    return descriptor


def _wait_for_workers(out: Path) -> None:
    descriptor = _opened(out / _WORKERS)
    try:
        until = time.monotonic() + WAIT_S
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise T2SError(
                    "output_unwritable", f"workers of an earlier run still write to {out}", "End them, then run again"
                )
            time.sleep(_POLL_S)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    with telling(path):
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _take(descriptor: int, kind: int) -> bool:
    """Whether nobody else holds the lock; True also where the file system has no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return True
