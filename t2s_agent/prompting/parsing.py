"""A model's words to an Answer: one parser, strict for rewards and lenient for serving. It never raises.

Lenient mends what costs nothing in meaning (a missing fence, what `mending` forgives, a box whose corners are named the
other way round) and drops what it cannot mend, point by point and instance by instance, each with a warning. Strict is
the paper's format reward, without its repairs: a fence, proper JSON, for every instance exactly what the style asks
for, and one bad instance spoils the answer. The tags are a reward of their own: `well_tagged`.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.prompting.answer import Answer, Status
from t2s_agent.prompting.mending import Unreadable, read_json
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle

MOST_CHARACTERS = 100_000  # an answer of 1,024 tokens has some 4,000; what is longer is not read
MOST_INSTANCES = 500
MOST_POINTS = 50  # of one instance and kind
_LABEL = 80
_BETWEEN_TAGS = re.compile(r"</think>\s*<answer>")
_LIST = re.compile(r"\[\s*[\[{\]]|\{\s*[\"'\w]")  # a list of objects, an empty list, or a lone object
_BOX_KEYS = ("bbox_2d", "bbox", "box")  # the paper's and Qwen's; the others are what models say instead


class _Bad(ValueError):
    """One instance, or the whole list, is not what it has to be; the text says why."""


def parse_answer(
    raw: str, *, frame: tuple[float, float], style: PromptStyle = DEFAULT_STYLE, strict: bool = False
) -> Answer:
    """What `raw` answers, with coordinates in the frame that the model writes in.

    `frame` is that frame's width and height: boxes are clipped to it, and a box that does not touch it is bad.
    A point outside of it is bad too: clipped, it would lie where nobody meant it.
    Status `found` has instances, `empty` is an explicit empty list, everything else is `unparsable`; the warnings say
    what was mended, dropped or wrong.
    """
    thinking = _between(raw[:MOST_CHARACTERS], "<think>", "</think>")
    if len(raw) > MOST_CHARACTERS:
        return Answer("unparsable", (), thinking, raw[:MOST_CHARACTERS], (f"the answer has {len(raw)} characters",))
    warnings: list[str] = []
    try:
        listed = _strictly_listed(raw) if strict else _listed(raw, warnings)
        instances = _instances(listed, frame, style, strict, warnings)
    except _Bad as bad:
        return Answer("unparsable", (), thinking, raw, (*warnings, str(bad)))
    if listed and not instances:
        return Answer("unparsable", (), thinking, raw, (*warnings, "no instance could be used"))
    status: Status = "found" if instances else "empty"
    return Answer(status, tuple(instances), thinking, raw, tuple(warnings))


def well_tagged(raw: str) -> bool:
    """Whether the whole text is one <think> part and one <answer> part, blanks between: the paper's tag reward."""
    return raw.startswith("<think>") and raw.endswith("</answer>") and _BETWEEN_TAGS.search(raw) is not None


def _between(text: str, opening: str, closing: str) -> str:
    """What stands between two tags; to the end where the second is missing, "" where the first is."""
    _, found, after = text.partition(opening)
    return after.partition(closing)[0].strip() if found else ""


