"""Estimates the true edges of regions, for distances between them.

A stored outline follows pixel edges, and at a slanted edge the corners of its steps extend up to 0.7 of a pixel outwards, so
distances between such outlines are too short. Here each side of the boundary (`boundary`: the shortest line between pixels inside
and outside) is moved half way to the next parallel line of pixel centres, and sides are extended to their intersections.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.boundary import Boundary, boundaries_of
from t2s_agent.regions.polygons import areas_in, to_lonlat_all, traced_all
from t2s_agent.regions.region import Geometry, Labels, Region
from t2s_agent.scene.georeference import Floats, Georeference
from t2s_agent.scene.view import Window

_MAX_EXTENSION = 1.0  # most pixels by which a side is extended


def with_edges(
    regions: Sequence[Region], labels: Labels, georeference: Georeference, window: Window
) -> tuple[Region, ...]:
    """The regions with their estimated outlines as geometry, in degrees, or in scene pixels without a georeference.

    `labels` (H, W) has the id of the region at each pixel of a View of `window`, placed by `georeference`.
    """
    wanted = {region.id for region in regions}
    outlines = {id_: outline for id_, outline in traced_all(labels).items() if id_ in wanted}
    edges = edges_of(list(outlines.values()))
    if georeference.located:
        edges = to_lonlat_all(edges, georeference)
    else:
        height, width = labels.shape
        scale, corner = (window.width / width, window.height / height), (window.x, window.y)
        edges = [shapely.transform(each, lambda points: points * scale + corner) for each in edges]
    found = dict(zip(outlines, edges, strict=True))
    return tuple(
        replace(region, geometry=found[region.id]) if region.id in found and not found[region.id].is_empty else region
        for region in regions
    )


def edges_of(outlines: Sequence[Geometry]) -> list[Geometry]:
    """The estimated outline of each outline along pixel edges (`polygons.trace`), in View pixels."""
    if not outlines:
        return []
    boundaries = boundaries_of(outlines)
    parts, region_of_part = shapely.get_parts(np.asarray(outlines, object), return_index=True)
    _, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring_of_point = _moved_sides(boundaries)
    rings = shapely.linearrings(points, indices=ring_of_point)
    areas = shapely.polygons(rings, indices=part_of_ring)
    invalid = ~shapely.is_valid(areas)
    areas[invalid] = shapely.make_valid(areas[invalid])
    found = []
    for outline, own in zip(outlines, np.split(areas, np.flatnonzero(np.diff(region_of_part)) + 1), strict=True):
        edge = areas_in(own.tolist())
        if edge is not None and len(own) > 1 and not edge.is_valid:  # parts that touch
            edge = areas_in([shapely.union_all(own)])
        found.append(outline if edge is None else edge)
    return found


def _moved_sides(boundaries: Sequence[Boundary]) -> tuple[Floats, NDArray[np.intp]]:
    """Both ends of each side at its estimated position (n, 2), in ring order, and the ring number of each."""
    counts = [len(each.corners) for each in boundaries]
    starts = np.cumsum([0, *counts[:-1]])
    corners = np.concatenate([each.corners for each in boundaries])
    following = np.concatenate([each.following + at for each, at in zip(boundaries, starts, strict=True)])
    bend = np.concatenate([each.bend for each in boundaries])
    side = corners[following] - corners
    length = np.hypot(side[:, 0], side[:, 1])
    point = length == 0  # a ring of one pixel
    along = np.where(point[:, None], (1.0, 0.0), side / np.where(point, 1, length)[:, None])
    outwards = np.stack([along[:, 1], -along[:, 0]], 1)  # y is down, and the inside of a ring is on its left
    half = np.gcd(*side.T.astype(np.int64)) / 2
    half = np.where(bend == bend[following], half, np.concatenate([each.shift for each in boundaries]))
    moved = np.where(point, 0.5, half / np.where(point, 1, length))
    first, last = moved * bend, moved * bend[following]
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    # at each corner, the extension of the side that starts there and of the side that ends there to their intersection
    sine = along[before, 0] * along[:, 1] - along[before, 1] * along[:, 0]
    cosine = (along[before] * along).sum(1)
    ends = last[before]
    safe = np.where(abs(sine) > 1e-9, sine, 1.0)
    blunt = (cosine >= 0) & (abs(sine) > 1e-9)
    most = np.maximum(abs(first), abs(ends))
    reversal = np.where(cosine < 0, most, 0.0)
    begun = np.where(blunt, np.clip((ends - first * cosine) / safe, 0, _MAX_EXTENSION), reversal)
    ended = np.where(blunt, np.clip((first - ends * cosine) / safe, 0, _MAX_EXTENSION), reversal)[following]
    begun, ended = np.where(point, 0.5, begun), np.where(point, 0.5, ended)
    starting = corners + outwards * first[:, None] - along * begun[:, None]
    ending = corners[following] + outwards * last[:, None] + along * ended[:, None]
    points = np.stack([starting, ending], 1).reshape(-1, 2)
    ring = np.cumsum(np.append(False, following[:-1] <= np.arange(len(following) - 1)))
    if point.any():  # the square of a single pixel has two more corners
        square = np.repeat(point, 2)
        opposite = (corners[point][:, None] + [(0.5, 0.5), (-0.5, 0.5)]).reshape(-1, 2)
        points = np.concatenate([points, opposite])
        ring = np.concatenate([np.repeat(ring, 2), np.repeat(ring, 2)[square]])
        order = np.argsort(ring, kind="stable")
        return points[order], ring[order]
    return points, np.repeat(ring, 2)
