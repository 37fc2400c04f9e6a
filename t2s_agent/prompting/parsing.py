"""Parses a model's text into an Answer: strictly for rewards, leniently for serving. It never raises.

Lenient parsing takes the text after the thinking (`thinking`), in any format that models write (`forms`). It repairs what can be
repaired without a change of meaning, and drops other points and instances one by one, each with a warning. Strict parsing is
the paper's format reward without its repairs: a ```json block, valid JSON, and for every instance exactly what the style asks
for; one bad instance makes the whole answer unparsable. The tags have their own reward: `well_tagged`.
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
from t2s_agent.prompting.thinking import split_thinking

MOST_CHARACTERS = 1_000_000  # an answer of 1,024 tokens has about 4,000; a longer text is not read
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
    """One instance, or the whole list, is invalid; the message says why, and `kind` is a short name for it."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Words:
    """The content of a text before its numbers are read in a frame. `problem` says why it cannot be read, or ""."""

    items: tuple[Written, ...] = ()
    thinking: str = ""
    warnings: tuple[str, ...] = ()
    problem: str = ""
    unfinished: bool = False


def parse_answer(
    raw: str, *, frame: tuple[float, float], style: PromptStyle = DEFAULT_STYLE, strict: bool = False
) -> Answer:
    """Returns the Answer in `raw`, with coordinates in the frame that the model writes in, x first.

    `frame` is that frame's width and height: boxes are clipped to it, and a box that does not touch it is invalid.
    A point outside the frame is invalid too, because a clipped point would lie where the model did not put it.
    Status `found` has instances, `empty` is an explicit empty list, everything else is `unparsable`; the warnings say
    what was repaired, dropped or wrong.
    """
    if strict:
        return _strict_answer(raw, frame, style)
    words = read_words(raw)
    return placed(words, raw, [_instance_of(item) for item in words.items], frame)


def _strict_answer(raw: str, frame: tuple[float, float], style: PromptStyle) -> Answer:
    thinking = _text_between(raw[:MOST_CHARACTERS], "<think>", "</think>")
    if len(raw) > MOST_CHARACTERS:
        long = f"the answer has {len(raw)} characters"
        return Answer("unparsable", (), thinking, raw[:MOST_CHARACTERS], (long,), kind="too_long")
    warnings: list[str] = []
    try:
        listed = _strict_list(raw)
        if len(listed) > MOST_INSTANCES:
            warnings.append(f"of {len(listed)} instances the first {MOST_INSTANCES} are used")
        instances = [_strict_instance(item, frame, style) for item in listed[:MOST_INSTANCES]]
    except _Bad as bad:
        return Answer("unparsable", (), thinking, raw, (*warnings, str(bad)), kind=bad.kind)
    status: Status = "found" if instances else "empty"
    return Answer(status, tuple(instances), thinking, raw, tuple(warnings))


def read_words(raw: str, *, cut: bool = False) -> Words:
    """Returns the objects that a text names, in the model's own numbers. `cut`: the text ended at the token limit."""
    if len(raw) > MOST_CHARACTERS:
        thinking = _text_between(raw[:MOST_CHARACTERS], "<think>", "</think>")
        return Words(thinking=thinking, problem=f"the answer has {len(raw)} characters")
    parts = split_thinking(raw, cut=cut)
    if parts.unfinished:
        return Words(thinking=parts.thinking, problem=parts.unfinished, unfinished=True)
    warnings: list[str] = []
    try:
        found = _last_answer(parts.answer, warnings)
    except _Bad as bad:
        return Words(thinking=parts.thinking, warnings=tuple(warnings), problem=str(bad), unfinished=cut)
    if len(found.items) > MOST_INSTANCES:
        warnings.append(f"of {len(found.items)} instances the first {MOST_INSTANCES} are used")
    return Words(tuple(found.items[:MOST_INSTANCES]), parts.thinking, tuple(warnings))


def _last_answer(text: str, warnings: list[str]) -> Found:
    """Returns the objects of the last answer in `text`; a copy of the prompt's own example does not count as an answer."""
    groups = _answer_groups(text)
    if not groups:
        warnings.append("the answer has no <answer> tags")
        return _without_example(_under_last_heading(text, warnings), warnings)
    if not _CLOSING.search(text):
        warnings.append("the answer's closing tag is missing")
    read: list[Found] = []
    problem: _Bad | None = None
    for group in groups:
        try:
            read.append(_join_parts([_objects(block, True) for block in group]))
        except _Bad as bad:
            problem = bad
    own = [found for found in read if not (found.items and all(_is_example(item) for item in found.items))]
    if not own and len(read) == 1:
        own = read
    if not own:
        raise problem or _Bad("the answer only repeats the prompt's own example")
    if len({found.says_none for found in own}) > 1:
        raise _Bad("it has an empty answer and another one that is not empty")
    if len(own) > 1:
        warnings.append(f"of {len(own)} answers the last one is used")
    elif len(read) > 1:
        warnings.append("the prompt's own example was repeated and is left out")
    return _without_example(own[-1], warnings)


def _under_last_heading(text: str, warnings: list[str]) -> Found:
    """Returns the objects of a text without tags: those after its last heading such as "Final answer:" if a list follows it."""
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
        raise _Bad("it has an empty answer and another one that is not empty")
    if not final.says_none:
        warnings.append(
            f"{text[headings[-1].start() : headings[-1].end()].strip(' :*#_>')!r} stands before a list: only what follows is used"
        )
    return final


def _answer_groups(text: str) -> list[list[str]]:
    """Returns the texts between answer tags; blocks with only white space between them are one answer in several parts."""
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


def _join_parts(parts: list[Found]) -> Found:
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


