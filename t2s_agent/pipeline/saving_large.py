"""Saves results of any number of regions and any size of mask: everything comes in parts, and goes to disk as it comes."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.saving import Saved, made_now, saved, scaled
from t2s_agent.pipeline.steps import Clock, Progress
from t2s_agent.prompting.answer import Status, outcome
from t2s_agent.regions.fields import known_in, values_of
from t2s_agent.regions.frame import Frame
from t2s_agent.regions.geojson import NOTHING, features_of, head_of, lines_of
from t2s_agent.regions.mask_blocks import LabelBlock, write_mask_blocks
from t2s_agent.regions.picture import LISTED, Legend, draw_many, write_picture
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.regions.region import Measure, Region
from t2s_agent.regions.small_labels import SmallLabels
from t2s_agent.regions.spool import RegionSpool, in_chunks
from t2s_agent.regions.units import Units
from t2s_agent.results.files import MASK, PREVIEW, REGIONS, WINDOWS
from t2s_agent.results.record import (
    Measures,
    ModelReference,
    Prompted,
    Record,
    SceneReference,
    TilingRecord,
    about,
)
from t2s_agent.results.store import Writer
from t2s_agent.results.windows import WindowLook, write_windows
from t2s_agent.scene import Picture, View
from t2s_agent.scene.not_overhead import among


def store_large_result(
    engine: Engine,
    grid: Picture,
    overview: View,
    reference: SceneReference,
    blocks: Iterable[LabelBlock],
    regions: Iterable[Region],
    *,
    most_id: int,
    query: str,
    operation: str,
    parameters: dict[str, Any],
    prompter: ModelReference,
    segmenter: ModelReference,
    prompted: Prompted,
    warnings: Sequence[str],
    clock: Clock,
    progress: Progress,
    parents: tuple[str, ...] = (),
    answered: Status = "found",
    complete: bool = True,
    left_out: Mapping[str, int] | None = None,
    calibration: CalibrationUsed | None = None,
    total: Measure | None = None,
    count_range: tuple[int, int] | None = None,
    tiling: TilingRecord | None = None,
    windows: Iterable[WindowLook] = (),
) -> Saved:
    """Writes a result of any size and returns its record and picture, as `store_result` does for one that fits in memory.

    `grid` has the mask's size and place; its pixels are never read, so they may be one pixel, broadcast (`View.without_pixels`). `overview`
    shows the same window, at most 2,048 px, for the picture. `reference.view_size` is the grid's size, and `reference.pixels_sha256`
    whatever names the pixels that were looked at.

    `blocks` are parts of the mask in any order, without overlap, with corners at multiples of 2,048 px; those without a region may be
    left out. `regions` are numbered from 1 on, without gaps, in the order of their ids; measured, calibrated, and labelled. Both are
    gone through once, blocks first. No id in blocks is above `most_id`, from which the mask has its type.

    `answered` is the outcome of all windows together, `complete` False where some were not looked at: then the status is `partly`.
    `calibration`, `total` and `count_range` are as in `RegionSet`. `windows` makes windows.geojson; without any there is no such file.

    Memory holds a block, a chunk of regions, the picture and its labels. Parts go to a folder in the store, which is removed if
    anything fails: OSError becomes `output_unwritable`. `progress` may raise to stop.
    """
    scale, reference, remarks = scaled(grid, reference, tiling)
    engine.store.require_writable()
    with engine.store.workspace() as folder, RegionSpool(folder) as spool:
        progress("writing the mask")
        small = SmallLabels(grid.width, grid.height, overview.width, overview.height)
        with clock("write mask"):
            digest = write_mask_blocks(small.seen(blocks), grid, most_id, folder / MASK)
        with clock("regions"):
            measures, known, first = _spooled(regions, spool, Units.of(grid.georeference), progress)
        status = outcome(
            answered, measures.count, coarse=scale.coarse, left_out=not parents and any((left_out or {}).values())
        )
        result = Record(
            parents=parents,
            operation=operation,
            parameters=parameters,
            query=query,
            status=status if complete or status == "not_understood" else "partly",
            scene=reference,
            prompter=prompter,
            segmenter=segmenter,
            prompted=prompted,
            **measures.fields(calibration, total, count_range),
            tiling=tiling,
            left_out=dict(left_out or {}),
            mask_sha256=digest,
            **made_now(engine, clock, (*remarks, *warnings)),
        )
        legend = Legend(
            result.region_count,
            Measure(result.total_area, result.total_area_pm, result.unit_area),
            first,
            result.pm_level,
        )
        picture = draw_many(overview, small.labels, legend, title=query, notes=among(result.warnings))
        looks = tuple(windows)
        progress(f"writing {measures.count} region{'s' * (measures.count != 1)}")

        def files(named: Record) -> dict[str, Writer]:
            writers: dict[str, Writer] = {
                MASK: lambda path: _put(folder / MASK, path),
                REGIONS: lambda path: _write_regions(path, named, spool, known, grid),
                PREVIEW: lambda path: write_picture(picture, path),
            }
            return writers | ({WINDOWS: lambda path: write_windows(looks, grid, path)} if looks else {})

        return Saved(saved(engine, result, files), picture)


def _spooled(
    regions: Iterable[Region], spool: RegionSpool, units: Units, progress: Progress
) -> tuple[Measures, set[str], list[Region]]:
    """Keeps regions in the spool. Returns their measures, the names of the attributes that any has, and the first regions."""
    measures, known, first = Measures(units), set[str](), list[Region]()
    for chunk in in_chunks(regions):
        for region in chunk:
            if region.id != measures.count + 1:
                raise ValueError(f"region {region.id} comes after region {measures.count}")
            measures.add(region)
        known |= known_in(values_of(region, NOTHING) for region in chunk)
        first += chunk[: LISTED - len(first)]
        spool.add(chunk)
        progress(f"measured {measures.count} region{'s' * (measures.count != 1)}")
    return measures, known, first


def _write_regions(path: Path, result: Record, spool: RegionSpool, known: set[str], grid: Picture) -> None:
    said, frame = about(result), Frame.of_view(grid)
    everywhere = {name for name, value in asdict(said).items() if value}  # attributes of the same names
    head = head_of(result.units, result.method, said, frame)
    features = (feature for chunk in spool.chunks() for feature in features_of(chunk, known | everywhere, said, frame))
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines_of(head, features))


def _put(made: Path, path: Path) -> None:
    """Gives a file a second name in another folder of the same file system, or copies it where that cannot be."""
    try:
        os.link(made, path)
    except OSError:
        shutil.copyfile(made, path)
