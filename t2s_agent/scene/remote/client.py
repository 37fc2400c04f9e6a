"""Fetches byte ranges of one remote file, and notices where the file changes or the server says what is not true."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import httpx

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Address, Hosts, without_secrets
from t2s_agent.scene.remote.guard import GuardedTransport
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.text import one_line

Sink = Callable[[int, bytes], None]  # gets an offset in the file, and the bytes from there on
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_BUSY = {429, 500, 502, 503, 504}
_WAITS = (0.2, 1.0)  # seconds before the second and the third try
_CHUNK = 2**18  # bytes
_AGAIN = "Ask again; where it repeats, ask the server's owner"


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same while a file does not change: its length in bytes, ETag and Last-Modified (empty where unknown)."""

    length: int
    etag: str
    modified: str

    @property
    def strong_etag(self) -> str:
        """The ETag where it identifies the exact bytes; empty otherwise."""
        return self.etag if self.etag.startswith('"') else ""


class RemoteClient:
    """Requests ranges of one file, of several threads too. `requests` and `received` (bytes of bodies) count what was done."""

    def __init__(
        self,
        address: Address,
        hosts: Hosts,
        limits: RemoteLimits,
        *,
        ca_file: Path | None = None,
        renewed: Callable[[], Address] | None = None,
        valid_s: float = float("inf"),
    ) -> None:
        """`renewed` gives the address anew, with another signature, after half of `valid_s` seconds."""
        hosts.check(address)
        self.address, self._limits = address, limits
        self._transport = GuardedTransport(hosts, ca_file=ca_file)
        self.identity: Identity | None = None
        self.requests, self.received = 0, 0
        self._until = float("inf")
        self._lock = Lock()  # of the counts and the address
        self._renewed, self._valid_s, self._signed = renewed, valid_s, time.monotonic()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def begin_read(self) -> None:
        """Starts the clock of a read: its requests together may take `read_seconds`."""
        self._until = time.monotonic() + self._limits.read_seconds

    def fetch(self, start: int, stop: int, sink: Sink) -> None:
        """Gives the bytes from `start` up to `stop`, or to the end of the file where that comes first, to `sink`.

        The first answer tells the length of the file; a server that answers it with the whole file is believed, up to
        `whole_bytes`. Raises `remote_failed`, `remote_refused`, `remote_changed`, `image_not_found`, `limit_exceeded`.
        """
        for wait in (*_WAITS, None):
            try:
                return self._try(start, stop, sink)
            except _Again as again:
                if wait is None or time.monotonic() + wait > self._until:
                    raise again.error from again
                time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _current(self) -> str:
        """The address of the next request."""
        with self._lock:
            if self._renewed is not None and time.monotonic() - self._signed > self._valid_s / 2:
                self.address, self._signed = self._renewed(), time.monotonic()
            return self.address.url

    def _try(self, start: int, stop: int, sink: Sink) -> None:
        url = self._current()
        self._count_request()
        now = time.monotonic()
        self._transport.deadline.at = min(now + self._limits.request_seconds, self._until)
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept": "*/*", "Accept-Encoding": "identity"}
        if self.identity is not None and self.identity.strong_etag:
            headers["If-Match"] = self.identity.strong_etag
        seconds = self._limits.request_seconds
        with self._errors(), self._transport.stream("GET", url, headers, seconds=seconds) as response:
            self._check_status(response)
            whole = response.status_code == httpx.codes.OK
            first, last = (0, None) if whole else self._check_range(response, start, stop)
            self._take(response, first, last, sink)

    def _count_request(self) -> None:
        with self._lock:
            self.requests += 1
            if self.requests <= self._limits.requests:
                return
            self.requests -= 1
        raise T2SError(
            "limit_exceeded",
            f"{self._name} takes more than {self._limits.requests} requests",
            "Download the file, or ask for smaller parts",
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            seconds = min(self._limits.request_seconds, self._limits.read_seconds)
            raise self._failed(f"did not answer within {seconds:g} s", _AGAIN) from error
        except httpx.ConnectError as error:
            if "CERTIFICATE" in str(error).upper():
                raise T2SError(
                    "remote_refused",
                    f"the certificate of {self.address.host} is not accepted ({one_line(_reason(error), 120)})",
                    "Where the server is your own, name its certificate with T2S_REMOTE_CA_FILE",
                ) from error
            raise self._failed(
                f"cannot be reached ({one_line(str(error), 120)})", "Check address and network"
            ) from error
        except httpx.TransportError as error:
            failed = self._failed("broke the connection off, or answered against the rules of HTTP", _AGAIN)
            raise _Again(failed) from error

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if sum(len(name) + len(value) for name, value in response.headers.raw) > self._limits.header_bytes:
            raise self._failed("sends very long header fields", _AGAIN)
        if status in (200, 206):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise self._failed("sends the file compressed, although that was not asked for", _AGAIN)
            if status == httpx.codes.OK and self.identity is not None:
                raise self._failed("answers a range with the whole file", "Download the file")
        elif 300 <= status < 400:
            where = one_line(without_secrets(response.headers.get("location", "elsewhere")), 200)
            raise T2SError(
                "remote_refused",
                f"{self.address.shown} points to {where}, and redirects are not followed",
                "Name that address where you trust it, and allow its host",
            )
        elif status in (404, 410):
            raise T2SError("image_not_found", f"there is no image at {self.address.shown}", "Check the address")
        elif status in (401, 403):
            fix = "Sign the address again" if self.address.query else "Check it; some files need a signed address"
            raise self._failed(f"was refused by its server (status {status})", fix)
        elif status == 412 or (status == 416 and self.identity is not None):
            raise self._changed("it is another file now")
        elif status == 416:
            raise T2SError("image_unreadable", f"{self._name} is empty", "Check the address")
        elif status in _BUSY:
            raise _Again(self._failed(f"was answered with status {status}", _AGAIN))
        else:
            raise self._failed(f"was answered with status {status}", "Check the address")

    def _check_range(self, response: httpx.Response, start: int, stop: int) -> tuple[int, int]:
        """The first and last byte of a partial answer, which must be those that were asked for."""
        said = response.headers.get("content-range", "")
        found = _CONTENT_RANGE.fullmatch(said)
        if found is None:
            raise self._failed(f"was answered with the range {one_line(said, 80)!r}", "Download the file")
        first, last, length = map(int, found.groups())
        self._check_identity(Identity(length, *_validators(response)))
        if (first, last) != (start, min(stop, length) - 1):
            raise self._failed(
                f"was answered with bytes {first}-{last} instead of {start}-{stop - 1}", "Download the file"
            )
        return first, last

    def _check_identity(self, now: Identity) -> None:
        before = self.identity
        if before is None:
            self.identity = now
        elif now.length != before.length:
            raise self._changed(f"it had {before.length} bytes, and has {now.length}")
        elif now != before:
            raise self._changed("its ETag or its date is another one")

    def _take(self, response: httpx.Response, first: int, last: int | None, sink: Sink) -> None:
        """Passes the body on. `last` is None for a whole file of a length that is not known."""
        at = first
        most = self._limits.whole_bytes if last is None else last + 1 - first
        self._check_length(response, last is None, most)
        for part in response.iter_raw(_CHUNK):
            with self._lock:
                self.received += len(part)
            if at + len(part) - first > most:
                raise self._too_large(most) if last is None else self._failed("sent more bytes than it said", _AGAIN)
            if self.received > self._limits.received_bytes:
                raise T2SError(
                    "limit_exceeded",
                    f"{self._name} takes more than {self._limits.received_bytes} bytes to fetch",
                    "Ask for smaller parts",
                )
            sink(at, part)
            at += len(part)
        if last is None:
            self.identity = Identity(at, *_validators(response))
        elif at != last + 1:
            raise _Again(self._failed(f"ended after {at - first} of {most} bytes", _AGAIN))

    def _check_length(self, response: httpx.Response, whole: bool, most: int) -> None:
        said = response.headers.get("content-length", "")
        if whole and said.isdecimal() and int(said) > most:
            raise self._too_large(most)
        if not whole and said.isdecimal() and int(said) != most:
            raise self._failed(f"says {int(said)} bytes for a range of {most}", "Download the file")

    def _too_large(self, most: int) -> T2SError:
        return T2SError(
            "limit_exceeded",
            f"the server of {self._name} gives no ranges, and the whole file has more than {most} bytes",
            "Download it, or raise T2S_REMOTE_WHOLE_BYTES",
        )

    def _failed(self, what: str, fix: str) -> T2SError:
        return T2SError("remote_failed", f"{self.address.shown} {what}", fix)

    def _changed(self, what: str) -> T2SError:
        return T2SError("remote_changed", f"{self.address.shown} changed while it was read: {what}", "Ask again")

    @property
    def _name(self) -> str:
        return self.address.name


class _Again(Exception):
    """A failure after which the same request may succeed; `error` is for the caller where it does not."""

    def __init__(self, error: T2SError) -> None:
        super().__init__(str(error))
        self.error = error


def _validators(response: httpx.Response) -> tuple[str, str]:
    return response.headers.get("etag", ""), response.headers.get("last-modified", "")


def _reason(error: httpx.ConnectError) -> str:
    return str(error).partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "check failed"
