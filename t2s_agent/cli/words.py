"""Parses values of command-line options: numbers with commas or spaces, lists of ids, times."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from typer.core import TyperCommand

from t2s_agent.errors import Code, T2SError

Box = tuple[float, float, float, float]
Point = tuple[float, float]

# Options whose numbers may be written as one word or as several -> how many numbers; 0: any number of ids.
_MULTI_VALUE = {"--bbox": 4, "--box": 4, "--point": 2, "--not-point": 2, "--keep": 0, "--drop": 0}
_NUMBERS = re.compile(r"[\[(]?\s*[-+]?(\d|\.\d)[-+.\d,;eE\s]*[\])]?,?")
_IDS = re.compile(r"\d[\d,;\s-]*")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+;?")
_MOST_IDS = 100_000  # in one range; more than the regions of any mask
_AGO = re.compile(r"(\d+)\s*(min|m|h|d|w)")
_UNITS = {"min": "minutes", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class MultiValueCommand(TyperCommand):
    """A command for which `--bbox 4.33,51.9,4.34,51.91` and `--bbox 4.33 51.9 4.34 51.91` mean the same."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Joins the words of an option that takes several numbers, then parses as usual."""
        return super().parse_args(ctx, joined_values(args))


def joined_values(words: Sequence[str]) -> list[str]:
    """Returns the words of a command line; the words after an option of several numbers are joined by spaces."""
    done: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        done.append(word)
        if word == "--":
            return done + left
        if word in _MULTI_VALUE and left:
            done.append(_take_numbers(left, _MULTI_VALUE[word]))
    return done


def _take_numbers(left: list[str], count: int) -> str:
    """Removes from the front of `left` the words that have `count` numbers, at least one word; returns them joined."""
    taken = [left.pop(0)]
    if count == 0:
        while left and _IDS.fullmatch(taken[-1]) and _IDS.fullmatch(left[0]):
            taken.append(left.pop(0))
        return " ".join(taken)
    words = [*taken, *left[: count - 1]]
    if len(words) == count and all(_DECIMAL_COMMA.fullmatch(word) for word in words):  # 4,33 51,9 4,34 51,91
        del left[: count - 1]
        return " ".join(words)
    while (
        left and len(_split(" ".join(taken))) < count and _NUMBERS.fullmatch(taken[-1]) and _NUMBERS.fullmatch(left[0])
    ):
        taken.append(left.pop(0))
    return " ".join(taken)


def box(text: str | None, option: str) -> Box | None:
    """Returns the four numbers of a box. Raises `bbox_invalid`."""
    if text is None:
        return None
    example = "4.33,51.90,4.34,51.91 (west, south, east, north)"
    x1, y1, x2, y2 = _numbers(text, 4, option, "bbox_invalid", example)
    return x1, y1, x2, y2


def points(texts: Sequence[str] | None, option: str) -> tuple[Point, ...]:
    """Returns points of two numbers each. Raises `argument_invalid`."""
    pairs = [
        _numbers(text, 2, option, "argument_invalid", "4.3512,51.8702 (longitude, latitude)") for text in texts or ()
    ]
    return tuple((x, y) for x, y in pairs)


def ids(texts: Sequence[str] | None, option: str) -> tuple[int, ...]:
    """Returns region ids from `3`, `1,2,3` or `1-3`. Raises `argument_invalid`."""
    found: dict[int, None] = {}
    for part in re.split(r"[,;\s]+", " ".join(texts or ()).strip()):
        if not part:
            continue
        ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
        if first > last or last - first > _MOST_IDS:
            raise T2SError(
                "argument_invalid", f"{option} {part!r} is not a region id", "Write ids as 3, as 1,2,3 or as 1-3"
            )
        found |= dict.fromkeys(range(first, last + 1))
    return tuple(found)


def since(text: str, now: datetime | None = None) -> datetime:
    """Returns a time (UTC) from a date, a date with a time, or an age (`90min`, `12h`, `7d`, `2w`). Raises `argument_invalid`."""
    now = now or datetime.now(UTC)
    ago = _AGO.fullmatch(text.strip().lower())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        time = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise T2SError(
            "argument_invalid",
            f"--since {text!r} is not a time",
            "Write 2026-03-01, 2026-03-01T14:30, 12h, 7d or 2w (UTC)",
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[,;\s]+", text.strip().strip("[]()")) if part]


def _numbers(text: str, count: int, option: str, code: Code, example: str) -> tuple[float, ...]:
    parts = _split(text)
    if len(parts) == 2 * count and "." not in text:
        raise T2SError(code, f"{option} {text!r} looks like decimal commas", f"Write decimal points, as in {example}")
    try:
        values = tuple(float(part) for part in parts)
    except ValueError as error:
        raise T2SError(code, f"{option} {text!r} is not {count} numbers", f"Write {option} {example}") from error
    if len(values) != count:
        raise T2SError(code, f"{option} {text!r} has {len(values)} of {count} numbers", f"Write {option} {example}")
    return values
