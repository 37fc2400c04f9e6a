"""An https server on loopback that serves files by ranges, with a certificate of its own, and servers that misbehave."""

import datetime
import functools
import ipaddress
import re
import ssl
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Served:
    """A running server: `url` without a slash at the end, `host` as host:port, `ca` a file with its certificate.

    `requests` lists (path with query, Range); `sent` counts the bytes of all bodies.
    """

    url: str
    host: str
    ca: Path
    requests: list = field(default_factory=list)
    sent: int = 0


def ranged(handler, path):
    """Answers as a good server of files does: 206 with the range, ETag and Last-Modified."""
    size = path.stat().st_size
    start, stop = asked_range(handler, size)
    handler.send_response(206 if start is not None else 200)
    if start is not None:
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    start, stop = start or 0, stop or size
    handler.send_header("Content-Length", str(stop - start))
    handler.send_header("ETag", f'"{path.stat().st_mtime_ns:x}-{size:x}"')
    handler.send_header("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True))
    handler.end_headers()
    with path.open("rb") as file:
        file.seek(start)
        body = file.read(stop - start)
    handler.served.sent += len(body)
    handler.wfile.write(body)


def asked_range(handler, size):
    """First byte and the one after the last of a request's Range; (None, None) without one."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
    return (int(found[1]), min(int(found[2]) + 1, size)) if found and size else (None, None)


@contextmanager
def https_files(folder, answer=ranged, *, name="localhost", certificate_for=None):
    """Serves the files of a folder at https://localhost:PORT; `answer(handler, path)` answers each request."""
    pem = certificate(certificate_for or name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self):
            self.served = served
            served.requests.append((self.path, self.headers.get("Range")))
            answer(self, Path(folder) / unquote(self.path.partition("?")[0]).lstrip("/"))

        def log_message(self, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
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
def certificate(name):
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
    path = Path(tempfile.mkdtemp(prefix="t2s-test-")) / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
