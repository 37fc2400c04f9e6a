"""Traces labels that come block by block: each object's outline once, when no later block can add to it."""

from collections.abc import Iterable, Iterator

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import Polygon

from t2s_agent.mask import boxes_of
from t2s_agent.regions.polygons import trace, traced_all
from t2s_agent.regions.region import Geometry, Labels
from t2s_agent.scene.georeference import Floats
from t2s_agent.tiling.painting import Block


def outlines(blocks: Iterable[Block]) -> Iterator[tuple[int, Geometry]]:
    """The outline of each object in grid pixels, along pixel edges, with holes; (number, geometry), as soon as it is complete.

    The geometry is what `regions.polygons.traced_all` gives for all labels at once, in the normal form of `shapely.normalize`.
    Objects are complete when a block names them in `last`; those that no block names come at the end. Memory: one block, and the
    outlines of objects that are not complete.
    """
    open_: dict[int, list[Geometry]] = {}
    for block in blocks:
        for number, geometry in _traced(block.labels):
            open_.setdefault(number, []).append(affinity.translate(geometry, block.x, block.y))
        for number in block.last:
            if number in open_:
                yield number, _whole(open_.pop(number))
    for number in sorted(open_):
        yield number, _whole(open_[number])


def _traced(labels: Labels) -> Iterator[tuple[int, Geometry]]:
    """As `traced_all`; where objects are few, each is traced in its box, as most of the time goes into the pixels between them."""
    boxes = boxes_of(labels)
    if 2 * sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes.values()) > labels.size:
        yield from traced_all(labels).items()
        return
    for number, (x1, y1, x2, y2) in boxes.items():
        yield number, affinity.translate(trace(labels[y1:y2, x1:x2] == number), x1, y1)


def _whole(parts: list[Geometry]) -> Geometry:
    """One geometry of parts that share edges, without corners on straight lines, in normal form."""
    whole = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    polygons = [_straightened(polygon) for polygon in shapely.get_parts(whole)]
    normal: Geometry = shapely.normalize(polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons))
    return normal


def _straightened(polygon: Polygon) -> Polygon:
    return Polygon(_corners(polygon.exterior), [_corners(ring) for ring in polygon.interiors])


def _corners(ring: shapely.LinearRing) -> Floats:
    """The points of a closed ring where it turns."""
    points: Floats = shapely.get_coordinates(ring)[:-1]
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    turns: Floats = points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
    return turns
