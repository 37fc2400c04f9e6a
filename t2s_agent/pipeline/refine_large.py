"""Filters and sorts a result of any size: regions and mask come in parts, and no model and no outline is held."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.filters import taken_by_id, taken_by_size
from t2s_agent.pipeline.instructions import parse_instruction
from t2s_agent.pipeline.loading import is_large, view_of
from t2s_agent.pipeline.overview import overview_of
from t2s_agent.pipeline.refinement import Refinement, given_in, name_of
from t2s_agent.pipeline.saving import Saved
from t2s_agent.pipeline.saving_large import store_large_result
from t2s_agent.pipeline.steps import Clock, Progress, read_as_pixels
from t2s_agent.pipeline.tiled_view import MOST_PIXELS
from t2s_agent.pipeline.window_accounts import missing_words
from t2s_agent.regions.mask_blocks import BLOCK_PX, LabelBlock
from t2s_agent.regions.order import order_of, require_axis, value_of
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.regions.raster import read_mask
from t2s_agent.regions.region import Region, Source
from t2s_agent.results.files import MASK, REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record
from t2s_agent.scene import View, Window
from t2s_agent.scene.not_overhead import among
from t2s_agent.text import plain

_PREVIEW = 2048  # px of the picture of a result


def is_filtered_in_parts(parent: Record) -> bool:
    """Whether a result is too large to be refined as one View."""
    width, height = parent.scene.view_size
    return is_large(parent) or (parent.tiling is not None and width * height > MOST_PIXELS)


def refine_large(engine: Engine, parent: Record, how: Refinement, clock: Clock, progress: Progress) -> Saved:
    """Makes a new result of the regions that are left of a large one, in the same order as `refine` would.

    Measures are those of the parent. Raises `limit_exceeded` for what needs all outlines, pixels or a model.
    """
    computed = parse_instruction(how.instruction, parent.units)
    _require_filters(parent, how, understood=computed is not None)
    stages = [*([Refinement(**asdict(computed))] if computed else []), how]
    for stage in stages:
        require_axis(stage.sort_by, parent.units)
    engine.store.require_writable()
    folder = engine.store.folder / parent.id
    with clock("operations"):
        left = _left(StoredRegions(folder / REGIONS, outlines=False), stages, progress)
    progress(f"reading {parent.scene.name}")
    with clock("read"):
        grid, overview = _pictures(engine, parent)
    renumbered = np.zeros(left.most_id + 1, np.int32)
    renumbered[left.ids] = np.arange(1, len(left.ids) + 1)
    used = parent.calibration
    words = [f"{plain(how.instruction, 100)!r} was computed from the regions: no model was asked"] if computed else []
    return store_large_result(
        engine,
        grid,
        overview,
        parent.scene.model_copy(update={"pixels_sha256": _digest(engine, parent)}),
        _blocks(folder, parent, renumbered),
        _regions(StoredRegions(folder / REGIONS), parent.id, left.positions, renumbered),
        most_id=len(left.ids),
        query=f"{parent.query}; {plain(how.instruction, LONGEST_QUERY)}" if how.instruction else parent.query,
        operation=name_of(how, computed is not None),
        parameters=given_in(how),
        prompter=parent.prompter,
        segmenter=parent.segmenter,
        prompted=parent.prompted,
        warnings=[*among(parent.warnings), *words, *_warnings(parent, how)],
        clock=clock,
        progress=progress,
        parents=(parent.id,),
        answered="not_understood" if parent.status == "not_understood" else "found",
        complete=parent.tiling is None or parent.tiling.looked_at == parent.tiling.windows,
        left_out=left.left_out,
        calibration=CalibrationUsed(used.sha256, used.data, used.date, used.cut) if used and left.calibrated else None,
        tiling=parent.tiling,
    )


@dataclass(slots=True)
class _Left:
    """The regions that are left, in their new order: positions in the file, and ids in the parent."""

    positions: Sequence[int]
    ids: NDArray[np.int64]
    most_id: int
    left_out: dict[str, int]
    calibrated: bool


def _left(stored: StoredRegions, stages: Sequence[Refinement], progress: Progress) -> _Left:
    """Goes through the regions once a stage; only positions, ids and the values to sort by are held."""
    positions: Sequence[int] = range(len(stored))
    ids = np.zeros(0, np.int64)
    left_out: dict[str, int] = {}
    most_id, calibrated = 0, False
    for stage in stages:
        kept: list[int] = []
        found: list[tuple[int, bool]] = []
        values: list[float | None] = []
        keep, drop = frozenset(stage.keep), frozenset(stage.drop)
        for position, region in zip(positions, stored.at(positions), strict=True):
            most_id = max(most_id, region.id)
            if name := taken_by_id({region.id}, keep, drop) or taken_by_size(region, stage):
                left_out[name] = left_out.get(name, 0) + 1
                continue
            kept.append(position)
            found.append((region.id, region.calibrated))
            values.append(value_of(region, stage.sort_by, region.units))
        progress(f"{len(kept)} of {len(positions)} regions are left")
        order = order_of(values, stage.sort_by, descending=stage.descending, first=stage.first)
        if len(order) < len(kept):
            left_out["first"] = left_out.get("first", 0) + len(kept) - len(order)
        positions = [kept[i] for i in order]
        ids = np.array([found[i][0] for i in order], np.int64)
        calibrated = any(found[i][1] for i in order)
    return _Left(positions, ids, most_id, left_out, calibrated)


def _regions(
    stored: StoredRegions, parent: str, positions: Sequence[int], renumbered: NDArray[np.int32]
) -> Iterator[Region]:
    for number, region in enumerate(stored.at(positions), 1):
        overlaps = sorted(int(renumbered[id_]) for id_ in region.overlaps if renumbered[id_])
        yield replace(region, id=number, was=region.id, sources=(Source(parent, region.id),), overlaps=tuple(overlaps))


def _blocks(folder: Path, parent: Record, renumbered: NDArray[np.int32]) -> Iterator[LabelBlock]:
    width, height = parent.scene.view_size
    for y in range(0, height, BLOCK_PX):
        for x in range(0, width, BLOCK_PX):
            part = x, y, min(BLOCK_PX, width - x), min(BLOCK_PX, height - y)
            labels = renumbered[read_mask(folder / MASK, part)]
            if labels.any():
                yield LabelBlock(x, y, labels)


def _pictures(engine: Engine, parent: Record) -> tuple[View, View]:
    """A View of the parent's size and place without pixels, and one with pixels for the picture."""
    reference = parent.scene
    window, (width, height) = Window(*reference.window), reference.view_size
    with engine.scene_of(parent) as scene:
        if (scene.width, scene.height) != (reference.width, reference.height):
            raise T2SError(
                "image_unreadable",
                f"{reference.name} is no longer the image that {parent.id} was made from",
                "Segment it again",
            )
        place = scene.georeference.resized(window, width, height)
        grid = View.without_pixels(width, height, place, window, reference.view_gsd_m, reference.bands)
        return grid, overview_of(scene, window, None, list(reference.bands), _PREVIEW, in_parts=True)


