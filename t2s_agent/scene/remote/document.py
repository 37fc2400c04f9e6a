"""Fetches small documents, such as items of STAC and answers of a STAC API, through the same guard as images."""

import json
import time
from pathlib import Path
from typing import Any

import httpx

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts, parse_address, without_secrets
from t2s_agent.scene.remote.guard import GuardedTransport
from t2s_agent.text import one_line

_LARGEST = 64 * 2**20  # bytes
_SECONDS = 60.0


def fetch_document(text: str, hosts: Hosts, *, ca_file: Path | None = None, body: Any = None) -> str:
    """A text document at an https address of an allowed host: by GET, or by POST where a `body` is given, which becomes JSON.

    Raises `remote_refused` for what is not allowed, `image_not_found` where there is nothing, `remote_failed` otherwise, and
    `limit_exceeded` above 64 MiB.
    """
    address = parse_address(text)
    hosts.check(address)
    transport = GuardedTransport(hosts, ca_file=ca_file)
    transport.deadline.at = time.monotonic() + _SECONDS
    content = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/geo+json, application/json", "Accept-Encoding": "identity"}
    headers |= {} if content is None else {"Content-Type": "application/json"}
    method = "GET" if content is None else "POST"
    try:
        with transport.stream(method, address.url, headers, seconds=_SECONDS, content=content) as response:
            _check_status(response, address.shown)
            return _limited(response, address.shown).decode()
    except (httpx.TransportError, UnicodeDecodeError) as error:
        raise T2SError(
            "remote_failed",
            f"{address.shown} was not answered with a document ({one_line(str(error), 120)})",
            "Check address and network; for a server of your own, its certificate (T2S_REMOTE_CA_FILE)",
        ) from error
    finally:
        transport.close()


def _check_status(response: httpx.Response, shown: str) -> None:
    status = response.status_code
    if 300 <= status < 400:
        where = one_line(without_secrets(response.headers.get("location", "elsewhere")), 200)
        raise T2SError(
            "remote_refused",
            f"{shown} points to {where}, and redirects are not followed",
            "Name that address where you trust it, and allow its host",
        )
    if status in (404, 410):
        raise T2SError("image_not_found", f"there is nothing at {shown}", "Check the address")
    if status != httpx.codes.OK:
        raise T2SError("remote_failed", f"{shown} was answered with status {status}", "Check address and request")


def _limited(response: httpx.Response, shown: str) -> bytes:
    found = bytearray()
    for part in response.iter_raw():
        found += part
        if len(found) > _LARGEST:
            raise T2SError("limit_exceeded", f"{shown} has more than {_LARGEST} bytes", "Ask for fewer items")
    return bytes(found)
