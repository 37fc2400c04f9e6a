"""Reads the JSON that a model meant: a small reader that forgives what costs nothing in meaning, and says what it forgave.

An object that repeats its keys, where a list of objects was meant, is read as that list: the usual readers keep the last only.

It forgives trailing, doubled and missing commas, single quotes, bare keys, Python's None, True and False, a sign or dot
too many in a number's spelling (`+5`, `.5`, `5.`), and a text that was cut off: a list gives its whole items, an object
that was not finished is left out. One pass, in time linear in the text.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 12  # lists in lists; an answer needs four
_BLANK = re.compile(r"(?:[\s,]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)  # comments too
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_WORDS = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_ENDS = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Unreadable(ValueError):
    """Not even with good will; the text says where, and `at` is how far reading came.

    `whole` are the objects of the outermost list that were read before that place.
    """

    at = 0
    whole: tuple[Any, ...] = ()


class _CutOff(Exception):
    """No error: the text ended here, and `part` is what of it was whole."""

    def __init__(self, part: Any = None) -> None:
        super().__init__()
        self.part = part


@dataclass(slots=True)
class Repaired:
    """A value that was read, in words what had to be forgiven (nothing, for proper JSON), and where it ends."""

    value: Any
    mends: list[str] = field(default_factory=list)
    end: int = 0


def read_json(text: str, at: int = 0) -> Repaired:
    """The first JSON value in `text` from `at` on; what follows it is not read. Raises nothing but `Unreadable`."""
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
            return Repaired(cut.part, ["the list was cut off; its whole items are used", *repeats.notes], len(text))
        except Unreadable as error:
            error.at = reader.at
            raise
        return Repaired(value, ["the JSON was mended", *repeats.notes], reader.at)


class _Repeats:
    """Makes objects of keys and values, and notes where keys were repeated."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def objects(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
        """One object; or several, each of which begins where a key comes again with another value."""
        found: list[dict[str, Any]] = [{}]
        again: dict[str, Any] = {}  # keys that came again as they were: of the next object, if there is one
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
        """The next character that is neither blank nor comma, without taking it."""
        if blank := _BLANK.match(self.text, self.at):
            self.at = blank.end()
        if self.at >= len(self.text):
            raise _CutOff
        return self.text[self.at]

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise Unreadable(f"lists lie more than {DEEPEST} deep in each other")
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
            raise _CutOff from cut  # an object that was not finished says nothing
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
                raise _CutOff  # 56 may have been meant to be 567
            spelled = match.group()
            return float(spelled) if len(spelled) > 300 or not spelled.lstrip("+-").isdigit() else int(spelled)
        word = self.word()
        if self.at == len(self.text):
            raise _CutOff
        if word not in _WORDS:
            raise Unreadable(f"{word[:30]!r} is no JSON value")
        return _WORDS[word]