def _is_example(item: Written) -> bool:
    """Whether an object has exactly the numbers of an object in the prompt's example."""
    return (item.box or (), item.positive) in _EXAMPLE_ITEMS


def _without_example(found: Found, warnings: list[str]) -> Found:
    warnings.extend(found.warnings)
    shown = [item for item in found.items if _is_example(item)]
    if len(shown) > 1 and len(shown) == len(found.items):
        raise _Bad("the answer only repeats the prompt's own example")
    if shown and len(shown) < len(found.items):
        warnings.append("the prompt's own example was repeated and is left out")
        return replace(found, items=[item for item in found.items if not _is_example(item)])
    return found


def well_tagged(raw: str) -> bool:
    """Whether the whole text is one <think> part, white space, and one <answer> part: the paper's tag reward."""
    return raw.startswith("<think>") and raw.endswith("</answer>") and _BETWEEN_TAGS.search(raw) is not None


def _text_between(text: str, opening: str, closing: str) -> str:
    """Returns the text between two tags: to the end if the second is missing, "" if the first is missing."""
    _, found, after = text.partition(opening)
    return after.partition(closing)[0].strip() if found else ""


def _strict_list(raw: str) -> list[Any]:
    tagged = "<answer>" in raw and "</answer>" in raw
    text = _text_between(raw, "<answer>", "</answer>") if tagged else raw
    _, opened, fenced = text.partition("```json")
    fenced, closed, _ = fenced.partition("```")
    if not (opened and closed):
        raise _Bad("the answer has no ```json block", "no_block")
    start, end = fenced.find("["), fenced.rfind("]")
    if start < 0 or end < start:
        raise _Bad("the answer has no list", "no_list")
    try:
        value = json.loads(fenced[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise _Bad("the list is not JSON", "not_json") from error
    return list(value)


def _strict_instance(item: Any, frame: tuple[float, float], style: PromptStyle) -> Instance:
    if not isinstance(item, dict):
        raise _Bad("an instance is not an object", "not_an_object")
    if style.box != ("bbox_2d" in item):
        raise _Bad("bbox_2d is missing" if style.box else "bbox_2d was not asked for", "wrong_keys")
    box = _clipped(_numbers(item["bbox_2d"], 4, "bbox_2d"), frame) if style.box else None
    positive = tuple(_point(each, frame) for each in _require_list(item.get("positive_points", []), "positive_points"))
    negative = tuple(_point(each, frame) for each in _require_list(item.get("negative_points", []), "negative_points"))
    if (len(positive), len(negative)) != (style.positive, style.negative):
        raise _Bad(
            f"{len(positive)} and {len(negative)} points, not {style.positive} and {style.negative}",
            "wrong_point_count",
        )
    return Instance(box, positive, negative, _label(item), _confidence(item) if style.confidence else None)


def _confidence(item: dict[str, Any]) -> float:
    [stated] = _numbers([item.get("confidence")], 1, "confidence")
    if not 0 <= stated <= 1:
        raise _Bad("confidence is not within 0 to 1", "bad_confidence")
    return stated


def _instance_of(item: Written) -> Instance:
    return Instance(item.box, item.positive, item.negative, item.label)


def placed(
    words: Words, raw: str, instances: Sequence[Instance], frame: tuple[float, float], *, notes: Sequence[str] = ()
) -> Answer:
    """Returns the Answer for objects in a frame of this width and height: boxes clipped, objects outside dropped.

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
    """Whether a model says that it does not understand the question (used where its list is empty)."""
    return _NOT_UNDERSTOOD.search(text[:MOST_CHARACTERS]) is not None


def _clean(instance: Instance, frame: tuple[float, float], notes: list[str]) -> Instance:
    box = None if instance.box is None else _box(instance.box, frame, notes)
    positive = _points_inside(instance.positive, frame, "positive", notes)
    negative = _points_inside(instance.negative, frame, "negative", notes)
    if box is None and not positive:
        raise _Bad("; ".join([*notes, "it has neither a box nor a positive point"]))
    return replace(instance, box=box, positive=positive, negative=negative)


def _points_inside(
    points: Sequence[Point], frame: tuple[float, float], kind: str, notes: list[str]
) -> tuple[Point, ...]:
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
        notes.append("its box had its corners in reverse order")
        (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
    box = _clipped((x1, y1, x2, y2), frame)
    if box != (x1, y1, x2, y2):
        notes.append("its box was clipped to the image")
    return box


def _clipped(corners: Sequence[float], frame: tuple[float, float]) -> Box:
    x1, y1, x2, y2 = corners
    box = max(0.0, x1), max(0.0, y1), min(float(frame[0]), x2), min(float(frame[1]), y2)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise _Bad("its box is empty or outside of the image", "bad_box")
    return box


def _require_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Bad(f"{what} is not a list", "not_a_list")
    return value


def _point(value: Any, frame: tuple[float, float]) -> Point:
    x, y = _numbers(value, 2, "it")
    if not (0 <= x <= frame[0] and 0 <= y <= frame[1]):
        raise _Bad("it lies outside of the image", "point_outside")
    return x, y


def _numbers(value: Any, count: int, what: str) -> Sequence[float]:
    if not isinstance(value, list) or len(value) != count:
        raise _Bad(f"{what} does not have {count} numbers", "not_numbers")
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in value):
        raise _Bad(f"{what} has a value that is not a number", "not_numbers")
    try:
        numbers = [float(n) for n in value]
    except OverflowError as error:
        raise _Bad(f"{what} has a number beyond a float's range", "not_finite") from error
    if not all(math.isfinite(n) for n in numbers):
        raise _Bad(f"{what} has a number that is not finite", "not_finite")
    return numbers
