"""Reads items of STAC, from a JSON file (an item or an item collection) or from stac-geoparquet: assets, times, footprints."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape

from t2s_agent.batch.antimeridian import Footprint
from t2s_agent.batch.schema import require_pyarrow
from t2s_agent.errors import T2SError
from t2s_agent.scene.stac import Picture, picture_of
from t2s_agent.text import one_line

__all__ = ["Footprint", "Item", "read_items"]

_LARGEST = 512 * 2**20  # bytes of a JSON file


@dataclass(frozen=True, slots=True)
class Item:
    """An item of STAC. `source` is the file that it was read from, at which relative hrefs begin."""

    id: str
    collection: str
    datetime: str
    updated: str
    footprint: Footprint | None
    feature: Mapping[str, Any]
    source: str

    def picture(self, asset: str = "") -> Picture:
        """Its picture: the named asset, or what `scene.stac` chooses. Raises `argument_invalid`, which lists the assets."""
        try:
            return picture_of(self.feature, self.source, asset)
        except T2SError as error:
            listed = error.fix.partition("There are: ")[2]
            what = f"the item {_said(self.id)}: {error.what}"
            raise error.changed(what=what, fix=f"Choose with --asset from {listed}" if listed else error.fix) from error

    def version(self, asset: str) -> str:
        """What changes where the asset does: its checksum or size if the item states one, else the time of the item's update."""
        stated = self.feature["assets"][asset]
        return str(stated.get("file:checksum") or stated.get("file:size") or self.updated)


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file. Raises `argument_invalid` for one that holds none."""
    if path.suffix.lower() in (".parquet", ".geoparquet"):
        yield from _of_parquet(path)
        return
    whole = _json(path)
    features = whole.get("features") if whole.get("type") == "FeatureCollection" else [whole]
    for feature in features if isinstance(features, list) else ():
        if not isinstance(feature, dict) or not isinstance(feature.get("assets"), dict):
            raise T2SError(
                "argument_invalid", f"{path.name} is not a STAC item or item collection", "Name scenes or items"
            )
        yield _item(feature, str(path.resolve()))


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
        for batch in file.iter_batches(columns=columns, batch_size=1_000):
            for row in batch.to_pylist():
                yield _item(_as_feature(row), str(path.resolve()))
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
        "type": "Feature",
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


def _item(feature: Mapping[str, Any], source: str) -> Item:
    properties = feature.get("properties") or {}
    time = properties.get("datetime") or properties.get("start_datetime") or ""
    return Item(
        one_line(str(feature.get("id", "")), 300),
        one_line(str(feature.get("collection") or ""), 300),
        one_line(str(time), 40),
        str(properties.get("updated") or ""),
        _footprint(feature.get("geometry"), feature.get("bbox")),
        feature,
        source,
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


def _said(text: str) -> str:
    return repr(one_line(text, 100))
