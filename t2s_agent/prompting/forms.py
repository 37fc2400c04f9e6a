"""Reads the formats in which models write objects: JSON lists, one code block per object, wrapper objects, bare boxes, box tokens.

Each object becomes a `Written` value: the numbers as the model wrote them, not yet in any frame. The only error raised is `NoList`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from t2s_agent.instance import Box, Point
from t2s_agent.prompting.repair import Unreadable, read_json

MOST_POINTS = 50  # per instance and kind of point
MOST_TRIES = 200  # places that look like the start of a list and are not
MOST_VALUES = 5_001  # lists or objects side by side: one more than the number of objects used from an answer
_LABEL = 80
_BOX_KEYS = (
    "bbox_2d", "bbox", "box", "box_2d", "bounding_box", "boundingbox", "bbox2d", "box2d", "bounding_box_2d",
    "rect", "rectangle", "bboxes", "boxes", "coordinates", "location", "position", "coords",
)  # fmt: skip
_PLACES = ("coordinates", "location", "position", "coords")  # these keys hold a box or a point
_POINT_KEYS = ("positive_points", "point_2d", "points_2d", "points", "point", "center", "centre", "keypoints")
_LABEL_KEYS = (
    "label",
    "name",
    "text_content",
    "class",
    "category",
    "class_name",
    "ref",
    "object",
    "description",
    "text",
)
_NAMED_BOXES = (
    ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("x0", "y0", "x1", "y1"), ("left", "top", "right", "bottom"),
    ("xtopleft", "ytopleft", "xbottomright", "ybottomright"), ("xstart", "ystart", "xend", "yend"),
)  # fmt: skip
_NAMED_SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_NAMED_CENTRES = (("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"), ("xcenter", "ycenter", "width", "height"))
_NAMED_CORNERS = (("topleft", "bottomright"), ("upperleft", "lowerright"), ("lefttop", "rightbottom"))
_SIZES = ("xywh", "bboxxywh", "boxxywh", "ltwh", "bboxltwh", "tlwh", "bboxtlwh")  # four numbers: a corner and sizes
_CENTRES = ("cxcywh", "bboxcxcywh", "boxcxcywh")  # four numbers: the centre and sizes
_WRAPPERS = frozenset(
    (
        "answer", "answers", "objects", "object", "instances", "instance", "targets", "target", "detections", "detection",
        "boxes", "bboxes", "result", "results", "predictions", "regions", "items", "features", "data", "output", "outputs",
        "response", "list", "annotations", "bbox_2d", "box_2d",
    )
)  # fmt: skip
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_NUMBERS = re.compile(_NUMBER)
_ONE_NUMBER = re.compile(rf"\s*({_NUMBER})\s*(?:px|pixels?)?\s*", re.IGNORECASE)
_NUMBER_LIST = re.compile(rf"[\s\[(<]*{_NUMBER}(?:[\s,;()\[\]]+{_NUMBER})+[\s\])>]*")
_FENCE = re.compile(r"```[ \t]*\w*")
_LIST = re.compile(r"\[\s*(?:[\[{\]\"'(]|[-+.]?\d)|\{\s*[\"'\w}]")
_DECORATION = re.compile(
    r"<\|(?:begin_of_box|end_of_box)\|>|<\|?/?answer\|?>", re.IGNORECASE
)  # GLM's marks around an answer


class NoList(ValueError):
    """The text contains no list of objects; the message says why."""


class _Bad(ValueError):
    """One object is invalid; the message says why."""


@dataclass(frozen=True, slots=True)
class Written:
    """One object as the model wrote it, in the model's own numbers and order.

    `named`: x and y were given by name, so their order is certain. `frame` is the name of the frame that the format itself
    defines, or "". `empty`: the object has box or point keys, all without a value. `bad` says why the object cannot be used,
    or "".
    """

    box: Box | None = None
    positive: tuple[Point, ...] = ()
    negative: tuple[Point, ...] = ()
    label: str = ""
    named: bool = False
    frame: str = ""
    empty: bool = False
    notes: tuple[str, ...] = ()
    bad: str = ""


@dataclass(slots=True)
class Found:
    """The content of a text: its objects, whether it states explicitly that there are none, and warnings."""

    items: list[Written] = field(default_factory=list)
    says_none: bool = False
    warnings: list[str] = field(default_factory=list)


def objects_in(text: str, *, marked: bool) -> Found:
    """Returns the objects that `text` lists. `marked`: the text was between answer tags, so all of it is the answer.

    Raises `NoList` if the text has no list, not even an empty one.
    """
    found = Found()
    plain = _DECORATION.sub(" ", text)
    fences = _code_blocks(plain)
    pieces = fences or [plain]
    read = [piece for piece in pieces if _read_piece(piece, found, sure=marked or bool(fences))]
    if len(fences) > 1 and len(read) > 1:
        found.warnings.append(f"the answer has {len(read)} lists, and all are used")
    if not found.items and fences and not found.says_none:  # the code blocks contained something else
        _read_piece(plain, found, sure=marked)
    if not found.items and not found.says_none:
        raise NoList("the answer holds no list")
    if all(item.empty for item in found.items):
        found.says_none, found.items = True, []
    elif any(item.empty for item in found.items):
        found.items = [
            replace(i, bad="it has neither a box nor a positive point") if i.empty else i for i in found.items
        ]
    return found


def _code_blocks(text: str) -> list[str]:
    """Returns the contents of the code blocks (```) of `text`; the end mark of the last one may be missing."""
    marks = list(_FENCE.finditer(text))
    pieces = []
    for opening, closing in zip(marks[::2], [*marks[1::2], None], strict=False):
        piece = text[opening.end() : closing.start() if closing else len(text)]
        if piece.strip():
            pieces.append(piece)
    return pieces


def _read_piece(text: str, found: Found, *, sure: bool) -> bool:
    """Adds the objects of one piece of text to `found`; returns whether there were any, or an explicit "none"."""
    if items := list(_token_objects(text)):
        found.items += items
        return True
    before = len(found.items)
    values: list[Any] = []
    ends_with_list = False
    at, loose, failed, lost = 0, 0, 0, False
    while begin := _LIST.search(text, at):
        if failed == MOST_TRIES or len(values) == MOST_VALUES:
            found.warnings.append(f"the answer was read as far as its character {at} of {len(text)}: too many parts")
            break
        try:
            read = read_json(text, begin.start())
        except Unreadable as error:
            at = max(begin.start() + 1, error.at)
            failed += 1
            if error.whole:
                values.append(list(error.whole))
            lost = lost or bool(error.whole) or len(_NUMBERS.findall(text, begin.start(), at)) > 3
            continue
        at = read.end
        ends_with_list = not text[at:].strip(" \t\r\n.;`")
        if isinstance(read.value, dict):
            loose += 1
        elif _is_empty_list(read.value) and not sure and not ends_with_list:
            continue  # "[in the picture]", or an empty list that a sentence only mentions
        values.append(read.value)
        found.warnings.extend(repair for repair in read.repairs if repair not in found.warnings)
    says_none = False
    for value in values:
        items, none = _objects_in_value(value)
        if not sure:  # inside a sentence, a list of numbers that is not a box is not an object
            items = [item for item in items if not item.bad or len(values) == 1]
        found.items += items
        says_none = says_none or none
    if lost and len(found.items) > before:
        found.warnings.append("a part of the answer could not be read and is left out")
    if not sure and sum(isinstance(value, list) and bool(value) for value in values) > 1:
        found.warnings.append("the answer has several lists, and all are used")
    if loose and len(found.items) > before and any(isinstance(v, dict) and _is_object(v) for v in values):
        found.warnings.append("the objects are not in a list")
    if len(found.items) == before and not says_none:
        found.items += _boxes_in_sentence(text)
        if len(found.items) > before:
            found.warnings.append("the boxes were taken from a sentence")
    found.says_none = found.says_none or says_none
    return len(found.items) > before or says_none


def _is_empty_list(value: Any) -> bool:
    return isinstance(value, list) and not value


def _objects_in_value(value: Any) -> tuple[list[Written], bool]:
    """Returns the objects in a JSON value, inside one or two levels of wrappers, and whether it is an explicit "none"."""
    if isinstance(value, dict) and not _is_object(value):
        return _objects_in_wrapper(value, 2)
    if isinstance(value, list):
        if not value:
            return [], True
        if _is_box(value) or _is_corners(value):
            return [_object({"bbox_2d": value})], False
        items: list[Written] = []
        none = False
        for each in value:
            if isinstance(each, dict) and not _is_object(each) and not _has_text_only(each):
                inner, _ = _objects_in_wrapper(each, 1)
                items += inner or [Written(bad="it has neither a box nor a positive point")]
            elif (
                isinstance(each, list)
                and each
                and all(isinstance(e, list | dict) for e in each)
                and not _is_corners(each)
            ):
                inner, _ = _objects_in_value(each)
                items += inner
            elif isinstance(each, list) and not each:
                none = len(value) == 1  # [[]]
                if not none:
                    items.append(Written(bad="it does not have 4 numbers"))
            else:
                items += _objects(each)
        return items, none and not items
    if isinstance(value, dict):
        return _objects(value), False
    return [], False


def _objects_in_wrapper(value: dict[str, Any], levels: int) -> tuple[list[Written], bool]:
    items: list[Written] = []
    none = False
    for key, inner in value.items():
        name = _normal_key(key)
        if isinstance(inner, list) and inner and (_is_box(inner) or _is_corners(inner)):  # {"tank 1": [x, y, x, y]}
            items.append(_object({"bbox_2d": inner, "label": key}))
        elif isinstance(inner, list) and inner and not _numeric(inner):
            found, says = _objects_in_value(inner)
            kept = [
                item if item.label or name in _WRAPPERS else replace(item, label=str(key)[:_LABEL]) for item in found
            ]
            items += kept
            none = none or says
        elif isinstance(inner, dict) and levels:
            if _is_object(inner):
                items += _objects(inner)
            else:
                found, says = _objects_in_wrapper(inner, levels - 1)
                items += found
                none = none or says
        elif isinstance(inner, str) and name in _WRAPPERS and _LIST.match(inner.strip()):  # JSON within JSON
            try:
                found, says = _objects_in_value(read_json(inner).value)
            except Unreadable:
                continue
            items += found
            none = none or says
        elif inner in ([], None) and (name in _WRAPPERS or (inner == [] and len(value) == 1)):
            none = True
    return items, none and not items


def _normal_key(key: Any) -> str:
    return str(key).strip().casefold()


def _compact_keys(item: dict[str, Any]) -> dict[str, Any]:
    """Returns `item` with its keys in lower case, without spaces, `_` and `-`: x_min, xMin and X-min become one key."""
    return {re.sub(r"[\s_-]", "", str(key)).casefold(): value for key, value in item.items()}


def _is_object(item: dict[str, Any]) -> bool:
    keys = {_normal_key(key): value for key, value in item.items()}
    if any(key in keys and not _holds_objects(keys[key]) for key in (*_BOX_KEYS, *_POINT_KEYS, "negative_points")):
        return True
    named = _compact_keys(item)
    spelled = (
        *_NAMED_BOXES,
        *_NAMED_SIZES,
        *_NAMED_CENTRES,
        *_NAMED_CORNERS,
        *((key,) for key in (*_SIZES, *_CENTRES)),
    )
    return any(set(names) <= set(named) for names in spelled) or (
        {"x", "y"} <= set(named) and not isinstance(named["x"], list | dict)
    )


def _has_text_only(item: dict[str, Any]) -> bool:
    """Whether an object contains only text or numbers, such as a label, and no list or object."""
    return not any(isinstance(value, list | dict) for value in item.values())


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(each, dict) and _is_object(each) and not _is_point(each) for each in value
    )


