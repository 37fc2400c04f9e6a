"""Regions as GeoJSON (RFC 7946) and back. Where there is no ground, coordinates are pixels and the file says so."""

from typing import Any

from shapely.geometry import mapping, shape

from t2s_agent.instance import Instance
from t2s_agent.regions.measure import METHOD_EARTH, METHOD_PIXELS
from t2s_agent.regions.region import Measure, Region, RegionSet, Source
from t2s_agent.scene.scale import significant
from t2s_agent.text import plain


def feature_collection(regions: RegionSet, **about: Any) -> dict[str, Any]:
    """A FeatureCollection; `about` (query, result id ...) goes into its foreign members."""
    return {
        "type": "FeatureCollection",
        **about,
        "measured": METHOD_EARTH if regions.located else METHOD_PIXELS,
        "coordinates": "lon/lat WGS 84" if regions.located else "pixels of the scene, x right, y down: not on Earth",
        "features": [_feature(region) for region in regions.regions],
    }


def _feature(region: Region) -> dict[str, Any]:
    area, length, rounding = region.area, region.perimeter, region.rounding
    properties = {
        "id": region.id,
        "label": plain(region.label, 80),
        f"area_{area.unit}": rounding.area(area.value),
        f"area_pm_{area.unit}": rounding.area(area.plus_minus),
        f"perimeter_{length.unit}": rounding.length(length.value),
        f"perimeter_pm_{length.unit}": rounding.length(length.plus_minus),
        "centroid": list(region.centroid),
        f"pixel_{length.unit}": significant(region.pixel, 6),
        "score": None if region.score is None else round(region.score, 4),
        "agreement": None if region.agreement is None else round(region.agreement, 4),
    }
    for name, size in (("length", region.length), ("width", region.width)):
        if size is not None:
            properties[f"{name}_{size.unit}"] = rounding.length(size.value)
            properties[f"{name}_pm_{size.unit}"] = rounding.length(size.plus_minus)
    optional = {
        "orientation_deg": region.orientation_deg,
        "compactness": None if region.compactness is None else round(region.compactness, 3),
        "touches_edge": region.touches_edge,
        "parts": region.parts,
        "overlaps": list(region.overlaps) or None,
        "from": [{"result": each.result, "id": each.id} for each in region.sources] or None,
        "was": region.was,
    }
    properties |= {name: value for name, value in optional.items() if value is not None}
    return {
        "type": "Feature",
        "id": region.id,
        "bbox": list(region.bbox),
        "geometry": mapping(region.geometry),
        "properties": properties,
    }


def regions_from(collection: dict[str, Any]) -> tuple[Region, ...]:
    """The regions of a FeatureCollection that `feature_collection` wrote."""
    return tuple(_region(feature) for feature in collection["features"])


def _region(feature: dict[str, Any]) -> Region:
    p = feature["properties"]
    area_unit, length_unit = ("m2", "m") if "area_m2" in p else ("px2", "px")
    west, south, east, north = feature["bbox"]

    def measure(name: str, unit: str) -> Measure:
        return Measure(p[f"{name}_{unit}"], p[f"{name}_pm_{unit}"], unit)

    def optional(name: str) -> Measure | None:
        return measure(name, length_unit) if f"{name}_{length_unit}" in p else None

    area, perimeter = measure("area", area_unit), measure("perimeter", length_unit)
    return Region(
        int(feature["id"]),
        shape(feature["geometry"]),
        area,
        perimeter,
        (p["centroid"][0], p["centroid"][1]),
        (west, south, east, north),
        p["score"],
        p["label"],
        Instance(None, label=p["label"], score=p["agreement"]) if p.get("agreement") is not None else None,
        p.get("was"),
        p.get(f"pixel_{length_unit}") or _pixel(area, perimeter),
        optional("length"),
        optional("width"),
        p.get("orientation_deg"),
        p.get("touches_edge"),
        p.get("parts"),
        tuple(p.get("overlaps", ())),
        tuple(Source(each["result"], each["id"]) for each in p.get("from", ())),
    )


def _pixel(area: Measure, perimeter: Measure) -> float:
    """The size of a pixel, from the plus/minus of an area (half a pixel along the perimeter): older files do not say it."""
    return 2 * area.plus_minus / perimeter.value if area.plus_minus and perimeter.value else 1.0
