"""A sparse temporary file of a remote file's length, in which only the fetched ranges take space.

It is the cache of fetched ranges, and what GDAL reads: `reader` gives a file object that never makes a request. A read of
bytes that were not fetched is kept in `missed`, and the caller raises it as an error (an error raised inside would be
swallowed by GDAL).
"""

import errno
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import SEEK_CUR, SEEK_END
from threading import Lock
from types import TracebackType

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.client import RemoteClient
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.scene.remote.ranges import GAP, Filled, Range, join, size_of

FIRST = 2**15  # bytes of the first request
_PAGE = 4096  # bytes: libtiff reads arrays of offsets in such pages
_MOST_RANGES = 64  # of one read: with more, larger gaps are fetched too


class SparseFile:
    """The fetched parts of a remote file. `length` is that of the whole file, in bytes."""

    def __init__(self, client: RemoteClient, limits: RemoteLimits) -> None:
        self._client, self._limits = client, limits
        self._filled, self._lock = Filled(), Lock()
        self._kept: list[tuple[int, bytes]] = []  # the header: it stays when other ranges are dropped
        self.missed: list[Range] = []
        self.descriptor = _temporary()
        try:
            self.length = self._begin()
        except BaseException:
            self.close()
            raise
        self._keep(self._filled.ranges())

    def close(self) -> None:
        """Removes the file; a second call has no effect."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def fetch_whole(self) -> None:
        """Fetches all that is missing. Raises `limit_exceeded` where the file is larger than `whole_bytes`."""
        if self.length > self._limits.whole_bytes:
            raise T2SError(
                "limit_exceeded",
                f"{self._client.address.name} can only be read whole, and has {self.length} bytes; {self._limits.whole_bytes} are allowed",
                "Convert it to a cloud-optimised GeoTIFF, download it, or raise T2S_REMOTE_WHOLE_BYTES",
            )
        self._fetch(self._filled.missing(0, self.length))

    def header(self, start: int, stop: int) -> bytes:
        """Bytes of the header, fetched where they are missing, with what follows them. They stay."""
        start, stop = max(0, start), min(stop, self.length)
        first, last = start // _PAGE * _PAGE, min(-(-stop // _PAGE) * _PAGE, self.length)
        if not self._filled.covers(first, last):
            near = self._filled.before(first)
            ahead = max(FIRST, sum(len(part) for _, part in self._kept))
            begin = near if first - near < GAP else first
            wanted = self._filled.missing(begin, min(max(last, first + ahead), self.length))
            self._fetch(join(wanted))
            self._keep(wanted)
        return os.pread(self.descriptor, stop - start, start)

    def fetch(self, ranges: Iterable[Range]) -> None:
        """Fetches what is missing of ranges, in few requests. Raises `limit_exceeded` where it does not fit into the cache."""
        inside = [(max(0, start), min(stop, self.length)) for start, stop in ranges]
        missing = [gap for start, stop in join(inside, 1) for gap in self._filled.missing(start, stop)]
        if not missing:
            return
        gap, joined = GAP, join(missing)
        while len(joined) > _MOST_RANGES and size_of(join(missing, 2 * gap)) <= self._limits.whole_bytes:
            gap *= 2
            joined = join(missing, gap)
        if self._filled.total + size_of(joined) > self._limits.cache_bytes:
            self._drop()
            joined = join([part for start, stop in inside for part in self._filled.missing(start, stop)], gap)
        if size_of(joined) > self._limits.cache_bytes:
            raise T2SError(
                "limit_exceeded",
                f"this part of {self._client.address.name} takes {size_of(joined)} bytes to fetch; {self._limits.cache_bytes} are allowed",
                "Ask for a smaller part, or raise T2S_REMOTE_CACHE_BYTES",
            )
        self._fetch(joined)

    def require_all_fetched(self) -> None:
        """Raises `internal` where GDAL read what was not fetched: then the plan of a read was incomplete."""
        if self.missed:
            start, stop = self.missed[0]
            self.missed.clear()
            raise T2SError(
                "internal",
                f"bytes {start}-{stop} of {self._client.address.name} were read without being fetched",
                "Download the file and name it by its path, and report this address",
            )

    def reader(self) -> "FetchedFile":
        """A file object for GDAL."""
        return FetchedFile(self)

    def read_at(self, start: int, size: int) -> bytes:
        """Bytes that were fetched; nothing where some of them were not, which is kept in `missed`."""
        stop = min(start + size, self.length)
        if not self._filled.covers(start, stop):
            self.missed.append((start, stop))
            return b""
        return os.pread(self.descriptor, max(0, stop - start), start)

    def _begin(self) -> int:
        """Fetches the first bytes; returns the length of the file."""
        self._client.begin_read()
        self._client.fetch(0, FIRST, self._write)
        identity = self._client.identity
        if identity is None or identity.length == 0:
            raise T2SError("image_unreadable", f"{self._client.address.name} is empty", "Check the address")
        os.ftruncate(self.descriptor, identity.length)
        return identity.length

    def _fetch(self, ranges: Sequence[Range]) -> None:
        """Fetches ranges side by side. Raises the error of the first that failed, after those under way have ended."""
        self._client.begin_read()
        most = min(len(ranges), self._limits.at_once)
        if most <= 1:
            for start, stop in ranges:
                self._client.fetch(start, stop, self._write)
            return
        with ThreadPoolExecutor(most, "t2s-remote") as threads:
            waiting = [threads.submit(self._client.fetch, start, stop, self._write) for start, stop in ranges]
            try:
                for each in waiting:
                    each.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _write(self, at: int, part: bytes) -> None:
        try:
            written = os.pwrite(self.descriptor, part, at)
        except OSError as error:
            raise _unwritable(error) from error
        if written != len(part):
            raise _unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with self._lock:
            self._filled.add(at, at + len(part))

    def _keep(self, ranges: Iterable[Range]) -> None:
        for start, stop in ranges:
            self._kept.append((start, os.pread(self.descriptor, stop - start, start)))
        if sum(len(part) for _, part in self._kept) > self._limits.directory_bytes:
            raise T2SError(
                "limit_exceeded",
                f"the directories of {self._client.address.name} take more than {self._limits.directory_bytes} bytes",
                "Write it again with larger blocks",
            )

    def _drop(self) -> None:
        """Frees the space of all ranges but the header."""
        os.ftruncate(self.descriptor, 0)
        os.ftruncate(self.descriptor, self.length)
        self._filled = Filled()
        for at, part in self._kept:
            self._write(at, part)


class FetchedFile:
    """A binary file object, for reading only, over what was fetched of a remote file."""

    def __init__(self, source: SparseFile) -> None:
        self._source, self._at = source, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer at the end of the file."""
        part = self._source.read_at(self._at, size if size >= 0 else self._source.length - self._at)
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to a position and returns it."""
        base = {SEEK_CUR: self._at, SEEK_END: self._source.length}.get(whence, 0)
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def close(self) -> None:
        """Has no effect: the file belongs to the scene."""

    def __enter__(self) -> "FetchedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _temporary() -> int:
    """A descriptor of a temporary file without a name, so that nothing is left behind even after kill -9."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="t2s-remote-")
        os.unlink(path)  # noqa: PTH108 (mkstemp gives a string)
    except OSError as error:
        raise _unwritable(error) from error
    return descriptor


def _unwritable(error: OSError) -> T2SError:
    return T2SError(
        "output_unwritable",
        f"the temporary file of a remote image cannot be written ({error.strerror})",
        "Free space in the folder of temporary files, or name another with TMPDIR",
    )
