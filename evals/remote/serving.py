"""An https server on loopback that serves files by ranges, with a certificate of its own, and counts what it sends."""

import datetime
import functools
import ipaddress
import re
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[Any, Path], None]  # of a request: its handler, with `served`, and the file that is asked for


@dataclass
class Served:
    """A running server: `url` without a slash at the end, `host` as host:port, `ca` a file with its certificate.

    `requests` lists (path with query, Range); `sent` counts the bytes of all bodies.
    """

    url: str
    host: str
    ca: Path
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0


def ranged(handler: Any, path: Path) -> None:
    """Answers as a good server of files does: 206 with the range, ETag and Last-Modified; 404 for what is not there."""
    if not path.is_file():
        handler.send_response(404)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    held = path.stat()
    start, stop = asked_range(handler, held.st_size)
    partial = start is not None
    handler.send_response(206 if partial else 200)
    if partial:
        handler.send_header("Content-Range", f"bytes {start}-{(stop or 0) - 1}/{held.st_size}")
    start, stop = start or 0, stop or held.st_size
    handler.send_header("Content-Length", str(stop - start))
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("ETag", f'"{held.st_mtime_ns:x}-{held.st_size:x}"')
    handler.send_header("Last-Modified", formatdate(held.st_mtime, usegmt=True))
    handler.end_headers()
    if handler.command == "HEAD":
        return
    with path.open("rb") as file:
        file.seek(start)
        body = file.read(stop - start)
    handler.served.sent += len(body)
    handler.wfile.write(body)


def asked_range(handler: Any, size: int) -> tuple[int | None, int | None]:
    """First byte and the one after the last of a request's Range; (None, None) without one."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
    return (int(found[1]), min(int(found[2]) + 1, size)) if found and size else (None, None)


@contextmanager
def https_files(
    folder: Path, answer: Answer = ranged, *, name: str = "localhost", certificate_for: str = ""
) -> Iterator[Served]:
    """Serves the files of a folder at https://localhost:PORT; `answer(handler, path)` answers each request."""
    pem = certificate(certificate_for or name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            self.served = served
            served.requests.append((self.path, self.headers.get("Range")))
            answer(self, folder / unquote(self.path.partition("?")[0]).lstrip("/"))

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is what some tests are about."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    served = Served(f"https://{name}:{server.server_port}", f"{name}:{server.server_port}", pem)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@functools.cache
def certificate(name: str) -> Path:
    """A file with a self-signed certificate for a name (also 127.0.0.1), and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = Path(tempfile.mkdtemp(prefix="t2s-https-")) / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
