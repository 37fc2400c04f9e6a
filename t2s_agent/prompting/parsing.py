"""A model's words to an Answer: one parser, strict for rewards and lenient for serving. It never raises.

Lenient takes what stands after the thinking (`thinking`), in any form that models write (`forms`), mends what costs
nothing in meaning, and drops what it cannot mend, point by point and instance by instance, each with a warning. Strict is
the paper's format reward, without its repairs: a fence, proper JSON, for every instance exactly what the style asks
for, and one bad instance spoils the answer. The tags are a reward of their own: `well_tagged`.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.prompting.answer import Answer, Status
from t2s_agent.prompting.forms import Found, NoList, Written, objects_in
from t2s_agent.prompting.style import DEFAULT_STYLE, STYLES, PromptStyle
from t2s_agent.prompting.thinking import in_parts

MOST_CHARACTERS = 1_000_000  # an answer of 1,024 tokens has some 4,000; what is longer is not read
MOST_INSTANCES = 5_000
_LABEL = 80
_BETWEEN_TAGS = re.compile(r"</think>\s*<answer>")
_FINAL = re.compile(
    r"^[ \t>*#_]{0,8}(?:(?:my |the )?final (?:answer|output|result|list)|answer)[ \t*_]{0,4}(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
_OPENING = re.compile(r"<\|?answer\|?>", re.IGNORECASE)
_CLOSING = re.compile(r"<\|?/answer\|?>", re.IGNORECASE)
_NOT = r"\b(?:do not|don't|does not|cannot|can't|could not|couldn't|am not able to|unable to)"
_NOT_UNDERSTOOD = re.compile(
    rf"{_NOT} (?:understand|make sense of) (?:the|your|this|what)\b"
    rf"|{_NOT} know what (?!this|that|these|those|it\b|the |is\b|are\b)(?:an? )?[\w-]{{1,30}}(?: [\w-]{{1,30}}){{0,2}} (?:is|are|looks? like|means?)\b"
    r"|\bnot (?:clear|sure) what (?:is|was) (?:asked|meant|being asked)\b"
    r"|\b(?:question|request|query) (?:is|was|seems) (?:unclear|ambiguous|meaningless|nonsensical|not clear)\b",
    re.IGNORECASE,
)


class _Bad(ValueError):
    """One instance, or the whole list, is not what it has to be; the text says why."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a text says before any frame is laid over it. `problem` says why it cannot be read, "" where it can."""

    items: tuple[Written, ...] = ()
    thinking: str = ""
    warnings: tuple[str, ...] = ()
    problem: str = ""
    unfinished: bool = False


def parse_answer(
    raw: str, *, frame: tuple[float, float], style: PromptStyle = DEFAULT_STYLE, strict: bool = False
) -> Answer:
    """What `raw` answers, with coordinates in the frame that the model writes in, x first.

    `frame` is that frame's width and height: boxes are clipped to it, and a box that does not touch it is bad.
    A point outside of it is bad too: clipped, it would lie where nobody meant it.
    Status `found` has instances, `empty` is an explicit empty list, everything else is `unparsable`; the warnings say
    what was mended, dropped or wrong.
    """
    if strict:
        return _strict_answer(raw, frame, style)
    words = read_words(raw)
    return placed(words, raw, [_unframed(item) for item in words.items], frame)


def _strict_answer(raw: str, frame: tuple[float, float], style: PromptStyle) -> Answer:
    thinking = _between(raw[:MOST_CHARACTERS], "<think>", "</think>")
    if len(raw) > MOST_CHARACTERS:
        return Answer("unparsable", (), thinking, raw[:MOST_CHARACTERS], (f"the answer has {len(raw)} characters",))
    warnings: list[str] = []
    try:
        listed = _strictly_listed(raw)
        if len(listed) > MOST_INSTANCES:
            warnings.append(f"of {len(listed)} instances the first {MOST_INSTANCES} are used")
        instances = [_strict_instance(item, frame, style) for item in listed[:MOST_INSTANCES]]
    except _Bad as bad:
        return Answer("unparsable", (), thinking, raw, (*warnings, str(bad)))
    status: Status = "found" if instances else "empty"
    return Answer(status, tuple(instances), thinking, raw, tuple(warnings))


