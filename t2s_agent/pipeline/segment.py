"""Answers a question about an image with measured regions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from t2s_agent.bounds import LARGEST_AREA_M2, require_amount
from t2s_agent.models import check_models
from t2s_agent.pipeline.calibrating import with_own_prompts, with_whole_answer
from t2s_agent.pipeline.engine import Engine, shown_name
from t2s_agent.pipeline.items import picture_named
from t2s_agent.pipeline.large import LargeQuestion, Mode, wants_windows
from t2s_agent.pipeline.overview import overview_of
from t2s_agent.pipeline.resolution import checked_gsd, resolution_of, step_of
from t2s_agent.pipeline.saving import (
    Saved,
    prompted_of,
    prompter_reference,
    reference_to,
    segmenter_reference,
    store_result,
)
from t2s_agent.pipeline.steps import (
    Clock,
    Progress,
    checked_question,
    draw_masks,
    load_segmenter,
    no_progress,
    read_as_pixels,
    require_parsable,
    require_pixels,
)
from t2s_agent.pipeline.stretching import recorded, use_stretch
from t2s_agent.pipeline.windows import checked_budget
from t2s_agent.regions.build import build_regions
from t2s_agent.regions.units import Units
from t2s_agent.results.record import Record
from t2s_agent.scene.not_overhead import about_picture
from t2s_agent.scene.places import box_window
from t2s_agent.scene.scale import Scale
from t2s_agent.tiling.sizes import load_sizes

_MOSTLY = 0.5  # of a View; with a smaller share of data there is a warning


class SegmentOptions(TypedDict, total=False):
    """The options besides image and question; `segment_with_picture` has the defaults."""

    bbox: Sequence[float] | None
    bbox_crs: str | None
    bands: str | None
    stretch: str | None
    merge: Literal["instances", "union"]
    min_area_m2: float
    mode: Mode
    gsd_m: float | str | None
    max_windows: int | None
    max_seconds: float | None
    max_tokens: int | None
    progress: Progress


def segment(engine: Engine, image: Path | str, query: str, **options: Unpack[SegmentOptions]) -> Record:
    """Answers a question and returns the new record; see `segment_with_picture`."""
    return segment_with_picture(engine, image, query, **options).record


def segment_with_picture(
    engine: Engine,
    image: Path | str,
    query: str,
    *,
    bbox: Sequence[float] | None = None,
    bbox_crs: str | None = None,
    bands: str | None = None,
    stretch: str | None = None,
    merge: Literal["instances", "union"] = "instances",
    min_area_m2: float = 0.0,
    mode: Mode = "auto",
    gsd_m: float | str | None = None,
    max_windows: int | None = None,
    max_seconds: float | None = None,
    max_tokens: int | None = None,
    progress: Progress = no_progress,
) -> Saved:
    """Answers a question about an image: regions on the ground, stored as a new result.

    `bbox` is west, south, east, north in degrees, or xmin, ymin, xmax, ymax in the reference system `bbox_crs` (a code such
    as EPSG:32631, `image` for the image's own, or `pixels`). `stretch` is what becomes black and white (`stretching.use_stretch`;
    None: as measured in the whole image). Nothing found is a result with status `empty`. Raises T2SError
    for bad input, `answer_unparsable` where the prompter's answer cannot be read (its words are in the message), and
    `model_failed` where it named objects of which no mask has a pixel. `progress` is called
    before each step and may raise to stop: then nothing is stored.

    `mode`: `overview` looks once, at a picture of at most `max_size` px; `full` looks at windows of that size at full resolution, or at
    that of `gsd_m` (metres a pixel), and makes one object of what several windows show; `auto` does so where the overview is much
    coarser, at a resolution that is enough for what is asked for (`pipeline.resolution`) unless `gsd_m` is a number or `native`. At most `max_windows` (None: as the settings say), `max_seconds` and `max_tokens` are spent on windows, those first where
    the overview's answer has something; then the result is `partly`, and the same call with more goes on from there.
    """
    clock = Clock()
    question = checked_question(query)
    check_models(engine.settings)
    require_amount("min_area_m2", min_area_m2, LARGEST_AREA_M2, "square metres")
    budget = checked_budget(engine.settings, mode, max_windows, max_seconds, max_tokens)
    gsd_m = checked_gsd(gsd_m)
    sizes = load_sizes(engine.settings.sizes_file)
    engine.store.require_writable()
    progress(f"reading {shown_name(image)}")
    image, bands = picture_named(engine.settings, image, bands)
    with engine.scene(image) as scene:
        with clock("read"):
            if stretch:
                use_stretch(engine, scene, stretch, bands)
            if mode != "overview":
                step_of(scene, gsd_m)  # a size that the image does not have is said before a model is asked
            where = box_window(scene, bbox, bbox_crs) if bbox and bbox_crs else None
            view = overview_of(scene, where, bbox, bands, engine.settings.max_size, in_parts=mode != "overview")
            reference = reference_to(scene, view, engine.settings.max_size)
            remarks = (*about_picture(view), *scene.remarks(bands))
        share = float(view.valid.mean())
        if share < _MOSTLY:
            remarks = (*remarks, f"{1 - share:.0%} of the view is nodata, where nothing is found")
        load_segmenter(engine, clock, progress)
        progress(f"loading {engine.settings.prompter}")
        with clock("load prompter"):
            prompter = engine.models.prompter()
        progress(f"asking {engine.settings.prompter}")
        with clock("prompt"):
            answer = prompter.answer([view], [question])[0]
        parameters = {
            "bbox": list(bbox) if bbox else None,
            "bbox_crs": bbox_crs,
            "bands": bands,
            "stretch": recorded(stretch),
            "merge": merge,
            "min_area_m2": min_area_m2,
            "mode": "overview",
        }
        if wants_windows(view, scene, mode, gsd_m) and answer.status != "not_understood":
            limits = {"gsd_m": gsd_m, "max_windows": max_windows, "max_seconds": max_seconds, "max_tokens": max_tokens}
            resolution = resolution_of(scene, view, question, mode, gsd_m, sizes)
            mode = "auto" if resolution.asked else "full"
            return LargeQuestion(
                engine,
                scene,
                view,
                answer,
                question,
                reference,
                bands,
                resolution,
                budget,
                merge == "union",
                min_area_m2,
                parameters | {"mode": mode} | limits,
                remarks
                if Units.of(view.georeference).on_earth
                else (*remarks, *read_as_pixels(min_area_m2=min_area_m2)),
                clock,
                progress,
            ).segment()
    require_parsable(answer, prompter.name)
    masks = draw_masks(engine, view, answer.instances, clock, progress)
    progress("measuring")
    with clock("regions"):
        regions = build_regions(
            masks.masks,
            view,
            scores=masks.scores,
            instances=answer.instances,
            softness=masks.softness,
            merge=merge,
            min_area_m2=min_area_m2,
        )
    require_pixels(answer, regions, engine.settings.segmenter, share)
    if merge == "instances":
        regions = with_own_prompts(engine, regions)
        coarse = Scale.of(view, reference.gsd_m).coarse
        if answer.status in ("found", "empty") and not regions.left_out and not coarse:
            regions = with_whole_answer(engine, regions, reference.view_area or 0.0)
    return store_result(
        engine,
        view,
        reference,
        regions,
        query=question,
        operation="segment",
        parameters=parameters,
        prompter=prompter_reference(engine),
        segmenter=segmenter_reference(engine),
        prompted=prompted_of(engine, question, answer),
        warnings=(
            *remarks,
            *answer.warnings,
            *([] if regions.units.on_earth else read_as_pixels(min_area_m2=min_area_m2)),
        ),
        clock=clock,
        progress=progress,
        answered=answer.status,
    )
