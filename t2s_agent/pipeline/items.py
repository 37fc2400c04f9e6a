"""Images that are named by a STAC item: reads the item, and gives its picture and bands."""

import json
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.scene.opening import open_descriptor, resolve
from t2s_agent.scene.remote.address import Hosts, is_address, require_https
from t2s_agent.scene.stac import is_item, picture_of, split_asset
from t2s_agent.settings import Settings
from t2s_agent.text import one_line

_LARGEST = 16 * 2**20  # bytes of an item


def picture_named(settings: Settings, image: Path | str, bands: str | None = None) -> tuple[Path | str, str | None]:
    """The image that was named, and its bands; for a STAC item its picture, with the item's bands unless others are given.

    Raises `argument_invalid` for a document that is no item, and what opening files and addresses raises.
    """
    if not is_item(str(image)):
        return image, bands
    text, asset = split_asset(str(image))
    if is_address(text):
        base = require_https(text)
        found = picture_of(_parsed(_fetched(settings, base), base), base, asset)
    else:
        roots = settings.roots or (Path(text).absolute().parent,)
        real = resolve(text if settings.roots else Path(text).name, roots)
        found = picture_of(_parsed(_read(real), real.name), str(real), asset)
    return found.image, bands or found.bands


def _fetched(settings: Settings, address: str) -> str:
    from t2s_agent.scene.remote.document import fetch_document  # httpx is not needed for local items

    hosts = Hosts(settings.remote_hosts, settings.remote_private_hosts)
    return fetch_document(address, hosts, ca_file=settings.remote_ca_file)


def _read(real: Path) -> str:
    descriptor = open_descriptor(real)
    with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor has no path)
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise T2SError("limit_exceeded", f"{one_line(real.name, 120)} is larger than an item", "Name one item")
    return raw.decode("utf-8", "replace")


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = one_line(Path(name.partition("?")[0]).name, 120)
        raise T2SError("argument_invalid", f"{shown} is not JSON", "Name a STAC item, or an image") from error
