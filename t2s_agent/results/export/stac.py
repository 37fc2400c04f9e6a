"""Describes a stored result as a STAC item for catalogues: its content, footprint, processing and source image."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from shapely.geometry import MultiPolygon, box, mapping

from t2s_agent.regions.geojson import multipolygon
from t2s_agent.regions.picture import COLOURS
from t2s_agent.regions.polygons import to_lonlat
from t2s_agent.regions.raster import MOST_COLOURS, place_of_mask
from t2s_agent.results.record import Record, pm_level
from t2s_agent.scene import PINNED, ignore_not_georeferenced
from t2s_agent.scene.georeference import Georeference

_EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
)
_SHA256 = "1220"  # multihash: function 0x12, 0x20 bytes
_DECIMALS = 7
_CORNERS = 4_096  # pixel corners a side that are looked at


def to_stac_item(record: Record, folder: Path, *, beside: Path | None = None) -> dict[str, Any]:
    """Returns the item of a stored result with its files in `folder`, for an item file in the folder `beside` (default: `folder`).

    STAC asks for the time an item's content is of. When the image was taken is not known to us: `datetime` is when the result was
    made, and `description` says so. An item of an image without a place on Earth has no geometry.
    """
    beside = beside or folder
    mask = folder / "mask.tif"
    with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(mask) as file:
        shape, dtype, transform, wkt = [file.height, file.width], file.dtypes[0], list(file.transform)[:6], _wkt(file)
    footprint = _footprint(place_of_mask(mask), shape[1], shape[0]) if record.units.on_earth else None
    code = record.scene.crs if re.fullmatch(r"\w+:\w+", record.scene.crs) else None
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": record.id,
        **(footprint or {"geometry": None}),
        "properties": {
            "title": record.query,
            "description": f"{record.region_count} regions; {record.method}. datetime is when the result was made.",
            "datetime": record.created_utc,
            "created": record.created_utc,
            "proj:code": code,
            **({} if code else {"proj:wkt2": wkt}),
            "proj:shape": shape,
            "proj:transform": transform,
            "processing:software": {"t2s-agent": record.code_version},
            "processing:datetime": record.created_utc,
            "processing:lineage": _lineage(record),
            "t2s:count": record.region_count,
            f"t2s:total_area_{record.unit_area}": record.total_area,
            f"t2s:total_area_pm_{record.unit_area}": record.total_area_pm,
            "t2s:pm_level": pm_level(record),
            "t2s:status": record.status,
        },
        "links": [
            {"rel": "derived_from", "href": _scene_href(record, beside), "title": record.scene.name},
        ],
        "assets": {
            "mask": {
                **_asset(mask, beside, "image/tiff; application=geotiff; profile=cloud-optimized", "data"),
                "bands": [{"name": "region", "description": "region id, 0 = none", "data_type": dtype, "nodata": 0}],
                **_classes(record),
            },
            "regions": _asset(folder / "regions.geojson", beside, "application/geo+json", "data"),
            "preview": _asset(folder / "preview.png", beside, "image/png", "overview"),
            "record": _asset(folder / "record.json", beside, "application/json", "metadata"),
        },
    }


def write_stac(record: Record, folder: Path, path: Path) -> None:
    """Writes the item; its links to the result's files are relative to the final folder of the item."""
    item = to_stac_item(
        record, folder, beside=path.parent.parent
    )  # `write` writes into a temporary folder beside the target
    path.write_text(json.dumps(item, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _wkt(file: rasterio.DatasetReader) -> str | None:
    crs = file.gcps[1] or file.crs
    return pyproj.CRS.from_wkt(crs.to_wkt()).to_wkt() if crs else None


def _footprint(place: Georeference, width: int, height: int) -> dict[str, Any] | None:
    """Returns geometry and bbox of the view; None if no part of it is on Earth."""
    bounds = place.bounds_lonlat(width, height)
    if bounds is None:
        return None
    outline = to_lonlat(box(0, 0, width, height), place, _DECIMALS)
    if outline.is_empty:  # its corners are outside the Earth
        bounds = _bounds_of_what_is_seen(place, width, height, bounds)
    west, south, east, north = (float(np.round(v, _DECIMALS)) for v in bounds)
    if outline.is_empty:
        halves = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        outline = MultiPolygon([box(left, south, right, north) for left, right in halves])
    return {"geometry": mapping(multipolygon(outline)), "bbox": [west, south, east, north]}


def _bounds_of_what_is_seen(
    place: Georeference, width: int, height: int, near: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Returns west, south, east, north of the pixel corners on Earth, of a large mask those of some pixels; `near` are the bounds of fewer points."""
    across, down = (np.linspace(0, side, min(side, _CORNERS) + 1) for side in (width, height))
    x, y = np.meshgrid(across, down)
    lon, lat = place.to_lonlat(x.ravel(), y.ravel())
    lon, lat = lon[np.isfinite(lon)], lat[np.isfinite(lon)]
    west, _, east, _ = near
    middle = west + (east - west) % 360 / 2
    off = (lon - middle + 180) % 360 - 180
    ends = [(middle + each + 180) % 360 - 180 for each in (off.min(), off.max())]
    return float(ends[0]), float(lat.min()), float(ends[1]), float(lat.max())


def _lineage(record: Record) -> str:
    models = f"prompts by {record.prompter.name}, masks by {record.segmenter.name}"
    digests = ", ".join(f"{each.name} {each.digest}" for each in (record.prompter, record.segmenter) if each.digest)
    parents = f"; from {', '.join(record.parents)}" if record.parents else ""
    return f"{record.operation}: {models}{f' ({digests})' if digests else ''}{parents}"


def _classes(record: Record) -> dict[str, Any]:
    """Returns the meaning of the mask's values; left out if there are more regions than a colour table has entries."""
    if not 0 < record.region_count <= MOST_COLOURS:
        return {}
    return {
        "classification:classes": [
            {"value": 0, "name": "none", "description": "no region", "nodata": True},
            *(
                {
                    "value": region.id,
                    "name": f"region-{region.id}",
                    "description": region.label or f"region {region.id}",
                    "color_hint": "".join(f"{v:02X}" for v in COLOURS[(region.id - 1) % len(COLOURS)]),
                }
                for region in record.regions
            ),
        ]
    }


def _asset(file: Path, beside: Path, media_type: str, role: str) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {
        "href": _href(file, beside),
        "type": media_type,
        "roles": [role],
        "file:size": file.stat().st_size,
        "file:checksum": _SHA256 + digest,
    }


def _scene_href(record: Record, beside: Path) -> str:
    """The address of a remote scene, or its path as seen from the item."""
    path = record.scene.path
    return path if path.startswith("https://") else _href(Path(path), beside)


def _href(file: Path, beside: Path) -> str:
    """Returns a path relative to a folder, as STAC recommends, with `/` on all systems."""
    href = Path(os.path.relpath(file.absolute(), beside.absolute())).as_posix()
    return href if href.startswith(".") else f"./{href}"
