"""GeoJSON objects as masks on an image."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from rasterio.features import rasterize
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from evals.datasets.files import Folder
from evals.datasets.problems import BrokenSample
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from t2s_agent.scene import Georeference

COORDINATES = ("lonlat", "pixel")  # the first is GeoJSON's own
_AREAS = ("Polygon", "MultiPolygon")
_LONLAT = re.compile(r"(CRS:?84|EPSG:+[\d.]*:?4326)$", re.IGNORECASE)  # longitude and latitude on WGS 84
_STEP_DEG = 0.01  # long edges in degrees are followed: on the image they are curves


def objects_of(value: Any, files: Folder, where: str, coordinates: str = COORDINATES[0]) -> list[BaseGeometry]:
    """The objects in a GeoJSON value, text or file: one a feature or geometry, polygons or multipolygons.

    `BrokenSample` where there is none (a row says that nothing fits by `empty`), or where the GeoJSON names a reference system
    that is not the one of `coordinates`.
    """
    if isinstance(value, str):
        text = value
        if not value.lstrip().startswith("{"):
            where = files.where(value)
            try:
                text = files.read(value).decode("utf-8-sig")
            except ValueError as error:
                raise BrokenSample("broken", where, f"is not UTF-8: {error}") from error
        try:
            value = json.loads(text)
        except ValueError as error:
            raise BrokenSample("broken", where, f"is not JSON: {error}") from error
    _require_system(value, coordinates, where)
    objects = [_area(geometry, where) for geometry in _geometries(value, where)]
    if not objects:
        raise BrokenSample("broken", where, "has no polygon: where nothing fits the question, write empty instead")
    return objects


def _require_system(value: Any, coordinates: str, where: str) -> None:
    """Refuses GeoJSON of which the member `crs` (GeoJSON of 2008) names another system than the row does."""
    named = value.get("crs") if isinstance(value, dict) else None
    if named is None:
        return
    properties = named.get("properties") if isinstance(named, dict) else None
    name = str(properties.get("name")) if isinstance(properties, dict) else str(named)
    if coordinates != "lonlat" or not _LONLAT.search(name):
        raise BrokenSample("broken", where, f"its GeoJSON is in {name[:80]}, but is to be read as {coordinates}")


def _geometries(value: Any, where: str) -> list[Any]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "FeatureCollection" and isinstance(value.get("features"), list):
        return [geometry for feature in value["features"] for geometry in _geometries(feature, where)]
    if kind == "GeometryCollection" and isinstance(value.get("geometries"), list):
        return [geometry for each in value["geometries"] for geometry in _geometries(each, where)]
    if kind == "Feature":
        return _geometries(value.get("geometry"), where)
    if kind in _AREAS:
        return [value]
    raise BrokenSample("broken", where, f"holds {kind or 'no GeoJSON'}, where polygons are wanted")


def _area(geometry: Any, where: str) -> BaseGeometry:
    try:
        area = shape(geometry)
    except (TypeError, ValueError, LookupError, AttributeError, shapely.errors.ShapelyError) as error:
        raise BrokenSample("broken", where, f"has a polygon that is none: {error}") from error
    if area.is_empty or not np.isfinite(shapely.get_coordinates(area)).all():
        raise BrokenSample("broken", where, "has a polygon without corners, or with corners that are no numbers")
    return area if area.is_valid else shapely.make_valid(area)


def drawn(
    objects: Sequence[BaseGeometry], size: tuple[int, int], place: Georeference | None, where: str
) -> tuple[Mask, ...]:
    """The masks of objects on an image of `size` (height, width): pixels whose centre lies in the object.

    With `place` their corners are lon/lat, without it pixels. An object smaller than a pixel is the pixel that it lies in; what
    lies outside of the image is left out. BrokenSample where all of them do: then the coordinates are of another kind.
    """
    height, width = size
    masks = []
    for each in objects:
        area = each if place is None else _on_image(each, place, where)
        inside = _polygons_of(area.intersection(shapely.box(0, 0, width, height)))
        if not inside:
            continue
        pixels = rasterize(inside, out_shape=size, dtype=np.uint8).astype(bool)
        if not pixels.any():
            point = inside[0].representative_point()
            pixels[min(int(point.y), height - 1), min(int(point.x), width - 1)] = True
        masks.append(Mask.of(pixels))
    if objects and not masks:
        kind = "lon/lat" if place else "pixels"
        raise BrokenSample("broken", where, f"none of its {len(objects)} polygons, read as {kind}, lies in the image")
    return tuple(masks)


def _polygons_of(area: BaseGeometry) -> list[BaseGeometry]:
    """The polygons in a geometry, without the lines and points that cutting leaves."""
    parts = shapely.get_parts(area).tolist()
    if len(parts) == 1 and parts[0].geom_type == "Polygon":
        return [parts[0]] if parts[0].area > 0 else []
    return [
        polygon
        for part in parts
        if part.geom_type != area.geom_type or len(parts) > 1
        for polygon in _polygons_of(part)
    ]


def _on_image(area: BaseGeometry, place: Georeference, where: str) -> BaseGeometry:
    corners = shapely.get_coordinates(area)
    if (np.abs(corners) > (180, 90)).any():
        raise BrokenSample("broken", where, "its polygons are no degrees of longitude and latitude: are they pixels?")

    def to_pixels(lonlat: Any) -> Any:
        return np.stack(place.from_lonlat(lonlat[:, 0], lonlat[:, 1]), axis=1)

    try:
        area = shapely.transform(shapely.segmentize(shapely.force_2d(area), _STEP_DEG), to_pixels)
    except T2SError as error:
        raise BrokenSample(
            "broken", where, f"its polygons are in degrees, but the image lies nowhere: {error.what}"
        ) from error
    if not np.isfinite(shapely.get_coordinates(area)).all():
        raise BrokenSample("broken", where, "has a polygon that cannot be shown on the image's map")
    return area if area.is_valid else shapely.make_valid(area)
