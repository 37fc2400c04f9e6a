"""Searches a STAC API through pystac-client (extra `stac`), behind the same guard as images.

pystac-client sends its requests by requests, which no guard of ours covers; here they go through our own client.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Hosts, require_https
from t2s_agent.scene.remote.document import fetch_document
from t2s_agent.text import one_line

MOST_ITEMS = 100_000


def search_items(
    api: str,
    hosts: Hosts,
    *,
    ca_file: Path | None = None,
    collections: Sequence[str] = (),
    bbox: Sequence[float] | None = None,
    datetime: str = "",
    most: int = 100,
) -> dict[str, Any]:
    """An item collection of at most `most` items of a STAC API: of `collections`, in `bbox` (degrees), at `datetime` (RFC 3339).

    Raises `model_unavailable` without pystac-client, `remote_refused` for hosts that are not allowed, and `remote_failed`
    where the answers are not those of a STAC API.
    """
    pystac_client = _pystac_client()
    if not 1 <= most <= MOST_ITEMS:
        raise T2SError("argument_invalid", f"{most} items", f"Ask for 1 to {MOST_ITEMS}", name="most", value=most)
    asked: dict[str, Any] = {"collections": list(collections), "bbox": bbox and list(bbox), "datetime": datetime}
    given = {name: value for name, value in asked.items() if value}
    wrong: tuple[type[Exception], ...] = (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        NotImplementedError,
        *_errors(),
    )
    try:
        client = pystac_client.Client.open(require_https(api), stac_io=_guarded_io(hosts, ca_file))
        items = list(client.search(**given, max_items=most).items_as_dicts())
    except wrong as error:
        raise T2SError(
            "remote_failed",
            f"the answer is not that of a STAC API ({one_line(str(error), 200)})",
            "Name the first page of an API that can search, and check the values of the search",
        ) from error
    return {"type": "FeatureCollection", "features": items}


def _pystac_client() -> Any:
    try:
        import pystac_client
    except ImportError as error:
        raise T2SError(
            "model_unavailable", "pystac-client is not installed", "Install it: pip install 't2s-agent[stac]'"
        ) from error
    return pystac_client


def _errors() -> tuple[type[Exception], ...]:
    import pystac
    from pystac_client.errors import ClientTypeError
    from pystac_client.exceptions import APIError

    return pystac.STACError, APIError, ClientTypeError


def _guarded_io(hosts: Hosts, ca_file: Path | None) -> Any:
    """pystac-client's reader of links, with requests through the guard, and without files of this machine."""
    from pystac_client.stac_api_io import StacApiIO

    class GuardedIO(StacApiIO):  # type: ignore[misc]  # an extra, without types here
        def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
            if isinstance(source, str | Path):
                return self.request(str(source), *args, **kwargs)  # never a file
            return str(super().read_text(source, *args, **kwargs))

        def request(
            self,
            href: str,
            method: str | None = None,
            headers: dict[str, str] | None = None,
            parameters: dict[str, Any] | None = None,
        ) -> str:
            del headers  # an answer may name some for the next page: they are not needed, and could hold anything
            if (method or "GET").upper() == "POST":
                return fetch_document(href, hosts, ca_file=ca_file, body=parameters or {})
            query = urlencode({name: _joined(value) for name, value in (parameters or {}).items()})
            whole = f"{href}{'&' if '?' in href else '?'}{query}" if query else href
            return fetch_document(whole, hosts, ca_file=ca_file)

    return GuardedIO(max_retries=None)


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
