"""The second stage: draws each answer's masks and compares them with the truth, one row a sample, for all protocols at once."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.datasets.sample import Sample, Truth
from evals.metrics.overlap import BoolMask
from evals.metrics.row import Row
from evals.protocols.grids import ORIGINAL, Grid
from evals.run.answers import answer_from
from evals.run.facts import boxes_in_image, grid_facts, packed, place_of, unpacked
from evals.run.progress import counting
from evals.run.prompts import PromptKind, prompts_of
from evals.run.records import Records, header_of, rows_of
from evals.run.shards import ALONE, Shard, by_image
from evals.run.views import Looking
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask, union_of
from t2s_agent.segmenting.segmenter import Segmenter


def write_scores(
    samples: Iterable[Sample],
    answers: Path,
    segmenter: Segmenter,
    out: Path,
    *,
    looking: Looking,
    prompts: PromptKind = "box+points",
    shard: Shard = ALONE,
    skip_broken: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Scores all answers of this shard that `out` has no row for yet; the file of scores.

    An image's answers are drawn together: one embedding, from the segmenter's store where it is there, and one call of the
    decoder. Answers that could not be read or whose sample is broken become rows that say so. A truth that cannot be read stops
    the run, or with `skip_broken` becomes such a row.
    """
    header = header_of(answers)
    settings = {
        "answers": header["hash"],
        "segmenter": segmenter.name,
        "segmenter_digest": segmenter.digest,
        "prompts": prompts,
    }
    places = _Answers(answers)
    path = shard.file(out, "scores")
    with (
        Records(path, "scores", settings, {**header["settings"], **(notes or {})}) as records,
        counting("scores", len(places), len(records.done)) as counter,
    ):
        for group in by_image(samples, shard):
            missing = [each for each in group if each.id in places and each.id not in records.done]
            rows = [places.read(each.id) for each in missing]
            for row in _scored(missing, rows, segmenter, looking, prompts, skip_broken):
                records.add(row)
            counter.add(len(missing))
    return path


class _Answers:
    """The answers of a file, found by id without holding them: a number a sample."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._where: dict[str, int] = {}
        at = 0
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if number and line.endswith(b"\n"):
                    self._where[json.loads(line)["id"]] = at
                at += len(line)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, key: str) -> bool:
        return key in self._where

    def read(self, key: str) -> dict[str, Any]:
        with self._path.open("rb") as file:
            file.seek(self._where[key])
            return dict(json.loads(file.readline()))


def _scored(
    samples: Sequence[Sample],
    answers: Sequence[Mapping[str, Any]],
    segmenter: Segmenter,
    looking: Looking,
    prompts: PromptKind,
    skip_broken: bool,
) -> list[dict[str, Any]]:
    """The rows of the answers about one image."""
    broken = [
        {"id": each["id"], "image_id": each["image_id"], "broken": each["broken"]}
        for each in answers
        if "broken" in each
    ]
    pairs = [(sample, row) for sample, row in zip(samples, answers, strict=True) if "broken" not in row]
    if not pairs:
        return broken
    read = [answer_from(row) for _, row in pairs]
    kept = [prompts_of(answer.instances, prompts) for answer in read]
    began = time.perf_counter()
    drawn = _drawn(pairs[0][0], kept, segmenter, looking, pairs[0][1])
    seconds = (time.perf_counter() - began) / len(pairs)
    rows = []
    for (sample, plain), answer, instances, (union, areas, scores) in zip(pairs, read, kept, drawn, strict=True):
        try:
            truth = _truth(sample, plain["image"])
        except T2SError as error:
            if not skip_broken:
                raise
            broken.append({"id": sample.id, "image_id": sample.image_id, "broken": str(error)})
            continue
        item, index, cluster = place_of(sample)
        boxes = boxes_in_image(answer.instances, union.shape, truth.mask.shape)
        row = Row(
            id=sample.id,
            image_id=sample.image_id,
            item=item,
            question_index=index,
            cluster=cluster,
            question=sample.question,
            status=answer.status,
            instances=len(answer.instances),
            without_prompt=len(answer.instances) - len(instances),
            true_instances=None if truth.instances is None else len(truth.instances),
            known=truth.known,
            tokens=answer.tokens,
            seconds=answer.seconds,
            segment_seconds=seconds,
            grids=grid_facts(union, boxes, truth),
            metadata={key: value for key, value in sample.metadata.items() if isinstance(value, str | int | float)},
        )
        rows.append({**row.to_dict(), "mask": packed(union), "mask_areas": areas, "mask_scores": scores})
    return [*broken, *rows]


def _truth(sample: Sample, size: Sequence[int]) -> Truth:
    """What is right, on a mask of the image's `size` (height, width)."""
    truth = sample.read_truth()
    if list(truth.mask.shape) != list(size):
        raise T2SError(
            "argument_invalid",
            f"the truth of {sample.id} has {truth.mask.shape}, its image {tuple(size)} pixels",
            "Run `python -m evals.datasets check` on the data",
        )
    return truth