def read_words(raw: str, *, cut: bool = False) -> Words:
    """The objects that a text names, in the model's own numbers. `cut`: it ended at the limit of tokens."""
    if len(raw) > MOST_CHARACTERS:
        thinking = _between(raw[:MOST_CHARACTERS], "<think>", "</think>")
        return Words(thinking=thinking, problem=f"the answer has {len(raw)} characters")
    parts = in_parts(raw, cut=cut)
    if parts.unfinished:
        return Words(thinking=parts.thinking, problem=parts.unfinished, unfinished=True)
    warnings: list[str] = []
    try:
        found = _answered(parts.answer, warnings)
    except _Bad as bad:
        return Words(thinking=parts.thinking, warnings=tuple(warnings), problem=str(bad), unfinished=cut)
    if len(found.items) > MOST_INSTANCES:
        warnings.append(f"of {len(found.items)} instances the first {MOST_INSTANCES} are used")
    return Words(tuple(found.items[:MOST_INSTANCES]), parts.thinking, tuple(warnings))


def _answered(text: str, warnings: list[str]) -> Found:
    """The objects of the last answer in `text`; the prompt's own example is none."""
    groups = _groups(text)
    if not groups:
        warnings.append("the answer has no <answer> tags")
        return _without_example(_final(text, warnings), warnings)
    if not _CLOSING.search(text):
        warnings.append("the answer's closing tag is missing")
    read: list[Found] = []
    problem: _Bad | None = None
    for group in groups:
        try:
            read.append(_joined([_objects(block, True) for block in group]))
        except _Bad as bad:
            problem = bad
    own = [found for found in read if not (found.items and all(_in_example(item) for item in found.items))]
    if not own and len(read) == 1:
        own = read
    if not own:
        raise problem or _Bad("the answer only repeats the prompt's own example")
    if len({found.says_none for found in own}) > 1:
        raise _Bad("it holds an empty answer and another one that is not empty")
    if len(own) > 1:
        warnings.append(f"of {len(own)} answers the last one is used")
    elif len(read) > 1:
        warnings.append("the prompt's own example was repeated and is left out")
    return _without_example(own[-1], warnings)


def _final(text: str, warnings: list[str]) -> Found:
    """The objects of a text without tags: those under its last heading such as "Final answer:", if it has one with a list."""
    headings = list(_FINAL.finditer(text))
    if not headings:
        return _objects(text, False)
    try:
        final = objects_in(text[headings[-1].end() :], marked=False)
    except NoList:
        return _objects(text, False)
    try:
        draft = objects_in(text[: headings[-1].start()], marked=False)
    except NoList:
        return final
    if final.says_none != draft.says_none:
        raise _Bad("it holds an empty answer and another one that is not empty")
    if not final.says_none:
        warnings.append(
            f"{text[headings[-1].start() : headings[-1].end()].strip(' :*#_>')!r} stands before a list: only what follows is used"
        )
    return final


def _groups(text: str) -> list[list[str]]:
    """What stands between answer tags; blocks with nothing but blanks between them are one answer in several parts."""
    groups: list[list[str]] = []
    last_end = -1
    openings = list(_OPENING.finditer(text))
    for index, opening in enumerate(openings):
        following = openings[index + 1].start() if index + 1 < len(openings) else len(text)
        closing = _CLOSING.search(text, opening.end(), following)
        block = text[opening.end() : closing.start() if closing else following]
        if groups and last_end >= 0 and not text[last_end : opening.start()].strip():
            groups[-1].append(block)
        else:
            groups.append([block])
        last_end = closing.end() if closing else -1
    return groups


