"""Chooses the picture of a STAC item: which asset, where it is, and which of its bands are red, green and blue.

An item is named by its file or address, and an asset of it after a `#`: `item.json#visual`. Without a name it is the asset
called `visual`, else the only asset with the role `data` that has red, green and blue in one file, else the only one of
that role. Bands are read from `eo:bands` (STAC 1.0) and from `bands` (STAC 1.1).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import is_address, without_secrets
from t2s_agent.text import one_line

_ENDINGS = (".json", ".geojson")
_PREFERRED = "visual"
_SHOWN = ("red", "green", "blue")
_NOT_PICTURES = {"thumbnail", "overview", "metadata"}
_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/png", "image/jpeg", "image/webp")


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of an item: its path or address, the name of the asset, and its bands as `segment` takes them, if known."""

    image: str
    asset: str
    bands: str | None


def is_item(text: str) -> bool:
    """Whether an image is named by a STAC item: a JSON file or the address of one, with an asset after `#` or without."""
    return without_secrets(text).lower().endswith(_ENDINGS)


def split_asset(text: str) -> tuple[str, str]:
    """The item, and the name of the asset after `#`; empty without one."""
    item, _, asset = text.partition("#")
    return item, unquote(asset)


def picture_of(item: Any, base: str, asset: str = "") -> Picture:
    """The picture of an item that was read from `base`, a file or an address. Raises `argument_invalid`."""
    name = one_line(Path(without_secrets(base)).name, 120)
    assets = item.get("assets") if isinstance(item, Mapping) else None
    if not isinstance(assets, Mapping) or item.get("type") != "Feature":
        raise T2SError("argument_invalid", f"{name} is not a STAC item", "Name an item, or an image")
    readable = {
        str(key): each
        for key, each in assets.items()
        if isinstance(each, Mapping) and isinstance(each.get("href"), str)
    }
    chosen = _chosen(readable, asset, name)
    return Picture(_located(readable[chosen]["href"], base, item), chosen, _bands(readable[chosen]))


def _chosen(assets: Mapping[str, Mapping[str, Any]], asked: str, name: str) -> str:
    pictures = {key: each for key, each in assets.items() if _is_picture(each)}
    if asked:
        if asked in assets:
            return asked
        raise _unclear(f"{name} has no asset {one_line(asked, 80)!r}", name, pictures or assets)
    if _PREFERRED in assets:
        return _PREFERRED
    data = [key for key, each in pictures.items() if "data" in (each.get("roles") or ())] or list(pictures)
    coloured = [key for key in data if _bands(pictures[key])]
    for found in (coloured, data):
        if len(found) == 1:
            return found[0]
    raise _unclear(f"{name} does not say which of its assets is the picture", name, pictures or assets)


def _is_picture(asset: Mapping[str, Any]) -> bool:
    roles, kind = set(asset.get("roles") or ()), str(asset.get("type") or "").partition(";")[0].strip().lower()
    return not roles & _NOT_PICTURES and (kind in _TYPES or (not kind and "data" in roles))


def _unclear(what: str, name: str, assets: Mapping[str, Any]) -> T2SError:
    listed = ", ".join(one_line(key, 40) for key in list(assets)[:20]) or "none"
    return T2SError("argument_invalid", what, f"Name one after a #, as in {name}#ASSET. There are: {listed}")


def _bands(asset: Mapping[str, Any]) -> str | None:
    """The numbers of red, green and blue in the file; None where the item does not name all three."""
    listed = asset.get("bands") or asset.get("eo:bands")
    if not isinstance(listed, list):
        return None
    names = [_common_name(each) for each in listed]
    if not set(_SHOWN) <= set(names):
        return None
    return ",".join(str(names.index(colour) + 1) for colour in _SHOWN)


def _common_name(band: Any) -> str:
    if not isinstance(band, Mapping):
        return ""
    return str(band.get("eo:common_name") or band.get("common_name") or band.get("name") or "").lower()


def _located(href: str, base: str, item: Mapping[str, Any]) -> str:
    """The path or address of an asset. An item from the web cannot name files of this machine."""
    if is_address(href):
        if href.lower().startswith("file:") and not is_address(base):
            return unquote(urlsplit(href).path)
        return href
    if is_address(base):
        return urljoin(base, href)
    beside = os.path.normpath(Path(base).parent / href)
    own = _self_address(item)
    return urljoin(own, href) if own and not os.path.lexists(beside) else beside


def _self_address(item: Mapping[str, Any]) -> str:
    links = item.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") == "self" and str(link.get("href")).startswith("https://"):
            return str(link["href"])
    return ""
