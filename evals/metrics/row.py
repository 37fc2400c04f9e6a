"""One sample's facts: all that any protocol needs to know of an answer, in one line of JSON."""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from evals.metrics.overlap import Overlap
from t2s_agent.prompting.answer import Status

Baseline = Literal["whole image", "empty answer", "boxes filled", "true boxes filled"]
BASELINES: tuple[Baseline, ...] = ("whole image", "boxes filled", "empty answer", "true boxes filled")


@dataclass(frozen=True, slots=True)
class GridFacts:
    """A sample on one grid of pixels: the grid's size, and the areas of the answer, its filled boxes and the true boxes."""

    pixels: int
    answer: Overlap
    boxes: Overlap
    true_boxes: Overlap

    def of(self, baseline: Baseline) -> Overlap:
        """The areas of an answer that needs no segmenter, or no model at all."""
        truth = self.answer.truth
        if baseline == "whole image":
            return Overlap(truth, self.pixels, truth)
        if baseline == "empty answer":
            return Overlap(0, 0, truth)
        return self.boxes if baseline == "boxes filled" else self.true_boxes


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one scored answer.

    `id`, `image_id`, `question` are the sample's. `item` names what is asked about: samples of one item differ only in
    their wording, and `question_index` is the place of the wording among them. `cluster` names what is independent of
    other clusters: intervals are drawn over it. `instances` counts the prompts of the answer, `without_prompt` those of
    them that have no prompt of the kind that was asked for. `true_instances` is None where the dataset has no instances.
    `known` is False where the dataset does not say what is true: such rows count for refusals only.
    `grids` holds the areas by name of grid; the grid `original` is always there. `seconds` is the prompter's time.
    """

    id: str
    image_id: str
    item: str
    question_index: int
    cluster: str
    question: str
    status: Status
    instances: int
    without_prompt: int
    true_instances: int | None
    known: bool
    tokens: int
    seconds: float
    segment_seconds: float
    grids: Mapping[str, GridFacts]
    metadata: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def truth_is_empty(self) -> bool:
        """Whether nothing in the image fits the question."""
        return self.grids["original"].answer.truth == 0

    def baseline(self, name: Baseline) -> "Row":
        """The same sample as if `name` had answered: what a score has to beat."""
        grids = {
            grid: GridFacts(facts.pixels, facts.of(name), facts.boxes, facts.true_boxes)
            for grid, facts in self.grids.items()
        }
        if name == "boxes filled":
            return replace(self, grids=grids)
        count = {"whole image": 1, "empty answer": 0}.get(name, self.true_instances or int(not self.truth_is_empty))
        status: Status = "found" if count else "empty"
        return replace(self, grids=grids, status=status, instances=count, without_prompt=0, tokens=0, seconds=0.0)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON knows it; areas as [pixels, truth, then intersection and area of answer, boxes, true boxes]."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("grids", "metadata")}
        plain["grids"] = {name: _listed(facts) for name, facts in self.grids.items()}
        return {**plain, "metadata": dict(self.metadata)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, grids: Collection[str] | None = None) -> "Row":
        """The row of `to_dict`; keys that are not a row's are left out, and areas on other `grids` where these are named.

        Texts that many rows share are one object.
        """
        fields = {name: plain[name] for name in cls.__slots__ if name not in ("grids", "metadata")}
        fields |= {name: sys.intern(fields[name]) for name in ("image_id", "item", "cluster", "question")}
        kept = {
            sys.intern(name): _facts(each) for name, each in plain["grids"].items() if grids is None or name in grids
        }
        facts = {sys.intern(k): sys.intern(v) if isinstance(v, str) else v for k, v in plain["metadata"].items()}
        return cls(**fields, grids=kept, metadata=facts)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))


def _listed(facts: GridFacts) -> list[int]:
    overlaps = (facts.answer, facts.boxes, facts.true_boxes)
    return [facts.pixels, facts.answer.truth, *(n for each in overlaps for n in (each.intersection, each.predicted))]


def _facts(numbers: list[int]) -> GridFacts:
    pixels, truth, *rest = numbers
    answer, boxes, true_boxes = (Overlap(rest[i], rest[i + 1], truth) for i in (0, 2, 4))
    return GridFacts(pixels, answer, boxes, true_boxes)
