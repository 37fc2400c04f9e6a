"""Masks of instances to the regions of a result: overlaps settled, outlines traced, everything measured."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.regions.measure import area_of, bbox_of, centroid_of, gsd_at, perimeter_m, perimeter_of
from t2s_agent.regions.polygons import SIMPLIFY_PX, decimals_for, simplified, to_lonlat, trace
from t2s_agent.regions.region import Geometry, Measure, Region, RegionSet
from t2s_agent.scene.view import View

SAME_IOU = 0.5  # masks that overlap more are one object, prompted twice: so it was in 71 of 75 pairs up to 0.7, in one it was not
Merge = Literal["instances", "union"]


def build_regions(
    masks: NDArray[np.bool_],
    view: View,
    *,
    scores: Sequence[float] | NDArray[np.float32] = (),
    instances: Sequence[Instance] = (),
    merge: Merge = "instances",
    min_area_m2: float = 0.0,
    simplify_px: float = SIMPLIFY_PX,
) -> RegionSet:
    """Regions of masks bool (N, H, W) in View pixels; ids count from 1 in the masks' order.

    What is nodata is nobody's. Masks of which one repeats the other (IoU above 0.5) become one; where others overlap, the
    smaller one keeps the pixels, since it would vanish otherwise. `union` makes a single region of all. Regions below
    `min_area_m2` are dropped with a warning (in pixels where there is no CRS, square pixels are meant).
    """
    warnings: list[str] = []
    stack: NDArray[np.bool_] = np.asarray(masks & view.valid)
    if merge == "union":
        stack = np.asarray(stack.any(0, keepdims=True)) if len(stack) else stack
        scores, instances = (), ()
    kept = _without_repeats(stack, scores, warnings)
    labels = np.zeros((view.height, view.width), np.uint16)
    for index in sorted(kept, key=lambda i: -int(stack[i].sum())):
        labels[stack[index]] = index + 1
    found: list[Region] = []
    final = np.zeros_like(labels)
    for index in kept:
        own = labels == index + 1
        if not own.any():
            warnings.append(f"instance {index + 1} has no pixels of its own and is left out")
            continue
        score = float(scores[index]) if len(scores) > index and np.isfinite(scores[index]) else None
        instance = instances[index] if len(instances) > index else None
        region = measured(own, view, id=len(found) + 1, score=score, instance=instance, simplify_px=simplify_px)
        if region.area.value < min_area_m2:
            warnings.append(f"a region of {region.area.value:.1f} {region.area.unit} is below the minimum and left out")
            continue
        found.append(region)
        final[own] = region.id
    return RegionSet(tuple(found), final, view.georeference.located, tuple(warnings))


def measured(
    mask: NDArray[np.bool_],
    view: View,
    *,
    id: int,
    score: float | None = None,
    instance: Instance | None = None,
    label: str = "",
    simplify_px: float = SIMPLIFY_PX,
) -> Region:
    """One region of a mask (H, W) that has at least one pixel. Areas are taken of the outline before it is rounded."""
    traced = trace(mask)
    smooth = simplified(traced, simplify_px)
    label = label or (instance.label if instance else "")
    if not view.georeference.located or view.gsd_m is None:
        return _in_pixels(traced, smooth, view, id, score, instance, label)
    spot = smooth.centroid
    gsd = gsd_at(view.georeference, spot.x, spot.y, view.gsd_m)
    exact = to_lonlat(traced, view.georeference, 12)
    ground = to_lonlat(smooth, view.georeference, decimals_for(gsd))
    area = area_of(exact, gsd)
    outline = perimeter_m(to_lonlat(smooth, view.georeference, 12))
    staircase = perimeter_m(exact)
    area = Measure(area.value, outline * gsd / 2, "m2")
    centre = centroid_of(exact)
    lon = centre.x - 360 if centre.x > 180 else centre.x
    decimals = decimals_for(gsd)
    return Region(
        id,
        ground,
        area,
        perimeter_of(outline, staircase, _count(smooth), gsd, "m"),
        (round(lon, decimals), round(centre.y, decimals)),
        bbox_of(ground),
        score,
        label,
        instance,
    )


def _in_pixels(
    traced: Geometry,
    smooth: Geometry,
    view: View,
    id: int,
    score: float | None,
    instance: Instance | None,
    label: str,
) -> Region:
    """The same in the scene's own pixels, where there is no ground to speak of."""
    sx, sy = view.window.width / view.width, view.window.height / view.height

    def move(points: np.ndarray) -> np.ndarray:
        return np.asarray(points * (sx, sy) + (view.window.x, view.window.y))

    exact, outline = shapely.transform(traced, move), shapely.transform(smooth, move)
    pixel = float(np.sqrt(sx * sy))
    area = Measure(float(exact.area), float(outline.length) * pixel / 2, "px2")
    perimeter = perimeter_of(float(outline.length), float(exact.length), _count(smooth), pixel, "px")
    spot = exact.centroid
    return Region(
        id,
        outline,
        area,
        perimeter,
        (round(spot.x, 2), round(spot.y, 2)),
        tuple(outline.bounds),
        score,
        label,
        instance,
    )


def _count(geometry: Geometry) -> int:
    return len(getattr(geometry, "geoms", (geometry,)))


def _without_repeats(
    stack: NDArray[np.bool_], scores: Sequence[float] | NDArray[np.float32], warnings: list[str]
) -> list[int]:
    """Indexes to keep, in order: of two masks that are nearly one, the better scored, else the first."""
    order = sorted(range(len(stack)), key=lambda i: (-(scores[i] if len(scores) > i else 0.0), i))
    sizes = stack.sum((1, 2)) if len(stack) else np.zeros(0)
    kept: list[int] = []
    for index in order:
        if not sizes[index]:
            warnings.append(f"instance {index + 1} has an empty mask")
            continue
        twin = next((k for k in kept if _iou(stack[index], stack[k], sizes[index], sizes[k]) > SAME_IOU), None)
        if twin is None:
            kept.append(index)
        else:
            warnings.append(f"instance {index + 1} repeats instance {twin + 1} and is left out")
    return sorted(kept)


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_], size_a: float, size_b: float) -> float:
    if min(size_a, size_b) <= SAME_IOU * max(size_a, size_b):
        return 0.0  # cannot be above the threshold
    shared = np.count_nonzero(a & b)
    return float(shared / (size_a + size_b - shared))
