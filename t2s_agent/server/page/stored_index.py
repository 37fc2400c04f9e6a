"""Keeps the index of a result with many regions in a file beside them, because making it takes seconds. The result itself never changes."""

import logging
import os
import secrets
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.results.files import REGIONS

NAME = ".regions.npz"  # hidden: it is no file of the result, and `--out` leaves it where it is
_FORM = 1  # of the arrays; another number makes the index again
Arrays = dict[str, NDArray[Any]]
log = logging.getLogger(__name__)


def read_arrays(folder: Path) -> Arrays | None:
    """The arrays that were kept for the regions in `folder`; None where there are none that fit the file as it is now."""
    try:
        now = _state(folder)
        # opened here, because np.load leaves the file open where it is no zip (numpy 2)
        with (folder / NAME).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if not np.array_equal(kept["state"], now):
                return None
            return {name: kept[name] for name in kept.files if name != "state"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none, cut off, or of another form
        return None


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keeps arrays for the regions in `folder`, completely or not at all. A store that cannot be written stays as it is."""
    try:
        before, state = folder.stat(), _state(folder)
        fresh = folder / f".{secrets.token_hex(8)}.new"
        try:
            with fresh.open("wb") as file:
                np.savez(file, state=state, **arrays)  # type: ignore[arg-type]  # names of arrays, none of savez's own
            fresh.replace(folder / NAME)
        finally:
            fresh.unlink(missing_ok=True)
        with suppress(OSError):  # results are deleted by the age of their folder; another user's cannot be set
            os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    except OSError as error:
        log.info("the index of %s is not kept: %s", folder.name, error)


def _state(folder: Path) -> NDArray[np.int64]:
    """What changes when the file of regions does."""
    status = (folder / REGIONS).stat()
    return np.array([_FORM, status.st_size, status.st_mtime_ns], np.int64)