def _strictly_listed(raw: str) -> list[Any]:
    tagged = "<answer>" in raw and "</answer>" in raw
    text = _between(raw, "<answer>", "</answer>") if tagged else raw
    _, opened, fenced = text.partition("```json")
    fenced, closed, _ = fenced.partition("```")
    if not (opened and closed):
        raise _Bad("the answer has no ```json fence")
    start, end = fenced.find("["), fenced.rfind("]")
    if start < 0 or end < start:
        raise _Bad("the answer holds no list")
    try:
        value = json.loads(fenced[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise _Bad("the list is not JSON") from error
    return list(value)


def _listed(raw: str, warnings: list[str]) -> list[Any]:
    if "<answer>" in raw:
        text = _between(raw, "<answer>", "</answer>")
        if "</answer>" not in raw:
            warnings.append("the answer's closing tag is missing")
    else:
        text = raw.rpartition("</think>")[2]
        warnings.append("the answer has no <answer> tags")
    if "```json" in text:
        text = _between(text, "```json", "```")
    begin = _LIST.search(text)
    if begin is None:
        raise _Bad("the answer holds no list")
    text = text[begin.start() :]
    if text.startswith("{"):
        text = f"[{text.rpartition('}')[0]}}}]"
        warnings.append("the objects stand in no list")
    try:
        read = read_json(text)
    except Unreadable as error:
        raise _Bad(f"the list is not JSON: {error}") from error
    warnings.extend(read.mends)
    return list(read.value)


def _instances(
    listed: list[Any], frame: tuple[float, float], style: PromptStyle, strict: bool, warnings: list[str]
) -> list[Instance]:
    if len(listed) > MOST_INSTANCES:
        warnings.append(f"of {len(listed)} instances the first {MOST_INSTANCES} are used")
    instances = []
    for number, item in enumerate(listed[:MOST_INSTANCES], 1):
        notes: list[str] = []
        try:
            instances.append(_strict_instance(item, frame, style) if strict else _instance(item, frame, notes))
            warnings.extend(f"instance {number}: {note}" for note in notes)
        except _Bad as bad:
            if strict:
                raise
            warnings.append(f"instance {number} is dropped: {bad}")
    return instances


def _strict_instance(item: Any, frame: tuple[float, float], style: PromptStyle) -> Instance:
    if not isinstance(item, dict):
        raise _Bad("an instance is no object")
    if style.box != ("bbox_2d" in item):
        raise _Bad("bbox_2d is missing" if style.box else "bbox_2d was not asked for")
    box = _clipped(_numbers(item["bbox_2d"], 4, "bbox_2d"), frame) if style.box else None
    positive = tuple(_point(each, frame) for each in _listing(item.get("positive_points", []), "positive_points"))
    negative = tuple(_point(each, frame) for each in _listing(item.get("negative_points", []), "negative_points"))
    if (len(positive), len(negative)) != (style.positive, style.negative):
        raise _Bad(f"{len(positive)} and {len(negative)} points, not {style.positive} and {style.negative}")
    return Instance(box, positive, negative, _label(item))


def _instance(item: Any, frame: tuple[float, float], notes: list[str]) -> Instance:
    if not isinstance(item, dict):
        raise _Bad("it is no object")
    written = next((item[key] for key in _BOX_KEYS if item.get(key) not in (None, [])), None)
    box = None if written is None else _box(written, frame, notes)
    positive = _points(item.get("positive_points"), frame, "positive", notes)
    negative = _points(item.get("negative_points"), frame, "negative", notes)
    if box is None and not positive:
        raise _Bad("; ".join([*notes, "it has neither a box nor a positive point"]))
    return Instance(box, positive, negative, _label(item))


def _label(item: dict[str, Any]) -> str:
    label = item.get("label")
    return label[:_LABEL] if isinstance(label, str) else ""


def _box(value: Any, frame: tuple[float, float], notes: list[str]) -> Box:
    x1, y1, x2, y2 = _numbers(value, 4, "its box")
    if x1 > x2 or y1 > y2:
        notes.append("its box's corners were the other way round")
        (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
    box = _clipped((x1, y1, x2, y2), frame)
    if box != (x1, y1, x2, y2):
        notes.append("its box was clipped to the image")
    return box


def _clipped(corners: Sequence[float], frame: tuple[float, float]) -> Box:
    x1, y1, x2, y2 = corners
    box = max(0.0, x1), max(0.0, y1), min(float(frame[0]), x2), min(float(frame[1]), y2)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise _Bad("its box is empty or outside of the image")
    return box


def _points(value: Any, frame: tuple[float, float], kind: str, notes: list[str]) -> tuple[Point, ...]:
    """The points that can be used; a lone pair is taken as a list of one."""
    if value is None:
        return ()
    try:
        listed = _listing(value, f"{kind}_points")
    except _Bad as bad:
        notes.append(str(bad))
        return ()
    if len(listed) == 2 and not any(isinstance(each, list) for each in listed):
        listed = [listed]
    if len(listed) > MOST_POINTS:
        notes.append(f"of {len(listed)} {kind} points the first {MOST_POINTS} are used")
    points = []
    for each in listed[:MOST_POINTS]:
        try:
            points.append(_point(each, frame))
        except _Bad as bad:
            notes.append(f"a {kind} point is dropped: {bad}")
    return tuple(points)


def _listing(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Bad(f"{what} is no list")
    return value


def _point(value: Any, frame: tuple[float, float]) -> Point:
    x, y = _numbers(value, 2, "it")
    if not (0 <= x <= frame[0] and 0 <= y <= frame[1]):
        raise _Bad("it lies outside of the image")
    return x, y


def _numbers(value: Any, count: int, what: str) -> Sequence[float]:
    if not isinstance(value, list) or len(value) != count:
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
