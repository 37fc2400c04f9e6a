"""Corrects the regions of a result by points and a box, and reports what that did to each region."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.mask import Mask
from t2s_agent.regions import operations
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.region import RegionSet, Source
from t2s_agent.results.record import Change
from t2s_agent.scene import View
from t2s_agent.segmenting.segmenter import Masks

_MOST = 0.5  # of a region's area; a region that loses more to another one counts as taken over
_NEW = ""  # used instead of a result's id for an object that the correction added


@dataclass(frozen=True, slots=True)
class _Touched:
    """A region before a correction and after it: `source` names it, with `_NEW` for one that the correction added."""

    source: Source
    before: float
    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Corrections:
    """The effects of corrections. `drawn`: the segmenter's prompts, each with the number of pixels of its mask."""

    touched: tuple[_Touched, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    drawn: tuple[tuple[Instance, int], ...] = ()

    @classmethod
    def none(cls) -> "Corrections":
        """Returns the effects of no corrections."""
        return cls()

    def changes(self, regions: RegionSet) -> tuple[Change, ...]:
        """Returns the changes with the final ids of the regions; 0 for a region that was removed."""
        now = {source: region.id for region in regions.regions for source in region.sources}
        rounding = regions.rounding()
        return tuple(
            Change(
                region=now.get(each.source, 0),
                was=0 if each.source.result == _NEW else each.source.id,
                area_before=rounding.area(each.before),
                area_after=rounding.area(each.after),
                why=each.why,
            )
            for each in self.touched
        )


def corrected(
    regions: RegionSet,
    view: View,
    positive: Sequence[Point],
    negative: Sequence[Point],
    box: Box | None,
    draw: Callable[[Sequence[Instance]], Masks],
) -> tuple[RegionSet, Corrections]:
    """Returns the regions after corrections by a box and points in View pixels, and the effects.

    The box adds an object, and points then say what belongs to it. Without a box each point belongs to the region that it lies in,
    else to the nearest one; a positive point that lies in none adds an object. Each region's `sources` say which it is.
    """
    owners, fresh = _tasks(regions, positive, negative, box)
    masks = operations.masks_of(regions)
    changed = [_redrawn(masks[spot], good, bad, regions.regions[spot].label) for spot, (good, bad) in owners.items()]
    asked = [*changed, *fresh]
    if not asked:
        said = "the points correct nothing: there is no region" if positive or negative else ""
        return regions, Corrections(warnings=(said,) if said else ())
    drawn = draw(asked)
    scores = [np.nan if region.score is None else region.score for region in regions.regions]
    softness = [np.nan if region.softness is None else region.softness for region in regions.regions]
    instances = [region.instance for region in regions.regions]
    agreements = [region.agreement for region in regions.regions]
    for index, spot in enumerate(owners):
        masks[spot], scores[spot], instances[spot] = drawn.masks[index], float(drawn.scores[index]), changed[index]
        agreements[spot] = None  # the answers agreed on the region as it was
        softness[spot] = float(drawn.softness[index])
    masks += drawn.masks[len(changed) :]
    scores += [float(score) for score in drawn.scores[len(changed) :]]
    softness += [float(each) for each in drawn.softness[len(changed) :]]
    sources = [
        *(region.sources or (Source(_NEW, -region.id),) for region in regions.regions),
        *((Source(_NEW, number),) for number in range(1, len(fresh) + 1)),
    ]
    after = build_regions(
        masks,
        view,
        scores=np.array(scores, np.float32),
        instances=[*instances, *fresh],
        names=[*(region.label for region in regions.regions), *(each.label for each in fresh)],
        agreements=[*agreements, *(None for _ in fresh)],
        sources=sources,
        softness=np.array(softness, np.float32),
    )
    named = [region.id for region in regions.regions]
    reasons = {sources[spot]: _why(*owners[spot]) for spot in owners}
    added = sources[len(named) :]
    touched, warnings = _compared(regions, after, sources[: len(named)], reasons)
    more, about_added = _added(
        after, added, "box" if box else "positive point", [m.area for m in drawn.masks[len(changed) :]]
    )
    areas = [mask.area for mask in drawn.masks]
    return after, Corrections((*touched, *more), (*warnings, *about_added), drawn=tuple(zip(asked, areas, strict=True)))


def _tasks(
    regions: RegionSet, positive: Sequence[Point], negative: Sequence[Point], box: Box | None
) -> tuple[dict[int, tuple[list[Point], list[Point]]], list[Instance]]:
    """Returns the positive and negative points of each region to correct (by its position), and objects to add."""
    if box:
        return {}, [Instance(box, tuple(positive), tuple(negative))]
    masks = operations.masks_of(regions)
    spots = {region.id: spot for spot, region in enumerate(regions.regions)}
    owners: dict[int, tuple[list[Point], list[Point]]] = {}
    fresh: list[Instance] = []
    for point, good in [*((p, True) for p in positive), *((p, False) for p in negative)]:
        owner = _owner_of(regions, point)
        if not owner and good:
            fresh.append(Instance(None, (point,), tuple(negative)))
        elif regions.regions:
            spot = spots[owner] if owner else _nearest(masks, point)
            owners.setdefault(spot, ([], []))[0 if good else 1].append(point)
    return owners, fresh


def _redrawn(mask: Mask, good: Sequence[Point], bad: Sequence[Point], label: str) -> Instance:
    """Returns the segmenter's prompt for a region that points correct: its box, extended to the positive points."""
    x1, y1, x2, y2 = mask.bounds
    xs = [float(x1), float(x2), *(x for x, _ in good)]
    ys = [float(y1), float(y2), *(y for _, y in good)]
    return Instance((min(xs), min(ys), max(xs), max(ys)), tuple(good), tuple(bad), label)


def _why(good: Sequence[Point], bad: Sequence[Point]) -> str:
    kinds = [f"{kind} point{'s' * (len(of) > 1)}" for kind, of in (("positive", good), ("negative", bad)) if of]
    return " and ".join(kinds)


def _compared(
    before: RegionSet,
    after: RegionSet,
    sources: Sequence[tuple[Source, ...]],
    reasons: dict[tuple[Source, ...], str],
) -> tuple[list[_Touched], list[str]]:
    """Returns changes and warnings of earlier regions that were corrected, lost pixels, or became one with another."""
    now = {source: region for region in after.regions for source in region.sources}
    touched, warnings = [], []
    for region, own in zip(before.regions, sources, strict=True):
        found = now.get(own[0])
        others = [source for source in found.sources if source != own[0]] if found else []
        area, left = region.area.value, found.area.value if found else 0.0
        shown = f"region {region.id}"
        if own in reasons:
            why = reasons[own]
        elif others:
            why = f"became one with {_called(others[0])}"
        elif found is None or _lost_to_another(after, before.labels == region.id, found.id):
            why = "lost pixels to a corrected region"
        else:
            continue
        touched.append(_Touched(own[0], area, left, why))
        if found is None:
            warnings.append(f"{shown} is gone: the correction took all of its pixels")
        elif any(not _is_added(source) for source in others):
            if found.sources[0] != own[0]:
                warnings.append(f"{shown} was taken over: it became one with {_called(found.sources[0])}")
        elif own in reasons:
            warnings += _against(shown, why, area, left, region.area.unit)
        elif left < _MOST * area:
            warnings.append(f"{shown} lost most of its pixels to a corrected region")
    return touched, warnings


def _against(shown: str, why: str, before: float, after: float, unit: str) -> list[str]:
    """Returns warnings if a correction had the opposite effect of its kind of point."""
    sizes = f"from {before:.6g} to {after:.6g} {unit}"
    if why.startswith("positive") and "negative" not in why and after < before:
        return [f"{shown} shrank by a {why}, {sizes}"]
    if why.startswith("negative") and after > before:
        return [f"{shown} grew by a {why}, {sizes}"]
    return []


def _added(
    after: RegionSet, added: Sequence[tuple[Source, ...]], why: str, drawn_px: Sequence[int]
) -> tuple[list[_Touched], list[str]]:
    """Returns the added objects, and warnings for those that repeat an existing region."""
    now = {source: region for region in after.regions for source in region.sources}
    touched, warnings = [], []
    for (source,), pixels in zip(added, drawn_px, strict=True):
        region = now.get(source)
        twins = [each for each in region.sources if each != source] if region else []
        if region is None:
            what = "nothing was drawn there" if not pixels else "all of its pixels belong to smaller regions"
            warnings.append(f"the {why} added nothing: {what}")
        elif twins:
            warnings.append(f"the {why} added nothing: what was drawn repeats {_called(twins[0])}")
        else:
            touched.append(_Touched(source, 0.0, region.area.value, why))
    return touched, warnings


def _is_added(source: Source) -> bool:
    return source.result == _NEW and source.id > 0


def _called(source: Source) -> str:
    return "the added object" if _is_added(source) else f"region {abs(source.id)}"


def _lost_to_another(after: RegionSet, pixels: NDArray[np.bool_], own: int) -> bool:
    """Whether any of the pixels (H, W) of the region `own` belongs to another region now."""
    there = after.labels[pixels]
    return bool(((there > 0) & (there != own)).any())


def _owner_of(regions: RegionSet, point: Point) -> int:
    height, width = regions.labels.shape
    return int(regions.labels[min(int(point[1]), height - 1), min(int(point[0]), width - 1)])


def _nearest(masks: Sequence[Mask], point: Point) -> int:
    """Returns the index of the mask with the pixel nearest to a point; starts with the nearest boxes."""
    x, y = point

    def to_box(mask: Mask) -> float:
        x1, y1, x2, y2 = mask.bounds
        return max(x1 + 0.5 - x, 0.0, x - x2 + 0.5) ** 2 + max(y1 + 0.5 - y, 0.0, y - y2 + 0.5) ** 2

    best, found = math.inf, 0
    for index in sorted(range(len(masks)), key=lambda i: to_box(masks[i])):
        mask = masks[index]
        if to_box(mask) >= best:
            break
        ys, xs = np.nonzero(mask.pixels)
        distance = float(np.min((xs + mask.x + 0.5 - x) ** 2 + (ys + mask.y + 0.5 - y) ** 2, initial=math.inf))
        if distance < best:
            best, found = distance, index
    return found
