"""Reads items of STAC, from a JSON file (an item or an item collection) or from stac-geoparquet: assets, times, footprints."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import shapely
from shapely.geometry import shape

from t2s_agent.batch.antimeridian import Footprint
from t2s_agent.batch.schema import require_pyarrow
from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

__all__ = ["Footprint", "Item", "read_items"]

_LARGEST = 512 * 2**20  # bytes of a JSON file
_PREFERRED = "visual"  # the asset of this name is for looking at
_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/png", "image/jpeg", "image/webp")
_NOT_DATA = {"thumbnail", "overview", "metadata"}


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its assets as they are written in it. `base` is the folder or the address that relative hrefs begin at."""

    id: str
    collection: str
    datetime: str
    updated: str
    footprint: Footprint | None
    assets: Mapping[str, Mapping[str, Any]]
    base: str

    def asset(self, name: str = "") -> tuple[str, str]:
        """Path or address of an asset, and its name: the named one, else `visual`, else the only image.

        Raises `argument_invalid`, which lists the assets.
        """
        images = [key for key, asset in self.assets.items() if _is_image(asset)]
        chosen = name or (_PREFERRED if _PREFERRED in self.assets else images[0] if len(images) == 1 else "")
        if not chosen or not isinstance(self.assets.get(chosen, {}).get("href"), str):
            why = f"has no asset {_said(chosen)}" if chosen else "does not say which asset is the picture"
            raise T2SError(
                "argument_invalid",
                f"the item {_said(self.id)} {why}",
                f"Choose with --asset from {', '.join(map(_said, images or self.assets)) or 'other items'}",
            )
        return _located(self.assets[chosen]["href"], self.base), chosen

    def version(self, name: str) -> str:
        """What changes where the asset does: its checksum or size if the item states one, else the time of the item's update."""
        asset = self.assets[name]
        return str(asset.get("file:checksum") or asset.get("file:size") or self.updated)


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file. Raises `argument_invalid` for one that holds none."""
    if path.suffix.lower() in (".parquet", ".geoparquet"):
        yield from _of_parquet(path)
        return
    whole = _json(path)
    features = whole.get("features") if whole.get("type") == "FeatureCollection" else [whole]
    base = str(path.resolve().parent) + os.sep
    for feature in features if isinstance(features, list) else ():
        if not isinstance(feature, dict) or not isinstance(feature.get("assets"), dict):
            raise T2SError(
                "argument_invalid", f"{path.name} is not a STAC item or item collection", "Name scenes or items"
            )
        yield _item(feature, _own_address(feature) or base)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise T2SError(
                "limit_exceeded", f"{path.name} is larger than {_LARGEST} bytes", "Give stac-geoparquet instead"
            )
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise T2SError(
            "argument_invalid", f"{path.name} is not JSON that can be read", "Give a STAC item collection"
        ) from error
    return whole if isinstance(whole, dict) else {}


def _of_parquet(path: Path) -> Iterator[Item]:
    pa = require_pyarrow()
    import pyarrow.parquet as pq

    wanted = ("id", "collection", "geometry", "bbox", "assets", "datetime", "start_datetime", "updated")
    try:
        file = pq.ParquetFile(path)
        columns = [name for name in wanted if name in file.schema_arrow.names]
        if not {"id", "assets"} <= set(columns):
            raise T2SError("argument_invalid", f"{path.name} has no columns id and assets", "Give stac-geoparquet")
        base = str(path.resolve().parent) + os.sep
        for batch in file.iter_batches(columns=columns, batch_size=1_000):
            for row in batch.to_pylist():
                yield _item(_as_feature(row), base)
    except (OSError, pa.ArrowException) as error:
        raise T2SError(
            "argument_invalid", f"{path.name} is not Parquet that can be read", "Give stac-geoparquet"
        ) from error


def _as_feature(row: dict[str, Any]) -> dict[str, Any]:
    """A row of stac-geoparquet as an item; what is null only because other items have it is left out."""
    times = {name: row[name] for name in ("datetime", "start_datetime", "updated") if row.get(name) is not None}
    bbox = row.get("bbox")
    corners = ("xmin", "ymin", "xmax", "ymax")
    return {
        "id": row["id"],
        "collection": row.get("collection"),
        "geometry": row.get("geometry"),
        "bbox": [bbox[corner] for corner in corners] if isinstance(bbox, dict) else bbox,
        "properties": {name: _iso(value) for name, value in times.items()},
        "assets": {
            name: {key: value for key, value in asset.items() if value is not None}
            for name, asset in (row["assets"] or {}).items()
            if asset is not None and asset.get("href") is not None
        },
    }


def _iso(value: Any) -> str:
    return str(value.isoformat()).replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _item(feature: Mapping[str, Any], base: str) -> Item:
    properties = feature.get("properties") or {}
    time = properties.get("datetime") or properties.get("start_datetime") or ""
    return Item(
        one_line(str(feature.get("id", "")), 300),
        one_line(str(feature.get("collection") or ""), 300),
        one_line(str(time), 40),
        str(properties.get("updated") or ""),
        _footprint(feature.get("geometry"), feature.get("bbox")),
        {str(name): asset for name, asset in feature["assets"].items() if isinstance(asset, dict)},
        base,
    )


def _footprint(geometry: Any, bbox: Any) -> Footprint | None:
    """The place of an item by its geometry; by its box only without one. None where it states neither."""
    try:
        if isinstance(geometry, bytes):
            return Footprint.of(shapely.from_wkb(geometry))
        if geometry:
            return Footprint.of(shape(geometry))
    except (shapely.GEOSException, ValueError, TypeError, KeyError, AttributeError, IndexError):
        geometry = None  # it is not a geometry: the box is there too
    if isinstance(bbox, Sequence) and len(bbox) in (4, 6):
        half = len(bbox) // 2
        return Footprint.of_box(bbox[0], bbox[1], bbox[half], bbox[half + 1])
    return None


def _own_address(feature: Mapping[str, Any]) -> str:
    """The item's own address on the web, where relative hrefs begin; empty where it names none."""
    links = feature.get("links") or []
    own = [link.get("href", "") for link in links if isinstance(link, dict) and link.get("rel") == "self"]
    return str(own[0]) if own and str(own[0]).startswith(("http://", "https://")) else ""


def _located(href: str, base: str) -> str:
    parts = urlsplit(href)
    if parts.scheme == "file":
        return unquote(parts.path)
    if len(parts.scheme) > 1:  # one letter is a drive
        return href
    if base.startswith(("http://", "https://")):
        return urljoin(base, href)
    return os.path.normpath(Path(base, href))


def _is_image(asset: Mapping[str, Any]) -> bool:
    roles, kind = set(asset.get("roles") or ()), str(asset.get("type") or "").partition(";")[0].strip().lower()
    return kind in _TYPES and not roles & _NOT_DATA


def _said(text: str) -> str:
    return repr(one_line(text, 100))
