"""Runs a prompter and a segmenter over images with truth and writes what they gave beside what is true, one JSON object a line.

The order of images is drawn by a hash, so that any part of the file is a fair sample of the dataset. A file that a killed run left
behind is gone on with: an image is written at once when it is done.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from shapely import affinity

from evals.calibrate.observed import MEASURES, AnswerRow, RegionRow, Row, as_json
from evals.calibrate.prompts import prompts_of
from evals.datasets import Sample
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.prompting.prompter import Prompter
from t2s_agent.regions.build import build_regions, measured_all
from t2s_agent.regions.operations import masks_of
from t2s_agent.regions.polygons import trace
from t2s_agent.regions.region import Geometry, Region, RegionSet
from t2s_agent.regions.units import Units
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View, Window
from t2s_agent.segmenting.segmenter import Segmenter

SAME_IOU = 0.5  # from which a region and an object are the same
MOST_OBJECTS = 10  # of an image that are prompted from the truth, drawn at random
_SAME_ITEM = ("name", "hint", "count")  # of these kinds one question is asked about each category


def pixels(rgb: np.ndarray) -> View:
    """A View of an array (H, W, 3) uint8 without a place on Earth."""
    height, width = rgb.shape[:2]
    return View(rgb, np.ones((height, width), bool), Georeference(), Window(0, 0, width, height), None, (1, 2, 3))


def seed_of(text: str) -> int:
    """A number from 0 to 2**64 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def chosen(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of one image that are asked: of each category one of several wordings, and everything else."""
    by_item: dict[str, list[Sample]] = {}
    for sample in samples:
        kind = str(sample.metadata.get("question_kind"))
        by_item.setdefault(f"{kind in _SAME_ITEM or kind} {sample.metadata.get('category')}", []).append(sample)
    return [each[seed_of(each[0].id) % len(each)] for each in by_item.values()]


def collect(
    samples: Sequence[Sample],
    name: str,
    prompter: Prompter | None,
    segmenter: Segmenter,
    file: Path,
    *,
    view_of: Callable[[Sample], View] = lambda sample: pixels(sample.read_image()),
    objects_of: Callable[[Sequence[Sample], View], Mapping[str, Sequence[Mask]]] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Appends to `file` the rows of all images of the samples that it does not hold yet."""
    _cut(file)
    done = finished(file, name)
    by_image: dict[str, list[Sample]] = {}
    for sample in samples:
        by_image.setdefault(sample.image_id, []).append(sample)
    left = sorted((image for image in by_image if image not in done), key=lambda image: seed_of(f"order {image}"))
    file.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with file.open("a", encoding="utf-8") as opened:
        for number, image in enumerate(left, 1):
            own = by_image[image]
            view = view_of(own[0])
            objects = (objects_of or true_objects)(own, view)
            rows: list[Row] = [*from_truth(own[0], view, objects, segmenter)]
            for sample in chosen(own) if prompter else ():
                rows += answered(sample, view, prompter, segmenter)  # type: ignore[arg-type]  # asked above
            lines = [json.dumps(as_json(row, name)) for row in rows]
            lines.append(json.dumps({"row": "done", "dataset": name, "image": image}))
            opened.write("\n".join(lines) + "\n")
            opened.flush()
            seconds = time.perf_counter() - began
            say(
                f"{name}: {number} of {len(left)} images, {seconds:.0f} s, {seconds / number * (len(left) - number):.0f} s left"
            )


def finished(file: Path, name: str) -> set[str]:
    """The images of a dataset that a file holds all rows of."""
    if not file.is_file():
        return set()
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {row["image"] for row in rows if row["row"] == "done" and row["dataset"] == name}


def _cut(file: Path) -> None:
    """Takes off what a killed run wrote of an image that it did not finish."""
    if not file.is_file():
        return
    raw = file.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    last = whole.rfind(b'{"row": "done"')
    end = whole.find(b"\n", last) + 1 if last >= 0 else 0
    if end < len(raw):
        with file.open("r+b") as opened:
            opened.truncate(end)


def true_objects(samples: Sequence[Sample], view: View) -> dict[str, Sequence[Mask]]:  # noqa: ARG001 - as a dataset's own
    """The objects of an image by category, from the questions that ask for all of one."""
    found: dict[str, Sequence[Mask]] = {}
    for sample in samples:
        category = str(sample.metadata.get("category"))
        if sample.metadata.get("question_kind") in _SAME_ITEM and category not in found:
            found[category] = sample.read_truth().instances or ()
    return found


def from_truth(
    sample: Sample, view: View, objects: Mapping[str, Sequence[Mask]], segmenter: Segmenter
) -> Iterator[RegionRow]:
    """Regions drawn from prompts that come from the truth, of up to ten objects, each by itself."""
    asked = prompted_truth(sample.image_id, view, objects)
    if not asked:
        return
    total = sum(len(masks) for masks in objects.values())
    masks = segmenter.decode(segmenter.embed([view])[0], [each[3] for each in asked])
    drawn = [mask.where(view.valid) for mask in masks.masks]
    regions = measured_alone(drawn, view)
    truths = {id(each[1]): each[1] for each in asked}
    true = dict(zip(truths, measured_alone(list(truths.values()), view), strict=True))
    for index, (category, truth, prompts, _) in enumerate(asked):
        region, known = regions[index], true[id(truth)]
        if region is None or known is None:
            continue
        score, softness = (float(each[index]) for each in (masks.scores, masks.softness))
        region = replace(
            region,
            score=score if math.isfinite(score) else None,
            softness=softness if math.isfinite(softness) else None,
        )
        iou = drawn[index].iou(truth)
        yield region_row(region, sample, category, "object", prompts, total, iou, in_pixels(known))


def prompted_truth(
    image: str, view: View, objects: Mapping[str, Sequence[Mask]]
) -> list[tuple[str, Mask, str, Instance]]:
    """Category, mask, name of the prompt and prompt: of each of up to ten objects, each kind of prompt."""
    rng = np.random.default_rng(seed_of(f"truth {image}"))
    listed = [(category, mask) for category, masks in sorted(objects.items()) for mask in masks if mask]
    asked: list[tuple[str, Mask, str, Instance]] = []
    for index in rng.permutation(len(listed))[:MOST_OBJECTS].tolist():
        category, mask = listed[index]
        asked += [(category, mask, *each) for each in prompts_of(mask, (view.height, view.width), rng).items()]
    return asked


def answered(sample: Sample, view: View, prompter: Prompter, segmenter: Segmenter) -> Iterator[Row]:
    """The regions of the prompter's own answer, then the answer."""
    truth = sample.read_truth()
    objects = [mask for mask in truth.instances or () if mask]
    answer = prompter.answer([view], [sample.question])[0]
    regions = RegionSet((), np.zeros((view.height, view.width), np.uint16), Units.of(view.georeference))
    if answer.instances:
        masks = segmenter.decode(segmenter.embed([view])[0], answer.instances)
        regions = build_regions(
            masks.masks, view, scores=masks.scores, instances=answer.instances, softness=masks.softness
        )
    category, kind = str(sample.metadata.get("category")), str(sample.metadata.get("question_kind"))
    if truth.known:
        yield from matched_rows(regions, objects, view, sample, category, kind)
    yield AnswerRow(
        sample=sample.id,
        image=sample.image_id,
        source=str(sample.metadata.get("source", sample.image_id)),
        block=str(sample.metadata.get("block", "")),
        category=category,
        kind=kind,
        status=answer.status,
        found=len(regions.regions),
        area=sum(in_pixels(region)["area"] for region in regions.regions),
        true_count=len(objects),
        true_area=float(sum(mask.area for mask in objects)),
        known=truth.known,
        tokens=answer.tokens,
        pixel_only=sum(in_pixels(region, plus_minus=True)["area"] for region in regions.regions),
        view_area=float(view.valid.sum()),
    )


def matched_rows(
    regions: RegionSet, objects: Sequence[Mask], view: View, sample: Sample, category: str, kind: str
) -> Iterator[RegionRow]:
    """Each region with the object that it is (IoU at least 0.5, the best pairs first, each once), else with None."""
    masks = masks_of(regions)
    ious = np.array([[mask.iou(each) for each in objects] for mask in masks]).reshape(len(masks), len(objects))
    pair: dict[int, int] = {}
    for flat in np.argsort(-ious, axis=None).tolist():
        row, column = divmod(flat, max(1, len(objects)))
        if ious[row, column] < SAME_IOU:
            break
        if row not in pair and column not in pair.values():
            pair[row] = column
    matched = sorted(set(pair.values()))
    measures = dict(zip(matched, measured_alone([objects[i] for i in matched], view), strict=True))
    for index, region in enumerate(regions.regions):
        other = pair.get(index)
        iou = float(ious[index].max(initial=0.0)) if other is None else float(ious[index, other])
        known = None if other is None else measures[other]
        true = None if known is None else in_pixels(known)
        yield region_row(region, sample, category, kind, "model", len(masks), iou, true)


def region_row(
    region: Region,
    sample: Sample,
    category: str,
    kind: str,
    prompts: str,
    found: int,
    iou: float,
    true: dict[str, float] | None,
) -> RegionRow:
    """What is known of a region, beside the truth."""
    own = in_pixels(region)
    return RegionRow(
        sample=sample.id,
        image=sample.image_id,
        source=str(sample.metadata.get("source", sample.image_id)),
        block=str(sample.metadata.get("block", "")),
        category=category,
        kind=kind,
        prompts=prompts,
        score=region.score,
        softness=region.softness,
        agreement=region.agreement,
        area=own["area"],
        perimeter=own["perimeter"],
        length=own.get("length"),
        width=own.get("width"),
        touches_edge=bool(region.touches_edge),
        parts=region.parts or 1,
        found=found,
        iou=iou,
        true=true,
        pixel_only=in_pixels(region, plus_minus=True),
    )


def measured_alone(masks: Sequence[Mask], view: View) -> list[Region | None]:
    """Each mask measured as a region, as if it were the only one; None where it has no pixel."""
    outlines = [traced(mask) for mask in masks]
    there = [index for index, outline in enumerate(outlines) if not outline.is_empty]
    found: list[Region | None] = [None] * len(masks)
    for index, region in zip(there, measured_all([outlines[i] for i in there], view), strict=True):
        found[index] = region
    return found


def traced(mask: Mask) -> Geometry:
    """A mask's outline in View pixels."""
    return affinity.translate(trace(mask.pixels), mask.x, mask.y)


def in_pixels(region: Region, *, plus_minus: bool = False) -> dict[str, float]:
    """A region's measures, or their plus/minus, in View pixels."""
    found: dict[str, float] = {}
    for name in MEASURES:
        measure = getattr(region, name)
        if measure is not None:
            value = measure.plus_minus if plus_minus else measure.value
            found[name] = value / region.pixel ** (2 if name == "area" else 1)
    return found
