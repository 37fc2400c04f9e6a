"""Asks the same question about an image and its changed versions, and compares each answer with that for the unchanged image."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.datasets.sample import Sample
from evals.metrics.overlap import mask_iou
from evals.robustness.changes import Change, Labels, Picture, VisiblePixels, base_of, changes
from evals.run.views import Looking
from t2s_agent.models import Models
from t2s_agent.regions.build import build_regions
from t2s_agent.segmenting.segmenter import Masks

AnswerFunction = Callable[[Sequence[Picture], str], list[Labels]]  # images and a question: the labels of each answer
_MIN_VISIBLE_SHARE = 0.5  # share of a region's pixels that both images must show for the region to be counted


@dataclass(frozen=True, slots=True)
class Comparison:
    """One sample under one change, compared in the pixels that both images show.

    `iou` of the answer with that for the unchanged image: None if both found nothing, 0 if only one found anything. Areas are pixels of
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
        """Returns whether only one of the two answers found anything."""
        return (self.area_before == 0) != (self.area_after == 0)

    @property
    def area_moved(self) -> float | None:
        """Returns the difference of the areas as a share of the larger one, 0..1; None if both are empty."""
        larger = max(self.area_before, self.area_after)
        return abs(self.area_after - self.area_before) / larger if larger else None


def answers_by_models(models: Models, *, max_size: int = 1024) -> AnswerFunction:
    """Returns a function that answers like the product, with a prompter and a segmenter; an answer that cannot be parsed finds nothing."""
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


def compare_answers(
    samples: Iterable[Sample],
    answer: AnswerFunction,
    *,
    which: Sequence[Change] = (),
    report: Callable[[Sample], None] = lambda _: None,
) -> list[Comparison]:
    """Returns each sample under each change. The model sees the image once without a change and once for each change."""
    which = which or changes()
    rows = []
    for sample in samples:
        picture = sample.read_image()
        base, *others = answer([base_of(picture), *(change.apply(picture) for change in which)], sample.question)
        cluster = str(sample.metadata.get("block", sample.metadata.get("source", sample.image_id)))
        for change, labels in zip(which, others, strict=True):
            rows.append(_compare(sample.id, cluster, change, base, labels))
        report(sample)
    return rows


def _compare(sample: str, cluster: str, change: Change, base: Labels, changed: Labels) -> Comparison:
    after, seen = change.map_back(changed)
    first, second = (base > 0) & seen, (after > 0) & seen
    empty = not first.any() and not second.any()
    return Comparison(
        sample,
        cluster,
        change.name,
        change.family,
        None if empty else mask_iou(first, second),
        _count_visible(base, base, seen),
        _count_visible(after, changed, seen),
        int(first.sum()),
        int(second.sum()),
    )


def _count_visible(labels: Labels, whole: Labels, seen: VisiblePixels) -> int:
    """Returns how many regions are visible for at least half in both images: `labels` in the base's pixels, `whole` as in the answer."""
    inside = np.bincount(labels[seen].ravel())
    drawn = np.bincount(whole.ravel(), minlength=len(inside))[: len(inside)] * (labels.size / whole.size)
    return int(((inside > 0) & (inside >= _MIN_VISIBLE_SHARE * drawn))[1:].sum())
