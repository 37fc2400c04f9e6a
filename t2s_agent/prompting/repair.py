"""Reads JSON with the errors that models make: repairs what can be repaired without a change of meaning, and reports it.

It accepts trailing, doubled and missing commas, single quotes, keys without quotes, Python's None, True and False, comments,
other spellings of numbers (`+5`, `.5`, `5.`), and a text that was cut off: a list keeps its complete items, an incomplete object
is left out. An object that repeats its keys is read as a list of objects; usual readers keep only the last value of a key.
It reads the text once, in linear time.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 12  # levels of nested lists; an answer needs four
_BLANK = re.compile(r"(?:[\s,]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)  # comments too
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_WORDS = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_ENDS = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Unreadable(ValueError):
    """The text cannot be read, even with repairs; the message says why, and `at` is the position where reading stopped.

    `whole` are the objects of the outermost list that were read before that position.
    """

    at = 0
    whole: tuple[Any, ...] = ()


class _CutOff(Exception):
    """Signals that the text ended early; `part` is the complete part of the value, None if there is none."""

    def __init__(self, part: Any = None) -> None:
        super().__init__()
        self.part = part


@dataclass(slots=True)
class Repaired:
    """A value, the repairs that were needed (none for valid JSON) as sentences, and the position after its end."""

    value: Any
    repairs: list[str] = field(default_factory=list)
    end: int = 0


def read_json(text: str, at: int = 0) -> Repaired:
    """Returns the first JSON value in `text` from `at` on; the text after it is not read. Raises only `Unreadable`."""
    begin = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # `*` matches nothing too
    repeats = _Repeats()
    try:
        value, end = json.JSONDecoder(object_pairs_hook=repeats.objects).raw_decode(text, begin)
        return Repaired(value, repeats.notes, end)
    except (ValueError, RecursionError):
        reader = _Reader(text, begin, repeats := _Repeats())
        try:
            value = reader.value(0)
        except _CutOff as cut:
            if cut.part is None:
                unreadable = Unreadable("the list is cut off before its first item")
                unreadable.at = reader.at
                raise unreadable from cut
            return Repaired(cut.part, ["the list was cut off; its complete items are used", *repeats.notes], len(text))
        except Unreadable as error:
            error.at = reader.at
            raise
        return Repaired(value, ["the JSON was repaired", *repeats.notes], reader.at)


class _Repeats:
    """Builds objects from keys and values, and notes repeated keys."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def objects(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
        """Returns one object; or several, where a new one begins at a key that repeats with another value."""
        found: list[dict[str, Any]] = [{}]
        again: dict[str, Any] = {}  # keys repeated with the same value: they belong to the next object, if there is one
        for key, value in pairs:
            if key not in found[-1]:
                found[-1][key] = value
            elif found[-1][key] == value:
                again[key] = value
            else:
                found.append({**again, key: value})
                again = {}
        if len(found) == 1:
            return found[0]
        self.notes = ["an object repeats its keys: it was read as several"]
        return found


class _Reader:
    def __init__(self, text: str, at: int, repeats: _Repeats) -> None:
        self.text = text
        self.at = at
        self.repeats = repeats

    def peek(self) -> str:
        """Returns the next character that is not white space, comma or comment, without consuming it."""
        if blank := _BLANK.match(self.text, self.at):
            self.at = blank.end()
        if self.at >= len(self.text):
            raise _CutOff
        return self.text[self.at]

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise Unreadable(f"lists are nested more than {DEEPEST} deep")
        opening = self.peek()
        if opening == "[":
            return self.items(depth)
        if opening == "{":
            return self.members(depth)
        if opening in "\"'":
            return self.string()
        return self.scalar()

    def items(self, depth: int) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        try:
            while self.peek() != "]":
                items.append(self.value(depth + 1))
        except _CutOff as cut:
            raise _CutOff(items or None) from cut
        except Unreadable as error:
            error.whole = tuple(item for item in items if isinstance(item, dict | list)) or error.whole
            raise
        self.at += 1
        return items

    def members(self, depth: int) -> dict[str, Any] | list[dict[str, Any]]:
        self.at += 1
        members: list[tuple[str, Any]] = []
        try:
            while (opening := self.peek()) != "}":
                key = self.string() if opening in "\"'" else self.word()
                if self.peek() != ":":
                    raise Unreadable(f"a colon is missing after {key[:30]!r}")
                self.at += 1
                members.append((key, self.value(depth + 1)))
        except _CutOff as cut:
            raise _CutOff from cut  # an incomplete object is left out
        self.at += 1
        return self.repeats.objects(members)

    def string(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        parts = []
        while ends := _ENDS[quote].search(self.text, self.at):
            parts.append(self.text[self.at : ends.start()])
            self.at = ends.end()
            if ends.group() == quote:
                return "".join(parts)
            follows = self.text[self.at : self.at + 1]
            parts.append(_ESCAPES.get(follows, follows))
            self.at += 1
        raise _CutOff

    def word(self) -> str:
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise Unreadable(f"a key is expected at {self.text[self.at : self.at + 20]!r}")
        self.at = match.end()
        return match.group()

    def scalar(self) -> Any:
        if match := _NUMBER.match(self.text, self.at):
            self.at = match.end()
            if self.at == len(self.text):
                raise _CutOff  # 56 may be the beginning of 567
            spelled = match.group()
            return float(spelled) if len(spelled) > 300 or not spelled.lstrip("+-").isdigit() else int(spelled)
        word = self.word()
        if self.at == len(self.text):
            raise _CutOff
        if word not in _WORDS:
            raise Unreadable(f"{word[:30]!r} is not a JSON value")
        return _WORDS[word]
