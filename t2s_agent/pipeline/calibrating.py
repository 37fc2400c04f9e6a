"""Applies a calibration's plus/minus to regions, and copies it to results that are made from them.

A plus/minus holds for a region as a model drew it. Where its pixels are the same in a later result, it holds there too; where they were
changed (cut, joined, smoothed), nothing was measured that could speak of them, so it is of pixels only again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from t2s_agent.calibration import Features, Loaded, Measured, Prompts
from t2s_agent.instance import Instance
from t2s_agent.models import Usable
from t2s_agent.pipeline.engine import Engine
from t2s_agent.regions.lineage import unchanged_ids
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.regions.region import Measure, Region, RegionSet


def with_own_prompts(engine: Engine, regions: RegionSet) -> RegionSet:
    """Returns regions of the prompter's own answer, calibrated if their models have a calibration; a warning counts unsure ones."""
    if not regions.regions:
        return regions
    usable = _usable(engine, own_prompts=True)
    if usable.loaded is None:
        return _warned(regions, usable.remark)
    loaded = usable.loaded
    found = _used(
        replace(regions, regions=tuple(_calibrated(each, "model", loaded) for each in regions.regions)), loaded
    )
    return _warned(found, unsure_words(found))


def with_whole_answer(engine: Engine, regions: RegionSet, view_area: float) -> RegionSet:
    """Returns the same regions with the total's plus/minus and the range of the count, for an answer without left-out regions.

    `view_area` is the area of the view, in the unit of the regions' areas.
    """
    loaded = _usable(engine, own_prompts=True).loaded
    if loaded is None:
        return regions
    unit, count = regions.units.area, len(regions.regions)
    area = sum(region.area.value for region in regions.regions)
    plus_minus = loaded.total_area(count, area, view_area)
    if plus_minus is None:
        return regions
    return replace(_used(regions, loaded), total=Measure(area, plus_minus, unit), count_range=loaded.count(count))


def with_persons_prompts(engine: Engine, regions: RegionSet, drawn: Sequence[tuple[Instance, int]]) -> RegionSet:
    """Returns the regions, calibrated where they were drawn from a user's box or points.

    `drawn` are the instances with the pixels of their masks: a region that lost some of them to others is not as it was drawn.
    """
    own = {
        region.id: prompts_of(instance)
        for region in regions.regions
        for instance, pixels in drawn
        if region.instance is instance and int((regions.labels == region.id).sum()) == pixels
    }
    if not own:
        return regions
    usable = _usable(engine, own_prompts=False)
    if usable.loaded is None:
        return _warned(regions, usable.remark)
    found = tuple(
        _calibrated(each, own[each.id], usable.loaded) if each.id in own else each for each in regions.regions
    )
    return _used(replace(regions, regions=found), usable.loaded)


def prompts_of(instance: Instance | None) -> Prompts:
    """Returns the kind of a user's prompt."""
    if instance is None or instance.box is None:
        return "point"
    return "box_points" if instance.positive or instance.negative else "box"


def carried(regions: RegionSet, *earlier: RegionSet) -> RegionSet:
    """Returns regions with the plus/minus of the regions of earlier results that have exactly the same pixels.

    All from one calibration: that of `regions`, else the first one of the others.
    """
    there = [each for each in (regions, *earlier) if each.calibration is not None]
    if not there:
        return regions
    used = there[0].calibration
    known: dict[int, Region] = {}
    for each in earlier:
        if each.calibration is None or each.calibration != used or each.labels.shape != regions.labels.shape:
            continue
        by_id = {region.id: region for region in each.regions if region.calibrated}
        for now, then in unchanged_ids(each.labels, regions.labels).items():
            if then in by_id:
                known.setdefault(now, by_id[then])
    found = tuple(
        _as(region, known[region.id]) if region.id in known and not region.calibrated else region
        for region in regions.regions
    )
    return replace(regions, regions=found, calibration=used if any(each.calibrated for each in found) else None)


def unsure_words(regions: RegionSet) -> str:
    """Returns a warning with the number of unsure regions and how to show and filter them; empty if there are none."""
    unsure = sum(bool(region.unsure) for region in regions.regions)
    return unsure_of(unsure, len(regions.regions), regions.calibration.cut if regions.calibration else None)


def unsure_of(unsure: int, count: int, cut: float | None) -> str:
    """Returns that warning for `unsure` of `count` regions below a cut."""
    if not unsure or cut is None:
        return ""
    return (
        f"{unsure} of {count} regions {'is' if unsure == 1 else 'are'} unsure: {'its' if unsure == 1 else 'their'} probability of being what was asked for is below {cut:g}; "
        f"the column probability shows it, and a refinement with min_probability {cut:g} leaves them out"
    )


def _usable(engine: Engine, *, own_prompts: bool) -> Usable:
    """Returns the calibration of the engine's models, unless the settings switch it off."""
    if engine.settings.plus_minus == "pixels":
        return Usable(None, "")
    return engine.models.calibration(own_prompts=own_prompts)


def _calibrated(region: Region, prompts: Prompts, loaded: Loaded) -> Region:
    area_px = region.area.value / region.pixel**2
    features = Features.of(area_px, region.score, region.softness, region.touches_edge)
    widths = loaded.widths(prompts, features)
    if widths is None:
        return region
    chance = loaded.probability(features) if prompts == "model" else None
    cut = loaded.table.cut
    return replace(
        _measured(region, lambda name, measure: measure.value * widths[name] if name in widths else None),
        calibrated=True,
        probability=chance,
        unsure=None if chance is None or cut is None else chance < cut,
    )


def _as(region: Region, other: Region) -> Region:
    """Returns a region with the calibrated errors of another region with the same pixels."""

    def same(name: Measured, _: Measure) -> float | None:
        found: Measure | None = getattr(other, name)
        return None if found is None else found.plus_minus

    return replace(_measured(region, same), calibrated=True, probability=other.probability, unsure=other.unsure)


def _measured(region: Region, plus_minus: Callable[[Measured, Measure], float | None]) -> Region:
    """Returns a region with another plus/minus of each measure; an unknown one stays unchanged."""
    changed: dict[str, Measure] = {}
    names: Mapping[Measured, Measure | None] = {
        "area": region.area,
        "perimeter": region.perimeter,
        "length": region.length,
        "width": region.width,
    }
    for name, measure in names.items():
        if measure is not None and (found := plus_minus(name, measure)) is not None:
            changed[name] = replace(measure, plus_minus=found)
    return replace(region, **changed)  # type: ignore[arg-type]  # of these names all are measures


def _used(regions: RegionSet, loaded: Loaded) -> RegionSet:
    table = loaded.table
    data = f"{table.made.data}, {table.made.images} images"
    return replace(regions, calibration=CalibrationUsed(loaded.sha256, data, table.made.date, table.cut))


def _warned(regions: RegionSet, words: str) -> RegionSet:
    return replace(regions, warnings=(*regions.warnings, words)) if words else regions
