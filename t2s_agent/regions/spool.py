"""Keeps the regions of a large result in a temporary file: written once, and read as often as needed, a chunk at a time.

A file of regions begins with what is known only after the last of them (how they were measured, which attributes there are), so they
are gone through twice.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from t2s_agent.regions.region import Region

CHUNK = 1_000  # regions held at a time
_T = TypeVar("_T")


class RegionSpool:
    """Regions in a file without a name in `folder`; it is gone when the spool is closed, also after `kill -9`."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> "RegionSpool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, regions: Sequence[Region]) -> None:
        """Writes the next regions. Raises OSError where the disk is full."""
        pickle.dump(regions, self._file, pickle.HIGHEST_PROTOCOL)
        self._file.flush()

    def chunks(self) -> Iterator[Sequence[Region]]:
        """Reads all regions in the order in which they were added, as many at a time as were added at once."""
        self._file.seek(0)
        end = self._file.seek(0, 2)
        at = 0
        while at < end:
            self._file.seek(at)
            yield pickle.load(self._file)  # noqa: S301 (a file that only this process has ever seen)
            at = self._file.tell()


def in_chunks(items: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """The items in lists of at most `size`."""
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