def _is_point(value: dict[str, Any]) -> bool:
    return set(_compact_keys(value)) <= {"x", "y", "label"}


def _numeric(value: list[Any]) -> bool:
    return all(_number(each) is not None for each in value)


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and any(_number(each) is not None for each in value)


def _is_corners(value: Any) -> bool:
    """Whether a value has the form [[x1, y1], [x2, y2]]."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(e, list) and len(e) == 2 and _numeric(e) for e in value)
    )


def _objects(item: Any) -> list[Written]:
    """Returns one object, or one per box if the box key holds several boxes."""
    if isinstance(item, dict):
        for key in item:
            value = item[key]
            if (
                _normal_key(key) in _BOX_KEYS
                and isinstance(value, list)
                and value
                and all(
                    _is_box(each) or _is_corners(each) or (isinstance(each, dict) and _named_box(each))
                    for each in value
                )
            ):
                return [_object({**item, key: each}) for each in value]
    return [_object(item)]


def _object(item: Any) -> Written:
    try:
        return _parse_object(item)
    except _Bad as bad:
        return Written(bad=str(bad))


def _parse_object(item: Any) -> Written:
    if isinstance(item, list) or (isinstance(item, str) and _NUMBER_LIST.fullmatch(item)):
        item = {"bbox_2d": item}
    if not isinstance(item, dict):
        raise _Bad("it is not an object")
    notes: list[str] = []
    keys = {_normal_key(key): value for key, value in item.items()}
    label = _label(keys)
    box, positive, named = _parse_box(item, keys, notes)
    for key in _POINT_KEYS:
        points, by_name = _points_of(keys.get(key), "positive", notes)
        positive += points
        named = named or (by_name and box is None)
    if box is None and not positive and {"x", "y"} <= set(keys):
        positive, named = _points_of([{"x": keys["x"], "y": keys["y"]}], "positive", notes)
    negative, _ = _points_of(keys.get("negative_points"), "negative", notes)
    if box is None and not positive:
        stated = [keys[key] for key in (*_BOX_KEYS, *_POINT_KEYS) if key in keys]
        if stated and all(value in (None, [], "") for value in stated):
            return Written(empty=True, label=label)
        raise _Bad("; ".join([*notes, "it has neither a box nor a positive point"]))
    return Written(box, positive, negative, label, named, notes=tuple(notes))


def _parse_box(
    item: dict[str, Any], keys: dict[str, Any], notes: list[str]
) -> tuple[Box | None, tuple[Point, ...], bool]:
    """Returns the box of an object (or the points written under the box key), and whether its axes are named."""
    key = next((key for key in _BOX_KEYS if keys.get(key) not in (None, [], "")), "")
    if not key:
        own = _named_box(item)
        return own, (), own is not None
    written = keys[key]
    if isinstance(written, dict):
        box = _named_box(written)
        if box is None and key in _PLACES:
            points, named = _points_of(written, "positive", notes)
            return None, points, named
        if box is None:
            raise _Bad("its box does not have 4 numbers")
        return box, (), True
    if key in _PLACES and len(_flat_numbers(written)) == 2:
        return None, _points_of(written, "positive", notes)[0], False
    return _parse_four(written), (), False


def _label(keys: dict[str, Any]) -> str:
    return next((keys[key][:_LABEL] for key in _LABEL_KEYS if isinstance(keys.get(key), str) and keys[key]), "")


def _named_box(item: dict[str, Any]) -> Box | None:
    """Returns x1, y1, x2, y2 of an object that names its coordinates; None if it does not name them."""
    keys = _compact_keys(item)
    for names in _NAMED_BOXES:
        if set(names) <= set(keys):
            return _box_of([keys[name] for name in names])
    for names in _NAMED_SIZES:
        if set(names) <= set(keys):
            x, y, w, h = _finite([keys[name] for name in names], "its box")
            return x, y, x + w, y + h
    for names in _NAMED_CENTRES:
        if set(names) <= set(keys):
            return _box_of_centre([keys[name] for name in names])
    for first, second in _NAMED_CORNERS:
        if first in keys and second in keys:
            corners, _ = _points_of([keys[first], keys[second]], "corner", [])
            if len(corners) != 2:
                raise _Bad("its box does not have 4 numbers")
            return (*corners[0], *corners[1])
    if key := next((key for key in _SIZES if key in keys), ""):
        x, y, w, h = _finite(_flat_numbers(keys[key]), "its box")
        return x, y, x + w, y + h
    if key := next((key for key in _CENTRES if key in keys), ""):
        return _box_of_centre(_flat_numbers(keys[key]))
    return None


def _box_of_centre(values: list[Any]) -> Box:
    """Returns the box (x1, y1, x2, y2) for a centre and sizes (cx, cy, width, height)."""
    x, y, w, h = _finite(values, "its box")
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def _parse_four(value: Any) -> Box:
    numbers = _flat_numbers(value)
    if len(numbers) != 4:
        raise _Bad("its box does not have 4 numbers")
    return _box_of(numbers)


def _flat_numbers(value: Any) -> list[Any]:
    """Returns the numbers of a list, of a list of corners, or of a text that contains only numbers."""
    if isinstance(value, str) and _NUMBER_LIST.fullmatch(value):
        return list(_NUMBERS.findall(value))
    if _is_corners(value):
        return [number for corner in value for number in corner]
    if isinstance(value, list) and len(value) == 2 and all(isinstance(e, dict) and {"x", "y"} <= set(e) for e in value):
        return [e[axis] for e in value for axis in ("x", "y")]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        return list(value[0])
    return list(value) if isinstance(value, list) else []


def _box_of(values: list[Any]) -> Box:
    x1, y1, x2, y2 = _finite(values, "its box")
    return x1, y1, x2, y2


def _points_of(value: Any, kind: str, notes: list[str]) -> tuple[tuple[Point, ...], bool]:
    """Returns the usable points and whether they name x and y; a single pair counts as a list of one point."""
    if value in (None, []):
        return (), False
    if isinstance(value, dict) or (isinstance(value, str) and _NUMBER_LIST.fullmatch(value)):
        value = [value]
    if not isinstance(value, list):
        notes.append(f"{kind}_points is not a list")
        return (), False
    if len(value) == 2 and _numeric(value):
        value = [value]
    if len(value) > MOST_POINTS:
        notes.append(f"of {len(value)} {kind} points the first {MOST_POINTS} are used")
    points, named = [], False
    for each in value[:MOST_POINTS]:
        try:
            if isinstance(each, dict):
                keys = _compact_keys(each)
                if {"x", "y"} <= set(keys):
                    each, named = [keys["x"], keys["y"]], True
                else:
                    each = next((keys[k] for k in ("point2d", "point", "positivepoint") if k in keys), None)
            x, y = _finite(_flat_numbers(each) if isinstance(each, str) else each, "it", 2)
            points.append((x, y))
        except _Bad as bad:
            notes.append(f"a {kind} point is dropped: {bad}")
    return tuple(points), named


def _finite(values: Any, what: str, count: int = 4) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise _Bad(f"{what} does not have {count} numbers")
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        raise _Bad(f"{what} has a value that is not a number")
    kept = [number for number in numbers if number is not None]
    if not all(math.isfinite(number) for number in kept):
        raise _Bad(f"{what} has a number that is not finite")
    return kept


def _number(value: Any) -> float | None:
    """Returns a number, also if it was written as text; None for anything else; infinity beyond a float's range."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str) and len(value) <= 40 and (match := _ONE_NUMBER.fullmatch(value)):
        return float(match.group(1))
    return None


