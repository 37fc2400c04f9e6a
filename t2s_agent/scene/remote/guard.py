"""An httpx transport that connects to allowed hosts only, at addresses that were checked, and within a time limit.

A name is resolved here, every address that it has must be a public one, and the connection goes to exactly that address, so
a second answer of the name server cannot lead elsewhere. TLS, the Host header and the certificate stay with the name. Proxies
of the environment are not used. The guard covers what goes through this transport: httpx clients that are made with it, and
not httpx2, requests or GDAL.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import certifi
import httpcore
import httpx

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts, parse_address

# IANA's registries of special addresses. Of IPv6 only 2000::/3 is in use; inside it these stand for something else.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(net)
    for net in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")  # Teredo, 6to4, examples
)
_INTERFACE_OF_ISATAP = (0x00005EFE, 0x02005EFE)  # an IPv4 address is in the 32 bits that follow


class Deadline(threading.local):
    """A moment, in seconds of `time.monotonic`, at which waiting for the network ends: one for each thread, as for each request."""

    def __init__(self, at: float) -> None:
        self.at = at

    def left(self) -> float:
        """Seconds left. Raises httpcore.ReadTimeout where there are none."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the time limit is over")
        return seconds


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to one machine of the public internet.

    False for private, loopback, link-local, multicast and reserved addresses, and for IPv6 addresses that hold an IPv4
    address (mapped, NAT64, 6to4, Teredo, ISATAP).
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in net for net in _NOT_PUBLIC_4)
    if address.scope_id is not None or address not in _UNICAST_6 or any(address in net for net in _NOT_PUBLIC_6):
        return False
    return address.is_global and (int(address) >> 32) & 0xFFFFFFFF not in _INTERFACE_OF_ISATAP


def resolve(host: str, port: int, *, private: bool) -> tuple[str, ...]:
    """The addresses of a host, without repetition. Raises `remote_refused` where one is not public and `private` is False."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise T2SError("remote_failed", f"the name {host} was not found", "Check the name and the network") from error
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not private and not is_public(ip_address(address)):
            raise T2SError(
                "remote_refused",
                f"{host} has the address {address}, which is not a public one",
                f"Where the server is your own: T2S_REMOTE_PRIVATE_HOSTS={host}:{port}",
            )
    return addresses


class _Backend(httpcore.NetworkBackend):
    """Connects to checked addresses. Each name is resolved once; later connections go to the same addresses."""

    def __init__(self, hosts: Hosts, deadline: Deadline) -> None:
        self._hosts, self._deadline = hosts, deadline
        self._inner = httpcore.SyncBackend()
        self._resolved: dict[tuple[str, int], tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address that answers."""
        origin = (host, port)
        with self._lock:
            if origin not in self._resolved:
                self._resolved[origin] = resolve(host, port, private=self._hosts.is_private(origin))
        failed: Exception | None = None
        for address in self._resolved[origin]:
            seconds = min(timeout or self._deadline.left(), self._deadline.left())
            try:
                stream = self._inner.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._deadline)
        raise failed or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Raises always."""
        del path, timeout, socket_options
        raise httpcore.ConnectError("sockets of this machine are not used")


class _Stream(httpcore.NetworkStream):
    """A connection whose waits all end at the deadline: a server that sends one byte at a time cannot prolong them."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._within(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._within(timeout)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _within(self, timeout: float | None) -> float:
        left = self._deadline.left()
        return left if timeout is None else min(timeout, left)


class GuardedTransport(httpx.BaseTransport):
    """Sends requests to allowed https hosts only, of several threads too. `deadline` may be moved before each request."""

    def __init__(self, hosts: Hosts, *, ca_file: Path | None = None) -> None:
        self.deadline = Deadline(float("inf"))
        self._hosts = hosts
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(ca_file), network_backend=_Backend(hosts, self.deadline), keepalive_expiry=30.0
        )

    @contextmanager
    def stream(
        self, method: str, url: str, headers: dict[str, str], *, seconds: float, content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        """One request, without an httpx client: that would log the address with its query, which may be a signature."""
        waits = httpx.Timeout(seconds).as_dict()
        request = httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": waits})
        response = self.handle_request(request)
        try:
            yield response
        finally:
            response.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response of an allowed host. Raises `remote_refused`, and httpx's errors for those of httpcore."""
        address = parse_address(str(request.url))
        self._hosts.check(address)
        if (request.url.scheme, request.url.host, request.url.port or 443) != ("https", *address.origin):
            raise T2SError("remote_refused", f"{address.shown} is read in two ways", "Write it in its usual form")
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=b"https", host=address.host.encode(), port=address.port, target=request.url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            response = self._pool.handle_request(sent)
        body = response.stream
        assert isinstance(body, Iterable)  # noqa: S101 (httpcore's synchronous pool gives an iterable)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(body), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of a response."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._parts

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turns httpcore's errors into those of httpx, as httpx's own transport does."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.ConnectError as error:
        raise httpx.ConnectError(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise httpx.RemoteProtocolError(str(error)) from error


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Checks certificates by the usual authorities and, where it is given, those of a file. Raises `argument_invalid`."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise T2SError(
                "argument_invalid",
                f"the setting remote_ca_file names {ca_file.name}, which has no certificates",
                "Name a file with certificates in PEM form",
            ) from error
    return context
