"""What can be done to regions: sets, distances, smoothing. Each gives back masks on the View's grid, to be measured anew.

Geometry is computed in metres around the regions (or in pixels where there is no ground), and every result passes through
`build_regions` again, so that mask, polygon and measures never disagree.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

from t2s_agent.errors import T2SError
from t2s_agent.mask import EMPTY, Mask, masks_in, union_of
from t2s_agent.regions.grid import pixels_in
from t2s_agent.regions.measure import near
from t2s_agent.regions.polygons import mask_within, trace
from t2s_agent.regions.region import Geometry, Region, RegionSet
from t2s_agent.scene.view import View


def masks_of(regions: RegionSet) -> list[Mask]:
    """One mask a region, in the regions' order; an empty one where no pixel has the region's id."""
    found = masks_in(regions.labels)
    return [found.get(region.id, EMPTY) for region in regions.regions]


def selected(regions: RegionSet, *, keep: Sequence[int] = (), drop: Sequence[int] = ()) -> list[int]:
    """Positions of the regions to go on with. Raises `region_unknown` naming the ids that there are."""
    known = [region.id for region in regions.regions]
    for wanted in (*keep, *drop):
        if wanted not in known:
            raise T2SError("region_unknown", f"there is no region {wanted}", f"The regions are {_listed(known)}")
    return [i for i, id_ in enumerate(known) if (not keep or id_ in keep) and id_ not in drop]


def within(regions: Sequence[Region], others: Sequence[Region], metres: float, *, located: bool) -> list[int]:
    """Positions of those regions that come within so many metres (pixels) of any of the others, edge to edge."""
    return near([r.geometry for r in regions], [r.geometry for r in others], metres, located=located)


def combined(masks: Sequence[Mask], other: NDArray[np.bool_], operation: str) -> list[Mask]:
    """Each mask against an area (H, W): `intersection` and `difference` cut each, `union` adds the rest of it.

    A union joins what touches: the area, with all masks that meet it, in pieces that hang together.
    """
    if operation == "intersection":
        return [mask.where(other) for mask in masks]
    if operation == "difference":
        return [mask.where(~other) for mask in masks]
    if operation == "union":
        height, width = other.shape
        whole = union_of(masks, height, width) | other
        return [mask_within(part, height, width) for part in _pieces(trace(whole))]
    raise T2SError(
        "argument_invalid", f"there is no operation {operation!r}", "Choose from union, intersection, difference"
    )


def smoothed(masks: Sequence[Mask], view: View, radius: float) -> list[Mask]:
    """Masks opened and closed by a disc: notches and spurs narrower than twice `radius` (metres, or pixels) go.

    What would vanish altogether stays as it was.
    """
    done = []
    for mask in masks:
        in_pixels = radius / _pixel_size(view, mask)
        outline = affinity.translate(trace(mask.pixels), mask.x, mask.y)
        shape = outline.buffer(in_pixels).buffer(-2 * in_pixels).buffer(in_pixels)
        done.append(mask_within(shape, view.height, view.width) or mask)
    return done


def on_grid(regions: Sequence[Region], view: View) -> NDArray[np.bool_]:
    """The union of regions of any result on a View's pixels, bool (H, W): the pixels of which the centre lies in one of them."""
    if view.georeference.located:
        return pixels_in([region.geometry for region in regions], view)
    sx, sy = view.window.width / view.width, view.window.height / view.height
    pixels = [shapely.transform(r.geometry, lambda p: (p - (view.window.x, view.window.y)) / (sx, sy)) for r in regions]
    return union_of((mask_within(each, view.height, view.width) for each in pixels), view.height, view.width)


def _pixel_size(view: View, mask: Mask) -> float:
    """Metres that a View pixel measures at a mask, or pixels of the scene where there is no ground."""
    x1, y1, x2, y2 = mask.bounds
    here = view.georeference.gsd_m((x1 + x2) / 2, (y1 + y2) / 2) if view.georeference.located else None
    if here is None and view.georeference.located:
        here = view.gsd_m
    return here or math.sqrt(view.window.width * view.window.height / (view.width * view.height))


def _pieces(geometry: Geometry) -> list[Geometry]:
    return [part for part in getattr(geometry, "geoms", (geometry,)) if not part.is_empty]


def _listed(ids: Sequence[int]) -> str:
    if not ids:
        return "none at all"
    shown = ", ".join(map(str, ids[:20]))
    return shown + (f" ... {ids[-1]}" if len(ids) > 20 else "")