def _drawn(
    sample: Sample,
    wanted: Sequence[Sequence[Instance]],
    segmenter: Segmenter,
    looking: Looking,
    row: Mapping[str, Any],
) -> list[tuple[BoolMask, list[int], list[float | None]]]:
    """For each answer the union of its masks (h, w) in View pixels, and area and score of each; no pass where none is needed."""
    height, width = row["view"]
    together = [instance for each in wanted for instance in each]
    masks: list[Mask] = []
    scores: list[float | None] = []
    if together:
        view = looking.view(sample.read_image())
        found = segmenter.decode(segmenter.embed([view])[0], together)
        masks = list(found.masks)
        scores = [
            None if score != score else round(float(score), 4) for score in found.scores
        ]  # nan: it has no opinion
    drawn, at = [], 0
    for each in wanted:
        own = slice(at, at + len(each))
        drawn.append((union_of(masks[own], height, width), [mask.area for mask in masks[own]], scores[own]))
        at += len(each)
    return drawn


def read_scores(path: Path, grid: Grid | None = None) -> tuple[list[Row], int]:
    """The rows of a file of scores, ordered by id, and how many samples are broken.

    A `grid` that the rows were not made for is `argument_invalid`: `add_grid` computes it from the stored masks.
    """
    rows, broken = [], 0
    kept = {ORIGINAL.name, grid.name} if grid else None  # the areas on other grids are left out
    for plain in rows_of(path):
        if "broken" in plain:
            broken += 1
            continue
        rows.append(Row.from_dict(plain, grids=kept))
    if grid and any(grid.name not in row.grids for row in rows):
        raise T2SError(
            "argument_invalid",
            f"{path.name} has no areas on the grid {grid.name}",
            "Compute them from its stored masks with evals.run.scores.add_grid",
        )
    return sorted(rows, key=lambda row: row.id), broken


def add_grid(rows: Path, samples: Iterable[Sample], answers: Path, grid: Grid, into: Path) -> int:
    """Copies a file of scores with areas on one more grid, from the stored masks: no pass of the segmenter. How many rows."""
    header = header_of(rows)
    by_id = {sample.id: sample for sample in samples}
    places = _Answers(answers)
    with Records(into, "scores", header["settings"], header["notes"]) as records:
        for plain in rows_of(rows):
            if plain["id"] in records.done:
                continue
            if "broken" not in plain:
                truth = by_id[plain["id"]].read_truth()
                mask = unpacked(plain["mask"])
                instances = answer_from(places.read(plain["id"])).instances
                boxes = boxes_in_image(instances, mask.shape, truth.mask.shape)
                row = Row.from_dict(plain)
                grids = {**row.grids, **grid_facts(mask, boxes, truth, {grid.name: grid})}
                fresh = Row(**{name: getattr(row, name) for name in row.__slots__ if name != "grids"}, grids=grids)
                plain = {**plain, **fresh.to_dict()}
            records.add(plain)
        return len(records.done)
