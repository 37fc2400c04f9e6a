"""A model's words to an Answer: one parser, strict for rewards and lenient for serving. It never raises.

Lenient mends what costs nothing in meaning (a missing fence, a trailing comma, single quotes, a list that was cut off)
and drops what it cannot mend, instance by instance, each with a warning. Strict is the paper's format reward: tags, fence, exactly
as many points as the style asks for, and one bad instance spoils the answer.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle

MOST_CHARACTERS = 100_000  # an answer of 1,024 tokens has some 4,000; what is longer is not read
MOST_INSTANCES = 500
_LABEL = 80
_TRAILING_COMMA = re.compile(r",\s*([\]}])")


class _Bad(ValueError):
    """One instance, or the whole list, is not what it has to be; the text says why."""


def parse_answer(
    raw: str, *, frame: tuple[float, float], style: PromptStyle = DEFAULT_STYLE, strict: bool = False
) -> Answer:
    """What `raw` answers, with coordinates in the frame that the model writes in.

    `frame` is that frame's width and height: boxes are clipped to it, and a box that does not touch it is bad.
    Status `found` has instances, `empty` is an explicit empty list, everything else is `unparsable`; the warnings say what
    was mended, dropped or wrong.
    """
    thinking = _between(raw[:MOST_CHARACTERS], "<think>", "</think>")
    if len(raw) > MOST_CHARACTERS:
        return Answer("unparsable", raw=raw[:MOST_CHARACTERS], warnings=(f"the answer has {len(raw)} characters",))
    warnings: list[str] = []
    try:
        listed = _listed(raw, strict, warnings)
        instances = _instances(listed, frame, style, strict, warnings)
    except _Bad as bad:
        return Answer("unparsable", thinking=thinking, raw=raw, warnings=(*warnings, str(bad)))
    if listed and not instances:
        return Answer("unparsable", thinking=thinking, raw=raw, warnings=(*warnings, "no instance could be used"))
    status = "found" if instances else "empty"
    return Answer(status, tuple(instances), thinking, raw, tuple(warnings))  # type: ignore[arg-type]


def _between(text: str, opening: str, closing: str) -> str:
    start = text.find(opening)
    if start < 0:
        return ""
    start += len(opening)
    end = text.find(closing, start)
    return text[start : end if end >= 0 else len(text)].strip()


def _listed(raw: str, strict: bool, warnings: list[str]) -> list[Any]:
    """The JSON list of an answer, as Python's own values."""
    tagged = "<answer>" in raw and "</answer>" in raw
    if strict and not (tagged and raw.lstrip().startswith("<think>") and "</think>" in raw):
        raise _Bad("the tags <think> and <answer> are not as asked for")
    if "<answer>" in raw:
        text = _between(raw, "<answer>", "</answer>")
    else:
        text = raw.rsplit("</think>", 1)[-1]
        warnings.append("the answer has no <answer> tags")
    fence = text.find("```json")
    if fence >= 0:
        text = text[fence + 7 :].split("```", 1)[0]
    elif strict:
        raise _Bad("the answer has no ```json fence")
    start, end = text.find("["), text.rfind("]")
    if start < 0 or (strict and end < start):
        raise _Bad("the answer holds no list")
    if strict:
        return _loaded(text[start : end + 1])
    for mend in (_plain, _tidied, _cut):
        try:
            listed = _loaded(mend(text[start:]))
        except _Bad:
            continue
        if mend is not _plain:
            warnings.append(
                "the JSON was mended" if mend is _tidied else "the list was cut off; its whole part is used"
            )
        return listed
    raise _Bad("the list is not JSON")


def _loaded(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Bad(f"the list is not JSON: {error}") from error
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise _Bad("the answer is no list")
    return value


def _plain(text: str) -> str:
    return text[: text.rfind("]") + 1]


def _tidied(text: str) -> str:
    return _TRAILING_COMMA.sub(r"\1", _plain(text).replace("'", '"'))


def _cut(text: str) -> str:
    """Up to the last whole object of the list."""
    return _TRAILING_COMMA.sub(r"\1", text[: text.rfind("}") + 1].replace("'", '"')) + "]"


def _instances(
    listed: list[Any], frame: tuple[float, float], style: PromptStyle, strict: bool, warnings: list[str]
) -> list[Instance]:
    if len(listed) > MOST_INSTANCES:
        warnings.append(f"of {len(listed)} instances the first {MOST_INSTANCES} are used")
    instances = []
    for number, item in enumerate(listed[:MOST_INSTANCES], 1):
        try:
            instances.append(_instance(item, frame, style, strict))
        except _Bad as bad:
            if strict:
                raise
            warnings.append(f"instance {number} is dropped: {bad}")
    return instances


def _instance(item: Any, frame: tuple[float, float], style: PromptStyle, strict: bool) -> Instance:
    if not isinstance(item, dict):
        raise _Bad("it is no object")
    box = _box(item["bbox_2d"], frame, strict) if item.get("bbox_2d") else None
    positive = _points(item.get("positive_points") or (), frame)
    negative = _points(item.get("negative_points") or (), frame)
    if strict:
        if style.box != (box is not None):
            raise _Bad("bbox_2d is missing" if style.box else "bbox_2d was not asked for")
        if len(positive) != style.positive or len(negative) != style.negative:
            raise _Bad(f"{len(positive)} and {len(negative)} points, not {style.positive} and {style.negative}")
    if box is None and not positive:
        raise _Bad("it has neither a box nor a positive point")
    label = item.get("label", "")
    return Instance(box, positive, negative, label[:_LABEL] if isinstance(label, str) else "")


def _box(value: Any, frame: tuple[float, float], strict: bool) -> Box:
    x1, y1, x2, y2 = _numbers(value, 4, "bbox_2d")
    if not strict:
        x1, x2 = sorted((x1, x2))  # the corners of a box, named the other way round
        y1, y2 = sorted((y1, y2))
    width, height = frame
    x1, x2 = max(0.0, x1), min(float(width), x2)
    y1, y2 = max(0.0, y1), min(float(height), y2)
    if x1 >= x2 or y1 >= y2:
        raise _Bad("its box is empty or outside of the image")
    return (x1, y1, x2, y2)


def _points(value: Any, frame: tuple[float, float]) -> tuple[Point, ...]:
    if not isinstance(value, list | tuple):
        raise _Bad("points are no list")
    points = []
    for each in value[:50]:
        x, y = _numbers(each, 2, "a point")
        if not (0 <= x <= frame[0] and 0 <= y <= frame[1]):
            raise _Bad("a point lies outside of the image")
        points.append((x, y))
    return tuple(points)


def _numbers(value: Any, count: int, what: str) -> Sequence[float]:
    if not isinstance(value, list | tuple) or len(value) != count:
        raise _Bad(f"{what} has not {count} numbers")
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in value):
        raise _Bad(f"{what} holds something that is no number")
    try:
        numbers = [float(n) for n in value]
    except OverflowError as error:
        raise _Bad(f"{what} holds a number beyond all measure") from error
    if not all(math.isfinite(n) for n in numbers):
        raise _Bad(f"{what} holds a number that is not finite")
    return numbers
