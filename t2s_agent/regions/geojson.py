"""Regions as GeoJSON (RFC 7946) and back. Where there is no place on Earth, the file names the coordinates it uses (`frame`).

What readers of other programs rely on: every geometry is a MultiPolygon, every attribute has one type, none is null in all features,
every feature carries what was asked of which image, and its id stays unique when files are merged. One feature is on one line.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from shapely.geometry import MultiPolygon, mapping, shape
from shapely.geometry.polygon import orient

from t2s_agent.regions.fields import About, fields_of, typed, values_of, without_unknown
from t2s_agent.regions.frame import EARTH, Frame
from t2s_agent.regions.plus_minus import LEVEL
from t2s_agent.regions.region import Geometry, Measure, Region, RegionSet, Source
from t2s_agent.regions.units import METRES, PIXELS, Units

NOTHING = About()
_LONGEST_NAME = 56  # bytes of a layer's name: PostgreSQL cuts names at 63, and tools add endings such as _geom_idx
_RESERVED = ("gpkg_", "sqlite_", "rtree_", "layer_styles")


def feature_collection(
    regions: RegionSet,
    about: About = NOTHING,
    frame: Frame = EARTH,
) -> dict[str, Any]:
    """A FeatureCollection of regions in the coordinates of `frame`, with what `about` says on every feature."""
    fields = fields_of(regions.units)
    rows = without_unknown([typed(values_of(region, about), fields) for region in regions.regions])
    outlines = frame.to_file([region.geometry for region in regions.regions])
    member = frame.member()
    return {
        "type": "FeatureCollection",
        "name": layer_name(about.question),
        # not of RFC 7946, which knows WGS 84 only; GDAL, QGIS and geopandas read it
        **({"crs": {"type": "name", "properties": {"name": frame.crs}}, "frame": member} if member else {}),
        "result": about.result,
        "query": about.question,
        "measured": regions.method(),
        "coordinates": _coordinates(regions.units, frame),
        "features": [
            _feature(region, multipolygon(outline), row, frame)
            for region, outline, row in zip(regions.regions, outlines, rows, strict=True)
        ],
    }


def text_of(collection: dict[str, Any]) -> Iterator[str]:
    """The lines of a GeoJSON file: the first one up to `"features":[`, then one a feature, then `]}`. Numbers must be finite."""
    head = json.dumps({name: value for name, value in collection.items() if name != "features"}, allow_nan=False)
    yield f'{head[:-1]}, "features": [\n'
    last = len(collection["features"]) - 1
    for index, feature in enumerate(collection["features"]):
        yield json.dumps(feature, separators=(",", ":"), allow_nan=False) + ("," if index < last else "") + "\n"
    yield "]}\n"


def layer_name(question: str) -> str:
    """A name for a layer or table made of a question: lower-case letters and digits of any script, joined by `_`."""
    words = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", question).casefold()).strip("_")
    cut = words.encode()[:_LONGEST_NAME].decode(errors="ignore").strip("_")
    if not cut:
        return "regions"
    return f"regions_{cut}" if cut[0].isdigit() or cut.startswith(_RESERVED) else cut


def multipolygon(geometry: Geometry) -> MultiPolygon:
    """The same as a MultiPolygon, of one part too, outer rings counter-clockwise."""
    parts = [geometry] if geometry.geom_type == "Polygon" else list(geometry.geoms)
    return MultiPolygon([orient(part, 1.0) for part in parts])


def _coordinates(units: Units, frame: Frame) -> str:
    if units.on_earth:
        return "lon/lat WGS 84"
    if frame.transform is None:
        return "pixels of the scene, x right, y down: not on Earth"
    return "those of `frame`: not on Earth"


def _feature(region: Region, outline: MultiPolygon, properties: dict[str, Any], frame: Frame) -> dict[str, Any]:
    bbox = region.bbox if frame.transform is None else outline.bounds
    return {
        "type": "Feature",
        "id": properties["uid"],
        "bbox": list(bbox),
        "geometry": mapping(outline),
        "properties": properties,
    }


def regions_from(collection: dict[str, Any]) -> tuple[Region, ...]:
    """The regions of a FeatureCollection that `feature_collection` wrote, in this version or an earlier one."""
    frame = Frame.read(collection.get("frame"))
    return tuple(region_from(feature, frame) for feature in collection["features"])


def region_from(feature: dict[str, Any], frame: Frame | None = None) -> Region:
    """The region of one feature; `frame` is that of its file (`Frame.read`)."""
    p = feature["properties"]
    units = METRES if f"area_{METRES.area}" in p else PIXELS
    outline = _geometry(feature["geometry"])
    west, south, east, north = feature["bbox"]
    if frame is not None:
        outline = frame.in_pixels([outline])[0]
        west, south, east, north = outline.bounds

    def measure(name: str, unit: str) -> Measure:
        return Measure(p[f"{name}_{unit}"], p[f"{name}_pm_{unit}"], unit)

    def optional(name: str) -> Measure | None:
        return measure(name, units.length) if p.get(f"{name}_{units.length}") is not None else None

    area, perimeter = measure("area", units.area), measure("perimeter", units.length)
    return Region(
        int(p["id"] if "id" in p else feature["id"]),
        outline,
        area,
        perimeter,
        _centroid(p),
        (west, south, east, north),
        p.get("score"),
        p.get("label") or "",
        p.get("agreement"),
        p.get("was"),
        p.get(f"pixel_{units.length}") or _pixel(area, perimeter),
        optional("length"),
        optional("width"),
        p.get("orientation_deg"),
        p.get("touches_edge"),
        p.get("parts"),
        _overlaps(p.get("overlaps")),
        _sources(p),
        calibrated=p.get("pm_level") == LEVEL,
        probability=p.get("probability"),
        unsure=p.get("unsure"),
    )


def _geometry(geometry: dict[str, Any]) -> Geometry:
    outline: Geometry = shape(geometry)
    return outline.geoms[0] if outline.geom_type == "MultiPolygon" and len(outline.geoms) == 1 else outline


def _centroid(p: dict[str, Any]) -> tuple[float, float]:
    if "centroid" in p:  # of earlier versions
        return p["centroid"][0], p["centroid"][1]
    x, y = METRES.centroid if METRES.centroid[0] in p else PIXELS.centroid
    return p[x], p[y]


def _overlaps(value: str | list[int] | None) -> tuple[int, ...]:
    return tuple(int(id_) for id_ in (value.split(",") if isinstance(value, str) else value or ()))


def _sources(p: dict[str, Any]) -> tuple[Source, ...]:
    if "from" in p:  # of earlier versions
        return tuple(Source(each["result"], each["id"]) for each in p["from"])
    uids = p["made_from"].split(",") if p.get("made_from") else []
    return tuple(Source(result, int(id_)) for result, _, id_ in (uid.rpartition("-") for uid in uids))


def _pixel(area: Measure, perimeter: Measure) -> float:
    """The size of a pixel, from the plus/minus of an area (half a pixel along the perimeter): older files do not say it."""
    return 2 * area.plus_minus / perimeter.value if area.plus_minus and perimeter.value else 1.0
