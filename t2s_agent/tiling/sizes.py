"""Tells from the words of a question how small the objects that it asks for usually are."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

_LARGEST = 2**20  # bytes of a file of entries
_WORD = re.compile(r"[^\W_]+")  # with digits: A320 is a plane
_PLACE = frozenset({"in", "on"})
_PICTURE = frozenset({"image", "map", "picture", "scene"})
Text = Annotated[str, Field(max_length=200)]


class Size(BaseModel):
    """An entry of the table; the comment at the top of `sizes.toml` says what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: Annotated[tuple[Text, ...], Field(min_length=1)]
    side_m: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    source: Text = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The smallest thing that a question asks for: its name, and the shorter side in metres of the smallest usual one."""

    name: str
    side_m: float


class Sizes:
    """The table of sizes: entries of the user first, then those of the package."""

    def __init__(self, entries: Iterable[Size], plain: Iterable[str]) -> None:
        self.entries = tuple(entries)
        self.plain = frozenset(plain)
        self._sides: dict[tuple[str, ...], tuple[str, float]] = {}
        for entry in self.entries:
            for name in entry.words:
                for form in _forms(name):
                    self._sides.setdefault(form, (name, entry.side_m))
        self._longest = max(map(len, self._sides), default=0)

    def asked(self, question: str) -> Asked | None:
        """The smallest of the things that a question names; None where it names none, or has a word that is not in the table.

        Whole words count, the longest names first: a tennis court is no court. A word or symbol that is not known may be what is
        looked for, so nothing is said then; nor where the first thing is only the place to look at ("what is on the runway").

        >>> sizes = load_sizes()
        >>> sizes.asked("Where are the lakes?")
        Asked(name='lake', side_m=30.0)
        >>> sizes.asked("lakes with boats").name
        'boat'
        >>> sizes.asked("lakes with jetties") is None
        True
        >>> sizes.asked("What is on the lake?") is None
        True
        """
        if any(unicodedata.category(letter) == "So" for letter in question):  # a picture of what is asked for
            return None
        words = [word.lower() for word in _WORD.findall(question)]
        found: list[Asked] = []
        inside = False
        at = 0
        while at < len(words):
            name = next((n for n in range(min(self._longest, len(words) - at), 0, -1) if self._at(words, at, n)), 0)
            if name:
                if inside and not found:
                    return None
                found.append(Asked(*self._sides[tuple(words[at : at + name])]))
            elif words[at] not in self.plain:
                return None
            elif words[at] in _PLACE or words[at] in _PICTURE:
                inside = words[at] in _PLACE
            at += max(1, name)
        return min(found, key=lambda each: each.side_m, default=None)

    def _at(self, words: list[str], at: int, count: int) -> bool:
        return tuple(words[at : at + count]) in self._sides


def load_sizes(own: Path | None = None) -> Sizes:
    """The package's table after the entries of `own`. Raises `argument_invalid` with the fault in that file."""
    entries, plain = _packaged()
    if own is None:
        return Sizes(entries, plain)
    more, words = _read(own)
    return Sizes((*more, *entries), (*words, *plain))


@cache
def _packaged() -> tuple[tuple[Size, ...], tuple[str, ...]]:
    return _parsed((files("t2s_agent.tiling") / "sizes.toml").read_text(encoding="utf-8"))


def _read(path: Path) -> tuple[tuple[Size, ...], tuple[str, ...]]:
    shown = one_line(path.name, 120)
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise T2SError(
            "argument_invalid",
            f"the file of sizes {shown} cannot be read: {error.strerror}",
            "Set sizes_file to a file",
        ) from error
    if len(raw) > _LARGEST:
        raise T2SError(
            "argument_invalid", f"the file of sizes {shown} is larger than 1 MiB", "Give one with entries only"
        )
    try:
        return _parsed(raw.decode("utf-8"))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise T2SError(
            "argument_invalid", f"in {shown}, {one_line(where, 80)}: {one_line(fault['msg'], 200)}", "Correct the entry"
        ) from error
    except ValueError as error:
        raise T2SError("argument_invalid", f"{shown} is not TOML: {one_line(str(error), 200)}", "Correct it") from error


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plain: tuple[Text, ...] = ()
    size: tuple[Size, ...] = ()


def _parsed(text: str) -> tuple[tuple[Size, ...], tuple[str, ...]]:
    table = _Table.model_validate(tomllib.loads(text))
    return table.size, tuple(word.lower() for word in table.plain)


def _forms(name: str) -> Iterator[tuple[str, ...]]:
    """A name as a sequence of words, singular and plural."""
    *first, last = [word.lower() for word in _WORD.findall(name)] or [""]
    plurals = [f"{last}s", f"{last}es", *([f"{last[:-1]}ies"] if last.endswith("y") else [])]
    for form in (last, *plurals):
        yield (*first, form)
