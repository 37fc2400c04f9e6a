"""Regions as GeoJSON (RFC 7946) and back. Where there is no place on Earth, the file names the coordinates it uses (`frame`).

What readers of other programs rely on: every geometry is a MultiPolygon, every attribute has one type, none is null in all features,
every feature carries what was asked of which image, and its id stays unique when files are merged. One feature is on one line.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from shapely.geometry import MultiPolygon, mapping, shape
from shapely.geometry.polygon import orient

from t2s_agent.regions.fields import About, fields_of, known_in, only, typed, values_of
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
    known = known_in(values_of(region, about) for region in regions.regions)
    return {
        **head_of(regions.units, regions.method(), about, frame),
        "features": list(features_of(regions.regions, known, about, frame)),
    }


def head_of(units: Units, method: str, about: About = NOTHING, frame: Frame = EARTH) -> dict[str, Any]:
    """The members of a FeatureCollection beside its features. `method`: how they were measured."""
    member = frame.member()
    return {
        "type": "FeatureCollection",
        "name": layer_name(about.question),
        # not of RFC 7946, which knows WGS 84 only; GDAL, QGIS and geopandas read it
        **({"crs": {"type": "name", "properties": {"name": frame.crs}}, "frame": member} if member else {}),
        "result": about.result,
        "query": about.question,
        "measured": method,
        "coordinates": _coordinates(units, frame),
    }


def features_of(
    regions: Sequence[Region], known: Collection[str], about: About = NOTHING, frame: Frame = EARTH
) -> Iterator[dict[str, Any]]:
    """A feature a region, with the attributes that are `known`: those that are not None in all features of the file."""
    outlines = frame.to_file([region.geometry for region in regions])
    for region, outline in zip(regions, outlines, strict=True):
        row = only(known, typed(values_of(region, about), fields_of(region.units)))
        yield _feature(region, multipolygon(outline), row, frame)


def text_of(collection: dict[str, Any]) -> Iterator[str]:
    """The lines of a GeoJSON file of a FeatureCollection; see `lines_of`."""
    head = {name: value for name, value in collection.items() if name != "features"}
    return lines_of(head, collection["features"])


def lines_of(head: dict[str, Any], features: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of a GeoJSON file: the first one up to `"features":[`, then one a feature, then `]}`. Numbers must be finite."""
    yield f'{json.dumps(head, allow_nan=False)[:-1]}, "features": [\n'
    between = ""
    for feature in features:
        yield between + json.dumps(feature, separators=(",", ":"), allow_nan=False)
        between = ",\n"
    yield "\n]}\n" if between else "]}\n"


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
        seams=tuple(filter(None, (p.get("seams") or "").split(","))),
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
