"""Reads a stretch that a person names, such as `200:3000`, and writes one in the same words."""

import math
import re
from collections.abc import Sequence

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.scene.stretch import Stretch
from t2s_agent.text import one_line

_HOW = (
    "Write LOW:HIGH in the values that the file stores, for example 200:3000, or three of them with commas for the bands shown as red, "
    "green and blue"
)
_NUMBER = "0123456789+-.eE"
_NEARLY = re.compile(r"[0-9.]+\s*-\s*[0-9.]+|[0-9.+-]+%?(\s*[,;:]\s*[0-9.+-]+%?)+|-?nan:.*|.*:nan")  # meant as ranges


def is_ranges(text: str) -> bool:
    """Whether a text is meant as ranges of values, and not as the name of a result or of an image; also where it is badly written."""
    return (":" in text and not set(text) - set(_NUMBER + ":, ")) or _NEARLY.fullmatch(text.strip()) is not None


def parse_stretch(text: str) -> Stretch:
    """The stretch of `LOW:HIGH`, or of three of them with commas. Raises `argument_invalid`.

    >>> parse_stretch("200:3000").high
    (3000.0, 3000.0, 3000.0)
    >>> parse_stretch("200:3000,150:2800,100:2500").low
    (200.0, 150.0, 100.0)
    """
    ranges = [_range(part, text) for part in text.split(",")]
    if len(ranges) not in (1, 3):
        raise _invalid(text, f"has {len(ranges)} ranges, not one or three")
    lows, highs = zip(*(ranges * (3 // len(ranges))), strict=True)
    return Stretch((lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2]))


def stretch_words(low: Sequence[float], high: Sequence[float]) -> str:
    """The ranges of three bands as `parse_stretch` reads them, exactly; one range where all are the same."""
    ranges = [f"{_exact(a)}:{_exact(b)}" for a, b in zip(low, high, strict=True)]
    return ranges[0] if len(set(ranges)) == 1 else ",".join(ranges)


def require_values(dtype: str, low: float, high: float, band: int) -> None:
    """Raises `argument_invalid` where each value of an integer type would be black, or each would be white."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    if low >= most or high <= least:
        shown = stretch_words([low] * 3, [high] * 3)
        raise T2SError(
            "argument_invalid",
            f"the stretch {shown} has no value of band {band}, which stores {dtype} ({least} to {most})",
            _HOW,
        )


def _range(part: str, text: str) -> tuple[float, float]:
    low, colon, high = part.partition(":")
    try:
        found = float(low), float(high)
    except ValueError as error:
        raise _invalid(text, "is not LOW:HIGH") from error
    if not colon or not all(map(math.isfinite, found)) or not math.isfinite(found[1] - found[0]):
        raise _invalid(text, "is not of finite numbers")
    if not found[0] < found[1]:
        raise _invalid(text, f"has the range {one_line(part.strip(), 60)}, whose low end is not below its high end")
    return found


def _exact(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))


def _invalid(text: str, why: str) -> T2SError:
    return T2SError("argument_invalid", f"the stretch {one_line(text, 80)!r} {why}", _HOW)
