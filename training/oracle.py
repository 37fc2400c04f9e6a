"""Prompts made from the truth: what a perfect prompter would write. Supervised training learns them, and RL has to beat what it learns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evals.datasets import Truth
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance, Point
from t2s_agent.mask import Mask
from t2s_agent.prompting.style import PromptStyle
from t2s_agent.scene import View
from t2s_agent.segmenting.segmenter import Segmenter
from training.interior import Area, interior_points, parts_of
from training.recipe import Supervised

ROWS = 14  # of a View, for the order of reading
_AROUND = 0.25  # of a box's sides: how far from it negative points are looked for
_LEAST_AROUND = 4  # px


class Oracle:
    """Makes the prompts of a truth: tight boxes, points deep inside, and clicks where `segmenter` errs most."""

    def __init__(self, supervised: Supervised, segmenter: Segmenter | None = None) -> None:
        if supervised.clicks and segmenter is None:
            raise T2SError("argument_invalid", "clicks are chosen against a segmenter", "Give one, or clicks 0")
        self._most = supervised.most_instances
        self._clicks = supervised.clicks
        self._segmenter = segmenter

    def instances(self, view: View, truth: Truth, style: PromptStyle) -> tuple[Instance, ...]:
        """The prompts in View pixels, in reading order, with exactly the parts that the style asks for.

        Of more than `most_instances` objects the largest are taken. The last `clicks` of an instance's points are chosen one by
        one: each in the middle of the largest part that the segmenter misses (positive) or has too much (negative), as far as the
        style has points of that kind left; where it errs nowhere, and before the clicks, points are chosen by the mask alone.
        """
        drafts = [_Draft(mask, truth, style) for mask in objects_in(truth, self._most)]
        free = max(0, style.positive + style.negative - self._clicks)
        for draft in drafts:
            draft.fill(free if style.box else max(free, min(1, style.positive)))
        if self._segmenter and self._clicks and drafts:
            [embedding] = self._segmenter.embed([view])
            while waiting := [draft for draft in drafts if draft.room]:
                masks = self._segmenter.decode(embedding, [draft.instance for draft in waiting]).masks
                for draft, mask in zip(waiting, masks, strict=True):
                    draft.click(mask)
        return tuple(draft.instance for draft in drafts)


def objects_in(truth: Truth, most: int) -> list[Mask]:
    """The objects of a truth in reading order, the `most` largest: its instances, or the connected parts of its mask."""
    found = [mask for mask in truth.instances if mask] if truth.instances is not None else parts_of(truth.mask)
    largest = sorted(found, key=lambda mask: (-mask.area, mask.y, mask.x))[:most]
    return in_reading_order(largest, truth.mask.shape[0])


def in_reading_order(masks: Sequence[Mask], height: int) -> list[Mask]:
    """Masks by the row of their box's centre, of `ROWS` rows in a View of this height, then from left to right."""

    def place(mask: Mask) -> tuple[int, float, float]:
        x1, y1, x2, y2 = mask.bounds
        return int((y1 + y2) / 2 / height * ROWS), (x1 + x2) / 2, (y1 + y2) / 2

    return sorted(masks, key=place)


@dataclass(slots=True)
class _Draft:
    """One object's prompt while its points are chosen."""

    mask: Mask
    truth: Truth
    style: PromptStyle
    positive: list[Point] = field(default_factory=list)
    negative: list[Point] = field(default_factory=list)

    @property
    def instance(self) -> Instance:
        x1, y1, x2, y2 = map(float, self.mask.bounds)
        return Instance((x1, y1, x2, y2) if self.style.box else None, tuple(self.positive), tuple(self.negative))

    @property
    def room(self) -> int:
        """How many points are still to be chosen."""
        return self._room_inside + self._room_outside

    @property
    def _room_inside(self) -> int:
        return self.style.positive - len(self.positive)

    @property
    def _room_outside(self) -> int:
        return self.style.negative - len(self.negative)

    def fill(self, count: int) -> None:
        """Chooses up to `count` points by the mask, the positive ones first."""
        inside = min(count, self._room_inside)
        outside = min(count - inside, self._room_outside)
        if inside:
            self.positive += _moved(interior_points(self.mask.pixels, inside), self.mask.x, self.mask.y)
        if outside:
            self.negative += outside_points(self.mask, self.truth, outside)

    def click(self, drawn: Mask) -> None:
        """Chooses one point by what the segmenter drew; all others by the mask where it errs nowhere that a point can mend."""
        full = drawn.full(*self.truth.mask.shape)
        missed = parts_of(self.mask.full(*full.shape) & ~full) if self._room_inside else []
        extra = parts_of(full & ~_not_outside(self.truth)) if self._room_outside else []
        wrong = max([*missed[:1], *extra[:1]], key=lambda part: part.area, default=None)
        if wrong is None:
            self._fill_apart()
            return
        [point] = _moved(interior_points(wrong.pixels, 1), wrong.x, wrong.y)
        (self.positive if missed and wrong is missed[0] else self.negative).append(point)

    def _fill_apart(self) -> None:
        """Chooses the points that are left by the mask, away from those that are there."""
        inside, outside = self._room_inside, self._room_outside
        if inside:
            deep = _moved(interior_points(self.mask.pixels, self.style.positive), self.mask.x, self.mask.y)
            self.positive += _others(deep, self.positive, inside)
        if outside:
            self.negative += _others(outside_points(self.mask, self.truth, self.style.negative), self.negative, outside)


def outside_points(mask: Mask, truth: Truth, count: int) -> list[Point]:
    """The centres of `count` pixels near an object that belong to nothing that is asked for.

    Where all pixels around it do, they are looked for in the whole View; where the truth fills the View, other objects' pixels are
    taken; an object that fills the View has its points at the View's upper left corner, since no place is outside of it.
    """
    height, width = truth.mask.shape
    near = np.zeros((height, width), bool)
    x1, y1, x2, y2 = mask.bounds
    dx, dy = (max(_LEAST_AROUND, round(_AROUND * side)) for side in (mask.width, mask.height))
    near[max(0, y1 - dy) : y2 + dy, max(0, x1 - dx) : x2 + dx] = True
    own, taken = mask.full(height, width), _not_outside(truth)
    for area in (near & ~taken, ~taken, near & ~own, ~own):
        if area.any():
            return list(interior_points(area, count))
    return [(0.0, 0.0)] * count


def _not_outside(truth: Truth) -> Area:
    """The pixels that are asked for, and those that the dataset leaves open."""
    return truth.mask if truth.ignore is None else truth.mask | truth.ignore


def _moved(points: Sequence[Point], dx: int, dy: int) -> list[Point]:
    return [(x + dx, y + dy) for x, y in points]


def _others(points: Sequence[Point], there: Sequence[Point], count: int) -> list[Point]:
    """`count` of the points, those that are not there already first."""
    return sorted(points, key=lambda point: point in there)[:count]