def _digest(engine: Engine, parent: Record) -> str:
    """The digest of the pixels: of one View where that can be read, else the parent's of its windows."""
    width, height = parent.scene.view_size
    if parent.tiling is None or width * height > MOST_PIXELS:
        return parent.scene.pixels_sha256
    return view_of(engine, parent).digest()


def _require_filters(parent: Record, how: Refinement, *, understood: bool) -> None:
    """Raises `limit_exceeded` for parts of a refinement that need all of a result at once."""
    needs = {
        "an instruction for a model": bool(how.instruction) and not understood,
        "points or a box": bool(how.positive or how.negative or how.box),
        "another result": bool(how.other),
        "smooth_m": bool(how.smooth_m),
    }
    if name := next((name for name, asked in needs.items() if asked), ""):
        width, height = parent.scene.view_size
        raise T2SError(
            "limit_exceeded",
            f"{name} needs all of {parent.id} in memory: {parent.region_count} regions in {width} x {height} px",
            "Filter by ids, area, length or probability, sort, or take the first ones, which works at any size; what is small enough "
            "then can be corrected, or ask about a part with bbox",
        )


def _warnings(parent: Record, how: Refinement) -> list[str]:
    found = missing_words(parent.tiling) if parent.tiling is not None else []
    if not parent.units.on_earth:
        sizes = ("min_area_m2", "max_area_m2", "min_length_m", "max_length_m")
        found += read_as_pixels(**{name: getattr(how, name) for name in sizes})
    return found
