"""A question about an image to measured regions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from t2s_agent.bounds import LARGEST_AREA_M2, demand_amount
from t2s_agent.models import check_models
from t2s_agent.pipeline.workshop import (
    Clock,
    Progress,
    Workshop,
    asked_prompter,
    checked_question,
    demand_parsable,
    demand_pixels,
    draw_masks,
    drawing_segmenter,
    in_pixels_instead,
    load_segmenter,
    prompted_of,
    reference_to,
    silent,
    store_result,
)
from t2s_agent.regions.build import build_regions
from t2s_agent.results.record import Result
from t2s_agent.scene.places import box_window
from t2s_agent.text import one_line

_MOSTLY = 0.5  # of a View that should hold data, else it is worth a warning


def segment(
    shop: Workshop,
    image: Path | str,
    query: str,
    *,
    bbox: Sequence[float] | None = None,
    bbox_crs: str | None = None,
    bands: str | None = None,
    merge: Literal["instances", "union"] = "instances",
    min_area_m2: float = 0.0,
    progress: Progress = silent,
) -> Result:
    """Answers a question about an image: regions on the ground, stored as a new result.

    `bbox` is west, south, east, north in degrees, or xmin, ymin, xmax, ymax in the reference system `bbox_crs` (a code such
    as EPSG:32631, `image` for the image's own, or `pixels`). Nothing found is a result with status `empty`. Raises T2SError
    for bad input, `answer_unparsable` where the prompter's answer cannot be read (its words are in the message), and
    `model_failed` where it named objects of which no mask has a pixel. `progress` is called
    before each step and may raise to stop: then nothing is stored.
    """
    clock = Clock()
    question = checked_question(query)
    check_models(shop.settings)
    demand_amount("min_area_m2", min_area_m2, LARGEST_AREA_M2, "square metres")
    shop.store.demand_writable()
    progress(f"reading {one_line(Path(image).name, 255)}")
    with clock("read"), shop.scene(image) as scene:
        where = box_window(scene, bbox, bbox_crs) if bbox and bbox_crs else None
        view = scene.view(window=where, bbox=None if where else bbox, bands=bands, max_size=shop.settings.max_size)
        reference = reference_to(scene, view, shop.settings.max_size)
        remarks = scene.remarks(bands)
    share = float(view.valid.mean())
    if share < _MOSTLY:
        remarks = (*remarks, f"{1 - share:.0%} of the view is nodata, where nothing is found")
    load_segmenter(shop, clock, progress)
    progress(f"loading {shop.settings.prompter}")
    with clock("load prompter"):
        prompter = shop.models.prompter()
    progress(f"asking {shop.settings.prompter}")
    with clock("prompt"):
        answer = prompter.answer([view], [question])[0]
    demand_parsable(answer, prompter.name)
    masks = draw_masks(shop, view, answer.instances, clock, progress)
    progress("measuring")
    with clock("regions"):
        regions = build_regions(
            masks.masks,
            view,
            scores=masks.scores,
            instances=answer.instances,
            merge=merge,
            min_area_m2=min_area_m2,
        )
    demand_pixels(answer, regions, shop.settings.segmenter)
    return store_result(
        shop,
        view,
        reference,
        regions,
        query=question,
        operation="segment",
        parameters={
            "bbox": list(bbox) if bbox else None,
            "bbox_crs": bbox_crs,
            "bands": bands,
            "merge": merge,
            "min_area_m2": min_area_m2,
        },
        prompter=asked_prompter(shop),
        segmenter=drawing_segmenter(shop),
        prompted=prompted_of(shop, question, answer),
        warnings=(
            *remarks,
            *answer.warnings,
            *([] if regions.located else in_pixels_instead(min_area_m2=min_area_m2)),
        ),
        clock=clock,
        progress=progress,
        answered=answer.status,
    )
