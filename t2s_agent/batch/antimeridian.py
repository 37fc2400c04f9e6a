"""Boxes and footprints across 180 degrees: both are cut there, so that one that crosses finds and is found.

A box with west > east crosses 180 degrees. An outline of which one edge is longer than 180 degrees of longitude is read as the short way
round, across 180 degrees: many items are written so, though GeoJSON (RFC 7946) asks for two polygons. An edge from -180 to 180
exactly is one along the whole globe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from t2s_agent.errors import T2SError

Box: TypeAlias = tuple[float, float, float, float]
_HALF, _WHOLE = 180.0, 360.0


def boxes_of(west: float, south: float, east: float, north: float) -> list[Box]:
    """A box as one or, across 180 degrees, two boxes with west <= east within -180 to 180. Raises `bbox_invalid`."""
    numbers = (west, south, east, north)
    if not all(np.isfinite(numbers)) or south > north or south < -90 or north > 90:
        raise T2SError("bbox_invalid", f"the box {list(numbers)}", "Give west, south, east, north in degrees")
    if not all(-_WHOLE <= value <= _WHOLE for value in (west, east)) or abs(east - west) > _WHOLE:
        raise T2SError("bbox_invalid", f"the box {list(numbers)}", "Give west and east from -180 to 180")
    if east - west == _WHOLE:
        return [(-_HALF, south, _HALF, north)]
    west, east = _wrapped(west, low=True), _wrapped(east, low=False)
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, _HALF, north), (-_HALF, south, east, north)]


@dataclass(frozen=True, slots=True)
class Footprint:
    """The ground that a scene covers: an area in degrees whose parts lie within -180 to 180."""

    area: shapely.Geometry

    @classmethod
    def of(cls, geometry: shapely.Geometry) -> "Footprint":
        """The footprint of an outline as an item states it."""
        parts = [_cut(part) for part in shapely.get_parts(geometry)]
        return cls(shapely.union_all([shapely.make_valid(part) for part in parts]))

    @classmethod
    def of_box(cls, west: float, south: float, east: float, north: float) -> "Footprint":
        return cls(shapely.union_all([shapely.box(*box) for box in boxes_of(west, south, east, north)]))

    def meets(self, boxes: Sequence[Box]) -> bool:
        """Whether any of the boxes shares ground with it."""
        return any(self.area.intersects(shapely.box(*box)) for box in boxes)


def _wrapped(lon: float, *, low: bool) -> float:
    """A longitude within -180 to 180. 180 itself stays where it is the end of a box, and is -180 where it begins one."""
    if -_HALF <= lon <= _HALF:
        return -_HALF if low and lon == _HALF else lon
    return (lon + _HALF) % _WHOLE - _HALF


def _cut(part: shapely.Geometry) -> shapely.Geometry:
    if not isinstance(part, Polygon) or part.is_empty:
        return part
    rings = [_unrolled(shapely.get_coordinates(ring)) for ring in (part.exterior, *part.interiors)]
    whole = Polygon(rings[0], rings[1:])
    west, _, east, _ = whole.bounds
    if west >= -_HALF and east <= _HALF:
        return whole
    pieces = []
    for turn in range(int((west + _HALF) // _WHOLE), int((east + _HALF) // _WHOLE) + 1):
        strip = shapely.box(turn * _WHOLE - _HALF, -90, turn * _WHOLE + _HALF, 90)
        piece = shapely.make_valid(whole).intersection(strip)
        pieces.append(shapely.transform(piece, lambda points, turn=turn: points - (turn * _WHOLE, 0.0)))
    return shapely.union_all(pieces) if pieces else MultiPolygon()


def _unrolled(points: "np.ndarray") -> "np.ndarray":
    """A ring without jumps at 180 degrees: each corner on the side of the globe where its predecessor is."""
    jumps = np.diff(points[:, 0])
    turns = np.where(np.abs(jumps) > _HALF, np.where(np.abs(jumps) < _WHOLE, -np.sign(jumps), 0.0), 0.0)
    unrolled = points.astype(np.float64, copy=True)
    unrolled[1:, 0] += _WHOLE * np.cumsum(turns)
    return unrolled