_REF = r"(?:<\|?(?:ref|object_ref_start|p)\|?>\s*(?P<ref>[^<>]{0,200}?)\s*<\|?/?(?:ref|object_ref_end|p)\|?>\s*)?"
_TOKEN_BOX = re.compile(
    rf"{_REF}<\|?(?P<tag>det|box_start|box|bbox|quad_start|point_box|seg_box)\b[^<>|]{{0,200}}\|?>(?P<body>[^<>]{{0,20000}})"
    r"(?:<\|?/?(?:det|box_end|box|bbox|quad_end|point_box|seg_box)\|?>|$)"
)
_LOCS = re.compile(r"(?:<loc_?\d{1,4}>\s*){2,400}")
_LOC = re.compile(r"<loc(_?)(\d{1,4})>")
_AFTER_LOCS = re.compile(r"\s*([\w][^<>;\n]{0,80})")
_MOLMO = re.compile(r"<points?\b([^<>]{0,4000}?)/?>", re.IGNORECASE)
_MOLMO_PAIR = re.compile(rf"\bx(\d*)\s*=\s*[\"']\s*({_NUMBER})\s*[\"']\s+y\1\s*=\s*[\"']\s*({_NUMBER})")
_MOLMO_NAME = re.compile(r"\balt\s*=\s*[\"']([^\"']{0,80})")
_POINT = re.compile(
    rf"<\|?point(?:_start)?\|?>\s*[(\[]?\s*({_NUMBER})[\s,]+({_NUMBER})\s*[)\]]?\s*<\|?/?point(?:_end)?\|?>",
    re.IGNORECASE,
)


