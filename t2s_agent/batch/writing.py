"""Writes files of an output folder whole or not at all, and says by name what cannot be written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from t2s_agent.errors import T2SError

TEMPORARY = ".writing-"  # begins the names of files that are being written


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yields a file under another name; at the end it is flushed to the disk and renamed to `path`. After an error nothing is left.

    Raises `output_unwritable`, for a full disk too.
    """
    beside = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    with telling(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _flush(path.parent)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turns an OSError into `output_unwritable` with the path and what the system says."""
    try:
        yield
    except OSError as error:
        raise T2SError(
            "output_unwritable",
            f"{path} cannot be written ({error.strerror or error})",
            "Make room or choose another --out; what is done is kept, and the same command goes on",
        ) from error


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
