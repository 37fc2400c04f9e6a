"""Writes instances as a model's answer: the text that the product's strict parser reads back to the same instances."""

import math
from collections.abc import Sequence
from dataclasses import replace

from t2s_agent.instance import Instance, Point
from t2s_agent.prompting.frames import Frame
from t2s_agent.prompting.style import PromptStyle


def write_answer(instances: Sequence[Instance], frame: Frame, style: PromptStyle, thinking: str) -> str:
    """The answer to a question, without an end token: thought, then the list in the form of the style's example.

    `instances` are in View pixels and have the parts that the style asks for; none: an empty list. Numbers are whole ones of the
    model's frame. A confidence is the instance's score with two decimals, 1 for one without a score, as from the truth.
    """
    listed = ", ".join(_written(each, style) for each in rounded(instances, frame))
    return f"<think>{thinking}</think>\n<answer>```json[{listed}]```</answer>"


def rounded(instances: Sequence[Instance], frame: Frame) -> list[Instance]:
    """Instances in whole numbers of the model's frame. A box keeps an extent; a point stays in its View pixel where it can."""
    return [_rounded(each, frame) for each in instances]


def _rounded(instance: Instance, frame: Frame) -> Instance:
    (width, height), box = (frame.model.width, frame.model.height), frame.from_view(instance).box
    if box is not None:
        (x1, x2), (y1, y2) = _side(box[0], box[2], width), _side(box[1], box[3], height)
        box = (x1, y1, x2, y2)
    return replace(
        instance,
        box=box,
        positive=tuple(_point(each, frame) for each in instance.positive),
        negative=tuple(_point(each, frame) for each in instance.negative),
    )


def _side(low: float, high: float, most: int) -> tuple[int, int]:
    """Both ends of a side as whole numbers in 0 to `most`, at least 1 apart."""
    start, end = round(low), round(high)
    if start < end:
        return start, end
    return (start, start + 1) if start < most else (most - 1, most)


def _point(point: Point, frame: Frame) -> Point:
    return (
        _coordinate(point[0], frame.view.width, frame.model.width),
        _coordinate(point[1], frame.view.height, frame.model.height),
    )


def _coordinate(value: float, view: int, model: int) -> int:
    """The nearest whole number that lies in the same View pixel; the nearest one where the frame is too coarse for that."""
    exact = value * model / view
    near = [number for number in (math.floor(exact), math.ceil(exact)) if 0 <= number <= model]
    return min(near, key=lambda number: (math.floor(number * view / model) != math.floor(value), abs(number - exact)))


def _written(instance: Instance, style: PromptStyle) -> str:
    parts = []
    if style.box and instance.box is not None:
        parts.append(f'"bbox_2d": [{",".join(f"{number:.0f}" for number in instance.box)}]')
    if style.positive:
        parts.append(f'"positive_points": {_points(instance.positive)}')
    if style.negative:
        parts.append(f'"negative_points": {_points(instance.negative)}')
    if style.confidence:
        parts.append(f'"confidence": {1.0 if instance.score is None else instance.score:.2f}')
    return f"{{{', '.join(parts)}}}"


def _points(points: Sequence[Point]) -> str:
    return f"[{', '.join(f'[{x:.0f}, {y:.0f}]' for x, y in points)}]"