def _objects(text: str, marked: bool) -> Found:
    try:
        return objects_in(text, marked=marked)
    except NoList as none:
        raise _Bad(str(none)) from none


def _joined(parts: list[Found]) -> Found:
    return Found(
        [item for part in parts for item in part.items],
        all(part.says_none for part in parts),
        list(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )


_EXAMPLES = [json.loads(style.example) for style in STYLES.values()]
_EXAMPLE_ITEMS = frozenset(
    (tuple(map(float, item.get("bbox_2d") or ())), tuple(tuple(map(float, p)) for p in item.get("positive_points", ())))
    for example in _EXAMPLES
    for item in example
)


def _in_example(item: Written) -> bool:
    """Whether an object is one of those that the prompt shows as its example, number by number."""
    return (item.box or (), item.positive) in _EXAMPLE_ITEMS


def _without_example(found: Found, warnings: list[str]) -> Found:
    warnings.extend(found.warnings)
    shown = [item for item in found.items if _in_example(item)]
    if len(shown) > 1 and len(shown) == len(found.items):
        raise _Bad("the answer only repeats the prompt's own example")
    if shown and len(shown) < len(found.items):
        warnings.append("the prompt's own example was repeated and is left out")
        return replace(found, items=[item for item in found.items if not _in_example(item)])
    return found


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


def _unframed(item: Written) -> Instance:
    return Instance(item.box, item.positive, item.negative, item.label)


def placed(
    words: Words, raw: str, instances: Sequence[Instance], frame: tuple[float, float], *, notes: Sequence[str] = ()
) -> Answer:
    """The answer whose objects lie in a frame of this width and height: clipped, and dropped where they lie outside.

    `instances` are the objects of `words` in that frame, x first.
    """
    if words.problem:
        return Answer("unparsable", (), words.thinking, raw[:MOST_CHARACTERS], (*words.warnings, words.problem))
    warnings = [*words.warnings, *notes]
    kept = []
    for number, (item, instance) in enumerate(zip(words.items, instances, strict=True), 1):
        remarks = list(item.notes)
        if item.bad:
            warnings.append(f"instance {number} is dropped: {item.bad}")
            continue
        try:
            kept.append(_clean(instance, frame, remarks))
            warnings.extend(f"instance {number}: {note}" for note in remarks)
        except _Bad as bad:
            warnings.append(f"instance {number} is dropped: {bad}")
    if words.items and not kept:
        return Answer("unparsable", (), words.thinking, raw, (*warnings, "no instance could be used"))
    status: Status = "found" if kept else "not_understood" if says_not_understood(raw) else "empty"
    return Answer(status, tuple(kept), words.thinking, raw, tuple(warnings))


def says_not_understood(text: str) -> bool:
    """Whether a model says, beside an empty list, that it does not know what it was asked for."""
    return _NOT_UNDERSTOOD.search(text[:MOST_CHARACTERS]) is not None


def _clean(instance: Instance, frame: tuple[float, float], notes: list[str]) -> Instance:
    box = None if instance.box is None else _box(instance.box, frame, notes)
    positive = _inside(instance.positive, frame, "positive", notes)
    negative = _inside(instance.negative, frame, "negative", notes)
    if box is None and not positive:
        raise _Bad("; ".join([*notes, "it has neither a box nor a positive point"]))
    return replace(instance, box=box, positive=positive, negative=negative)


def _inside(points: Sequence[Point], frame: tuple[float, float], kind: str, notes: list[str]) -> tuple[Point, ...]:
    kept = []
    for x, y in points:
        if 0 <= x <= frame[0] and 0 <= y <= frame[1]:
            kept.append((x, y))
        else:
            notes.append(f"a {kind} point is dropped: it lies outside of the image")
    return tuple(kept)


def _label(item: dict[str, Any]) -> str:
    label = item.get("label")
    return label[:_LABEL] if isinstance(label, str) else ""


def _box(corners: Box, frame: tuple[float, float], notes: list[str]) -> Box:
    x1, y1, x2, y2 = corners
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
