"""Asks one question about two dates of a place and compares the answers: what appeared and what went, with areas and plus/minus."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from shapely.geometry import mapping

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.items import picture_named
from t2s_agent.pipeline.loading import require_not_large, stored_regions
from t2s_agent.pipeline.segment import SegmentOptions, segment
from t2s_agent.pipeline.steps import Progress, no_progress
from t2s_agent.pipeline.tiled_view import looked_at
from t2s_agent.regions.change import KINDS, Comparison, Dated, Kind, Match, compare
from t2s_agent.regions.fields import known_in, only
from t2s_agent.regions.frame import EARTH, Frame
from t2s_agent.regions.geojson import layer_name, multipolygon
from t2s_agent.regions.operations import on_grid
from t2s_agent.regions.plane import bbox_of
from t2s_agent.regions.region import Measure, Region, finest_rounding
from t2s_agent.regions.relations import Difference
from t2s_agent.regions.rounding import Rounding
from t2s_agent.results.files import WINDOWS
from t2s_agent.results.record import Record, pm_level
from t2s_agent.scene import View, Window
from t2s_agent.scene.not_overhead import among
from t2s_agent.scene.remarks import MISFIT

_OTHER_SCALE = 1.25  # ratio of pixel sizes of two dates from which a warning is given


@dataclass(frozen=True, slots=True)
class Change:
    """Two results and what lies between them. `rounding` is that of the finer result; `frame` that of outlines in files."""

    before: Record
    after: Record
    comparison: Comparison
    rounding: Rounding
    frame: Frame

    def total(self, kind: Kind) -> tuple[Measure, Measure]:
        """The areas of all matches of a kind at the earlier and at the later date; plus/minus add."""
        matches, unit = self.comparison.of(kind), self.before.unit_area
        each = [(match.area_before, match.area_after) for match in matches]
        return (
            Measure(sum(b.value for b, _ in each), sum(b.plus_minus for b, _ in each), unit),
            Measure(sum(a.value for _, a in each), sum(a.plus_minus for _, a in each), unit),
        )

    def facts(self) -> dict[str, Any]:
        """Counts and areas by kind, and the difference of all that both dates show, later less earlier."""
        unit, area = self.before.unit_area, self.rounding.area
        facts: dict[str, Any] = {}
        for kind in KINDS:
            matches = self.comparison.of(kind)
            first, second = self.total(kind)
            shown = first if kind == "gone" else second
            facts |= {
                f"{kind}_count": len(matches),
                f"{kind}_uncertain": sum(bool(match.why) for match in matches),
                f"{kind}_area_{unit}": area(shown.value),
                f"{kind}_area_pm_{unit}": area(shown.plus_minus),
            }
        totals = [self.total(kind) for kind in KINDS]
        found = Difference.of(
            *(Measure(sum(t[k].value for t in totals), sum(t[k].plus_minus for t in totals), unit) for k in (1, 0))
        )
        return facts | {
            f"difference_{unit}": area(found.value),
            f"difference_pm_{unit}": area(found.plus_minus),
            "difference_undecided": found.undecided,
            "warnings": self.warnings(),
            "not_seen_before": list(self.comparison.not_seen_before),
            "not_seen_after": list(self.comparison.not_seen_after),
        }

    def warnings(self) -> list[str]:
        """What makes the comparison doubtful as a whole: a date that was not looked at everywhere or whose picture shows nothing, or
        other resolutions.
        """
        found = []
        for name, result in (("earlier", self.before), ("later", self.after)):
            if result.status == "partly":
                found.append(f"the {name} date was looked at only partly ({result.id}): more may be there")
            misfits = [each for each in result.warnings if MISFIT in each]
            found += [f"the {name} date: {each}" for each in (*among(result.warnings), *misfits)]
        sizes = [each.scene.view_gsd_m or each.scene.scene_px_per_view_px or 1.0 for each in (self.before, self.after)]
        if max(sizes) > _OTHER_SCALE * min(sizes):
            found.append(
                f"the two dates were looked at with pixels of {sizes[0]:.3g} and {sizes[1]:.3g}: small objects may be seen "
                "at one of them only"
            )
        return found

    def collection(self) -> dict[str, Any]:
        """A GeoJSON FeatureCollection, one feature a match; outlines of the later date, of what is gone of the earlier."""
        matches = self.comparison.matches
        rows = [self.properties(match) for match in matches]
        known = known_in(rows)
        outlines = self.frame.to_file([match.outline for match in matches])
        member = self.frame.member()
        return {
            "type": "FeatureCollection",
            "name": layer_name(f"change {self.after.query}"),
            **({"crs": {"type": "name", "properties": {"name": self.frame.crs}}, "frame": member} if member else {}),
            "query": self.after.query,
            "before": {"result": self.before.id, "image": self.before.scene.name},
            "after": {"result": self.after.id, "image": self.after.scene.name},
            "measured": self.after.method,
            "pm_level": pm_level(self.after),
            "summary": self.facts(),
            "features": [
                {
                    "type": "Feature",
                    "id": number,
                    "bbox": list(bbox_of(match.outline) if self.before.units.on_earth else outline.bounds),
                    "geometry": mapping(multipolygon(outline)),
                    "properties": only(known, row),
                }
                for number, (match, outline, row) in enumerate(zip(matches, outlines, rows, strict=True), 1)
            ],
        }

    def properties(self, match: Match) -> dict[str, Any]:
        """The attributes of a match in files."""
        unit, area, difference = self.before.unit_area, self.rounding.area, match.difference
        return {
            "change": match.kind,
            "before": ",".join(map(str, match.before)) or None,
            "after": ",".join(map(str, match.after)) or None,
            f"area_before_{unit}": area(match.area_before.value),
            f"area_before_pm_{unit}": area(match.area_before.plus_minus),
            f"area_after_{unit}": area(match.area_after.value),
            f"area_after_pm_{unit}": area(match.area_after.plus_minus),
            f"difference_{unit}": area(difference.value),
            f"difference_pm_{unit}": area(difference.plus_minus),
            "overlap": round(match.overlap, 3),
            "uncertain": bool(match.why),
            "why": "; ".join(match.why) or None,
            "question": self.after.query,
            "result_before": self.before.id,
            "result_after": self.after.id,
        }


def change(
    engine: Engine,
    before: Path | str,
    after: Path | str,
    query: str,
    *,
    bands_after: str | None = None,
    known: tuple[Record | None, Record | None] = (None, None),
    **options: Unpack[SegmentOptions],
) -> Change:
    """Segments two images of a place and compares what was found. Both results are stored; the options are those of `segment`.

    `bands_after` are the bands of the later image, where they have other numbers there. `known` are results of the same question and
    options that are there already. What one of the pictures does not show (outside, no data) is not compared. Raises what `segment`
    raises, and `no_georeference` where only one of the images has a place on Earth, or neither and their sizes differ.
    """
    _require_one_place(engine, before, after)

    def asked(image: Path | str, later: bool, **other: Any) -> Record:
        own: SegmentOptions = {**options, **other}  # type: ignore[typeddict-item]  # the names are those of options
        if later and bands_after is not None:
            own["bands"] = bands_after
        if own.get("gsd_m") is None:  # not one that is enough to find a thing: its area at two dates is compared
            own["gsd_m"] = "native"
        with _of_date(later):
            return segment(engine, image, query, **own)

    first, second = known[0] or asked(before, False), known[1] or asked(after, True)
    if first.tiling or second.tiling:  # both at full resolution, else a difference may be that of pixels
        first = first if _is_full(first) else asked(before, False, mode="full")
        second = second if _is_full(second) else asked(after, True, mode="full")
    return compared(engine, first, second, images=(before, after), progress=options.get("progress", no_progress))


def compared(
    engine: Engine,
    before: Record,
    after: Record,
    *,
    images: tuple[Path | str | None, Path | str | None] = (None, None),
    progress: Progress = no_progress,
) -> Change:
    """Compares two stored results of one place. Raises `limit_exceeded` for one that is too large to be held in memory.

    `images`: where the results' images are, if their records do not say so (a signed address is not stored).
    """
    progress("comparing")
    for result in (before, after):
        require_not_large(result, "a comparison of two dates")
    old, new = stored_regions(engine, before), stored_regions(engine, after)
    views = _picture(engine, before, images[0]), _picture(engine, after, images[1])
    units = before.units
    return Change(
        before,
        after,
        compare(Dated(old, _seen(old, views[1])), Dated(new, _seen(new, views[0])), units),
        finest_rounding([*old, *new], units),
        EARTH if units.on_earth else Frame.of_view(views[1]),
    )


def _require_one_place(engine: Engine, before: Path | str, after: Path | str) -> None:
    with ExitStack() as stack:
        scenes = []
        for image, later in ((before, False), (after, True)):
            with _of_date(later):
                scenes.append(stack.enter_context(engine.scene(picture_named(engine.settings, image)[0])))
        first, second = scenes
        located = first.georeference.located, second.georeference.located
        sizes = (first.width, first.height), (second.width, second.height)
        if located[0] != located[1]:
            name = second.name if located[0] else first.name
            raise T2SError("no_georeference", f"{name} has no place on Earth, the other image has", "Give both a place")
        if not located[0] and sizes[0] != sizes[1]:
            raise T2SError(
                "no_georeference",
                f"{first.name} and {second.name} have no place on Earth, and their sizes differ: {sizes[0]} and {sizes[1]}",
                "Give images with a place, or two of one size that show the same place",
            )


def _is_full(result: Record) -> bool:
    """Whether a result looked at windows, or at one picture with all pixels of the scene."""
    return result.tiling is not None or (result.scene.scene_px_per_view_px or 1.0) <= 1.0


@contextmanager
def _of_date(later: bool) -> Iterator[None]:
    """Says in errors which of the two images they are about: both may have one name."""
    try:
        yield
    except T2SError as error:
        raise error.changed(what=f"the {'later' if later else 'earlier'} image: {error.what}") from error


def _picture(engine: Engine, result: Record, image: Path | str | None = None) -> View:
    """What a result looked at, in one picture: valid is where there are data and a window was looked at."""
    signed = image is not None and result.scene.address_was_signed
    with engine.scene(image, like=result.scene) if signed and image else engine.scene_of(result) as scene:
        view = scene.view(
            window=Window(*result.scene.window), bands=list(result.scene.bands), max_size=result.scene.max_size
        )
    if result.tiling is None or result.tiling.looked_at == result.tiling.windows:
        return view
    first = result
    while first.parents:  # the windows are with the result that looked at them
        first = engine.store.load(first.parents[0], regions=False)
    seen = looked_at(first, engine.store.artifact(first.id, WINDOWS), view.height, view.width)
    return replace(view, valid=view.valid & seen)


def _seen(regions: Sequence[Region], view: View) -> dict[int, float]:
    """By region id the share of each that a View shows with data, 0 to 1."""
    found = {}
    for region, mask in zip(regions, on_grid(regions, view), strict=True):
        inside = mask.area
        if not inside:
            found[region.id] = 0.0
            continue
        valid = float(np.count_nonzero(view.valid[mask.part] & mask.pixels)) / inside
        x1, y1, x2, y2 = mask.bounds
        at_edge = x1 == 0 or y1 == 0 or x2 == view.width or y2 == view.height
        pixel_area = _pixel_area(region, view)
        found[region.id] = valid * (min(1.0, inside * pixel_area / region.area.value) if at_edge else 1.0)
    return found


def _pixel_area(region: Region, view: View) -> float:
    if region.units.on_earth and view.gsd_m is not None:
        return view.gsd_m**2
    return view.window.width * view.window.height / (view.width * view.height)
