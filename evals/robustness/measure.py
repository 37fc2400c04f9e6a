"""Asks the same question of a picture and of its changes, and compares each answer with that of the unchanged picture."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.datasets.sample import Sample
from evals.metrics.overlap import mask_iou
from evals.robustness.changes import Change, Labels, Picture, Seen, base_of, changes
from evals.run.views import Looking
from t2s_agent.models import Models
from t2s_agent.regions.build import build_regions
from t2s_agent.segmenting.segmenter import Masks

Answering = Callable[[Sequence[Picture], str], list[Labels]]  # pictures and a question: the labels of each answer
_MOSTLY = 0.5  # of a region's pixels that both pictures must show for it to be counted


@dataclass(frozen=True, slots=True)
class Moved:
    """One sample under one change, compared where both pictures show the ground.

    `iou` of the answer with that to the unchanged picture: None where both found nothing, 0 where only one did. Areas are pixels of
    the base.
    """

    sample: str
    cluster: str
    change: str
    family: str
    iou: float | None
    count_before: int
    count_after: int
    area_before: int
    area_after: int

    @property
    def one_sided(self) -> bool:
        """Whether only one of the two answers found anything."""
        return (self.area_before == 0) != (self.area_after == 0)

    @property
    def area_moved(self) -> float | None:
        """The difference of the areas as a share of the larger one, 0..1; None where both are empty."""
        larger = max(self.area_before, self.area_after)
        return abs(self.area_after - self.area_before) / larger if larger else None


def by_models(models: Models, *, max_size: int = 1024) -> Answering:
    """Answers by a prompter and a segmenter, as the product answers: an answer that cannot be read finds nothing."""
    looking = Looking(max_size)

    def answer(pictures: Sequence[Picture], question: str) -> list[Labels]:
        prompter, segmenter = models.prompter(), models.segmenter()
        views = [looking.view(np.ascontiguousarray(each)) for each in pictures]
        found: list[Labels] = []
        for view, said in zip(views, prompter.answer(views, [question] * len(views)), strict=True):
            masks = Masks.none(view.height, view.width)
            if said.instances:
                masks = segmenter.decode(segmenter.embed([view])[0], said.instances)
            found.append(build_regions(masks.masks, view, scores=masks.scores, instances=said.instances).labels)
        return found

    return answer


def moved(
    samples: Iterable[Sample],
    answer: Answering,
    *,
    which: Sequence[Change] = (),
    report: Callable[[Sample], None] = lambda _: None,
) -> list[Moved]:
    """Every sample under every change. The picture is looked at once without change, and once for each change."""
    which = which or changes()
    rows = []
    for sample in samples:
        picture = sample.read_image()
        base, *others = answer([base_of(picture), *(change.apply(picture) for change in which)], sample.question)
        cluster = str(sample.metadata.get("block", sample.metadata.get("source", sample.image_id)))
        for change, labels in zip(which, others, strict=True):
            rows.append(_compared(sample.id, cluster, change, base, labels))
        report(sample)
    return rows


def _compared(sample: str, cluster: str, change: Change, base: Labels, changed: Labels) -> Moved:
    after, seen = change.back(changed)
    first, second = (base > 0) & seen, (after > 0) & seen
    empty = not first.any() and not second.any()
    return Moved(
        sample,
        cluster,
        change.name,
        change.family,
        None if empty else mask_iou(first, second),
        _counted(base, base, seen),
        _counted(after, changed, seen),
        int(first.sum()),
        int(second.sum()),
    )


def _counted(labels: Labels, whole: Labels, seen: Seen) -> int:
    """Regions of which both pictures show at least half: `labels` in the base's pixels, `whole` as the answer drew them."""
    inside = np.bincount(labels[seen].ravel())
    drawn = np.bincount(whole.ravel(), minlength=len(inside))[: len(inside)] * (labels.size / whole.size)
    return int(((inside > 0) & (inside >= _MOSTLY * drawn))[1:].sum())
