"""Opens a remote image: its header is fetched and planned, then GDAL gets a file of the fetched ranges, and never the address."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from uuid import uuid4

import rasterio

from t2s_agent.errors import T2SError
from t2s_agent.scene.legend import Sensing
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.opening import DAMAGE, PINNED, open_dataset
from t2s_agent.scene.remote.address import Address, Hosts, parse_address
from t2s_agent.scene.remote.bucket import Buckets, ObjectAddress, is_object, parse_object
from t2s_agent.scene.remote.client import RemoteClient
from t2s_agent.scene.remote.header import NoPlan, read_images
from t2s_agent.scene.remote.limits import RemoteLimits
from t2s_agent.scene.remote.plan import Plan
from t2s_agent.scene.remote.signing import VALID_S, https_address
from t2s_agent.scene.remote.sparse import SparseFile
from t2s_agent.scene.scene import Origin, Scene, scene_of
from t2s_agent.scene.source import Wanted

if TYPE_CHECKING:
    from t2s_agent.scene.remote.ranges import Range

_ROUNDS = 16  # of reads outside of the plan: GDAL names one block after the other, so each fetches twice as much around
_AROUND = 2**12  # bytes that the first of them fetches around
_SMALL = 256 * 2**10  # bytes: a file up to this size is fetched whole, in one more request


@dataclass(frozen=True, slots=True)
class Remote:
    """What a user allows of remote images: hosts, buckets of object stores, limits, and a file with certificates besides the usual ones."""

    hosts: Hosts = field(default_factory=Hosts)
    limits: RemoteLimits = field(default_factory=RemoteLimits)
    ca_file: Path | None = None
    buckets: Buckets = field(default_factory=Buckets)


P = ParamSpec("P")
T = TypeVar("T")
_OPEN: "set[RemoteSource]" = set()  # not freed before they are closed: GDAL has addresses of their file objects


class RemoteSource:
    """The bytes of one remote image, for a scene. `requests` and `received` (bytes) say what was fetched so far."""

    def __init__(self, client: RemoteClient, limits: RemoteLimits) -> None:
        self._client = client
        self._file = SparseFile(client, limits)
        self._plan = self._planned()
        self._ranges: list[Range] = []  # of the read that goes on
        self._context, self._lock = copy_context(), Lock()
        _OPEN.add(self)

    @property
    def requests(self) -> int:
        return self._client.requests

    @property
    def received(self) -> int:
        return self._client.received

    @property
    def descriptor(self) -> int:
        """A descriptor of the temporary file, which the source closes."""
        return self._file.descriptor

    def opener(self, path: str, mode: str = "rb") -> object:
        """A file object for GDAL, whatever path it names: it knows no other file."""
        del path, mode
        return self._file.reader()

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in the context in which the dataset was opened.

        rasterio 1.4 keeps the file objects of openers in a context variable. In another thread it would not find them, and when the
        thread that opened the dataset ends they would be freed, while GDAL still has their addresses.
        """
        with self._lock:
            return self._context.run(function, *args, **kwargs)

    def read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function that reads the dataset, again where it read bytes outside of the plan, which are fetched first.

        GDAL's choice of an overview is not always the planned one where a window begins between two pixels. Raises `internal` where it
        still reads others after some rounds.
        """
        for number in range(_ROUNDS):
            try:
                found = self.run(function, *args, **kwargs)
            except DAMAGE:
                if not self._file.missed:
                    raise
            else:
                if not self._file.missed:
                    return found
            around = _AROUND << number
            self._ranges += [(start - around, stop + around) for start, stop in self._file.missed]
            self._file.missed.clear()
            self._file.fetch(self._ranges)
        return self.run(function, *args, **kwargs)

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Fetches the blocks that reads need. Raises as RemoteClient does, and `limit_exceeded`."""
        if self._plan is None:
            return
        try:
            ranges = self._plan.ranges(self._file.header, wanted)
        except NoPlan:
            self._file.fetch_whole()
            self._plan = None
        else:
            self._ranges = ranges
            self._file.fetch(ranges)

    def check(self) -> None:
        """Raises `internal` where GDAL read what was not fetched."""
        self._file.require_all_fetched()

    def close(self) -> None:
        """Closes connections and file; a second call has no effect."""
        self._client.close()
        self._file.close()
        _OPEN.discard(self)

    def _planned(self) -> Plan | None:
        """The plan of the file; None where it is fetched whole: small files, other formats, unusual headers."""
        try:
            if self._file.length > _SMALL and (images := read_images(self._file.header)):
                return Plan(images)
        except NoPlan:
            pass
        self._file.fetch_whole()
        return None


def open_remote(
    text: str,
    remote: Remote,
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    sensing: Sensing = Sensing(),  # noqa: B008 (frozen)
    height_m: float | None = None,
) -> Scene:
    """Opens an image at an https address of an allowed host, or in an allowed bucket, with the same checks as a local file.

    Raises `remote_refused` before any request for an address or a host that is not allowed, `remote_failed`,
    `remote_changed`, and what `open_scene` raises.
    """
    with ExitStack() as undo:
        client, address = _object(text, remote) if is_object(text) else _file(text, remote)
        undo.callback(client.close)
        source = RemoteSource(client, remote.limits)
        undo.callback(source.close)
        descriptor = os.dup(source.descriptor)
        undo.callback(os.close, descriptor)
        name = Path(client.address.name)
        with rasterio.Env(**PINNED):
            try:
                dataset = source.run(open_dataset, descriptor, name, limits, opener=source.opener, key=uuid4().hex)
            except T2SError:
                source.check()
                raise
            undo.callback(source.run, dataset.close)
            signed = isinstance(address, Address) and bool(address.query)
            origin = Origin(address.shown, signed, source)
            scene = scene_of(dataset, descriptor, name, limits, sensing=sensing, height_m=height_m, origin=origin)
            source.check()
        undo.pop_all()
    return scene


def _file(text: str, remote: Remote) -> tuple[RemoteClient, Address]:
    address = parse_address(text)
    return RemoteClient(address, remote.hosts, remote.limits, ca_file=remote.ca_file), address


def _object(text: str, remote: Remote) -> tuple[RemoteClient, ObjectAddress]:
    """A client of the object's host, which its bucket allows; private addresses only where the user allowed them."""
    address = parse_object(text)
    found = https_address(address, remote.buckets)
    hosts = Hosts((f"{found.host}:{found.port}",), remote.hosts.private)
    renewed = partial(https_address, address, remote.buckets)
    return RemoteClient(found, hosts, remote.limits, ca_file=remote.ca_file, renewed=renewed, valid_s=VALID_S), address