def _token_objects(text: str) -> Iterator[Written]:
    """Yields the objects written with special tokens instead of JSON."""
    if "<" not in text:
        return
    for run in _LOCS.finditer(text):
        yield from _location_boxes(run.group(), text, run.start(), run.end())
    for match in _TOKEN_BOX.finditer(text):
        numbers = [float(each) for each in _NUMBERS.findall(match.group("body"))]
        label = (match.group("ref") or "")[:_LABEL]
        fixed = "relative_999" if match.group("tag") == "det" else ""
        whole = len(numbers) // 4 * 4
        if numbers and whole == len(numbers):
            for index in range(0, whole, 4):
                yield _checked_box(numbers[index : index + 4], label, fixed)
        elif numbers:
            yield Written(bad="its box does not have 4 numbers")
    for match in _POINT.finditer(text):
        yield Written(None, ((float(match.group(1)), float(match.group(2))),))
    for match in _MOLMO.finditer(text):
        name = _MOLMO_NAME.search(match.group(1))
        for pair in _MOLMO_PAIR.finditer(match.group(1)):
            label = name.group(1) if name else ""
            yield Written(
                None, ((float(pair.group(2)), float(pair.group(3))),), label=label, named=True, frame="percent"
            )


def _location_boxes(run: str, text: str, start: int, end: int) -> Iterator[Written]:
    """Yields the boxes of a run of location tokens.

    Florence-2 writes <loc_12> after the label, x first, in 1,000 bins; PaliGemma writes <loc0012> before it, y first, in 1,024.
    """
    marks = _LOC.findall(run)
    florence = bool(marks[0][0])
    numbers = [float(digits) for _, digits in marks]
    frame = "bins_1000" if florence else "bins_1024_yx"
    if florence:
        before = re.search(r"([\w][^<>;\n]{0,80})\s*$", text[max(0, start - 90) : start])
        label = before.group(1).strip() if before else ""
    else:
        after = _AFTER_LOCS.match(text[end : end + 90])
        label = after.group(1).strip() if after else ""
    if len(numbers) % 4:
        yield Written(bad="its box does not have 4 location tokens")
        return
    for index in range(0, len(numbers), 4):
        yield _checked_box(numbers[index : index + 4], label[:_LABEL], frame)


def _checked_box(numbers: list[float], label: str, frame: str) -> Written:
    try:
        return Written(_box_of(list(numbers)), label=label, frame=frame)
    except _Bad as bad:
        return Written(bad=str(bad))


_PAIRS = re.compile(
    rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*(?:,|to|and|-)?\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)"
)
_FOUR = re.compile(rf"[\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])]")
_SENTENCE_FORMS: tuple[re.Pattern[str], ...] = (_FOUR, _PAIRS)


def _boxes_in_sentence(text: str) -> list[Written]:
    """Returns the boxes inside a sentence: [x1, y1, x2, y2] or (x1, y1), (x2, y2)."""
    return [
        _checked_box([float(n) for n in match.groups()], "", "")
        for form in _SENTENCE_FORMS
        for match in form.finditer(text)
    ]
