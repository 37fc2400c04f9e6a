"""Infers the size to which a server resized a picture, from how a model's numbers change with the size that was sent.

A model that writes pixels writes pixels of the picture after the server's resizing, and no server reports that size. Two
observations reveal it: the number of image tokens that the server counts, and the answer to the same question with a smaller
picture. If the numbers shrink with the picture, the server did not resize it. If not, further sizes reveal the server's limits:
with an upper limit all large pictures give the same numbers, with a lower limit all small pictures do.
"""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from t2s_agent.instance import Box
from t2s_agent.prompting.duplicates import box_iou
from t2s_agent.prompting.frames import Size, smart_size

SMALL, LARGE = 0.34, 1.7  # of the picture's sides: about 140 and 3,500 image tokens for a picture with 1,225
BETWEEN = (0.6, 0.8, 1.25)  # tried if the first two do not decide
TOLERANCE = 0.06  # of a ratio of lengths: boxes of repeated requests agree this closely
_RATIOS = [0.25 * 1.04**step for step in range(53)]  # 0.25 to 2
_ALIKE = 0.3  # mean IoU; below it, two answers do not name the same objects

Verdict = Literal["kept", "resized", "fixed", "unclear", "unknown"]
# image tokens from 32 to 12,000 in steps of 2 %, and the round numbers that servers are configured with
_AREAS = sorted({32.0 * 1.02**step for step in range(300)} | {64.0 * step for step in range(1, 257)})
_COARSE = sorted({32.0 * 1.08**step for step in range(75)} | {256.0 * step for step in range(1, 17)})
_NONE = 1e9  # stands for "no limit"


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a server resizes a picture: `size` is the size after resizing; `least`, `most` are its limits in pixels (0: none).

    Verdicts: `kept`: not resized. `resized`: resized to its limits. `fixed`: the numbers do not depend on the size, so they are
    not pixels (or pixels of one fixed size). `unclear`: the answers do not name the same objects. `unknown`: resized, but the
    size cannot be determined.
    """

    verdict: Verdict
    size: Size
    least: int = 0
    most: int = 0


def ratio_of(many: Sequence[Box], few: Sequence[Box]) -> tuple[float, float] | None:
    """Returns how much wider and taller the boxes of one answer are than those of another answer to the same question.

    None if the two answers do not name the same objects. The boxes may be in any order.
    """
    many, few = [b for b in many if b[2] > b[0] and b[3] > b[1]], [b for b in few if b[2] > b[0] and b[3] > b[1]]
    if not many or not few:
        return None
    many, few = many[:40], few[:40]
    extents = [(max(b[axis] for b in many), max(b[axis] for b in few)) for axis in (2, 3)]
    guesses = [a / b for a, b in extents if b > 0]
    best, ratio = 0.0, 1.0
    for candidate in [*guesses, *_RATIOS]:
        scaled = [(b[0] * candidate, b[1] * candidate, b[2] * candidate, b[3] * candidate) for b in few]
        alike = sum(max(box_iou(box, other) for other in scaled) for box in many) / max(len(many), len(few))
        if alike > best + 1e-9:
            best, ratio = alike, candidate
    if best < _ALIKE:
        return None
    pairs = []
    for box in many:
        near = [box_iou(box, (b[0] * ratio, b[1] * ratio, b[2] * ratio, b[3] * ratio)) for b in few]
        if max(near) >= _ALIKE:
            pairs.append((box, few[near.index(max(near))]))
    return _axis_ratio(pairs, (0, 2), ratio), _axis_ratio(pairs, (1, 3), ratio)


def _axis_ratio(pairs: Sequence[tuple[Box, Box]], places: tuple[int, int], otherwise: float) -> float:
    """Returns the ratio of sums, less noisy than single ratios. Pairs far from the median ratio (moved objects) are ignored."""
    sums = [(sum(a[p] for p in places), sum(b[p] for p in places)) for a, b in pairs]
    singles = [a / b for a, b in sums if b > 0]
    if not singles:
        return otherwise
    middle = statistics.median(singles)
    near = [(a, b) for a, b in sums if b > 0 and abs(a / b / middle - 1) < TOLERANCE]
    return sum(a for a, _ in near) / sum(b for _, b in near) if near else middle


def scaled_size(picture: Size, share: float, factor: int) -> Size:
    """Returns a size of about this share of the picture's sides, in multiples of `factor`."""
    return Size(
        max(factor, round(picture.width * share / factor) * factor),
        max(factor, round(picture.height * share / factor) * factor),
    )


def kept_as_sent(other: Size, ratio: tuple[float, float], sent: Size) -> bool:
    """Whether the numbers changed in proportion to the picture."""
    expected = other.width / sent.width, other.height / sent.height
    return all(abs(math.log(r / e)) < TOLERANCE for r, e in zip(ratio, expected, strict=True))


def is_flat(ratio: tuple[float, float]) -> bool:
    """Whether the numbers did not change."""
    return all(abs(math.log(r)) < TOLERANCE for r in ratio)


def fit_limits(sent: Size, others: Sequence[tuple[Size, tuple[float, float]]], factor: int) -> Sizing:
    """Returns the limits that explain the answers to pictures of several sizes.

    `others` are those sizes, each with the ratio of its numbers, across and down, to those of the picture as sent. Limits on a
    grid are tried with Qwen's own resizing, first one limit, then two. If limits that explain the answers equally well lead to
    clearly different sizes, the verdict is `unknown`.
    """
    cell = factor * factor
    one = [(0.0, area) for area in _AREAS] + [(area, _NONE) for area in _AREAS]
    two = [(low, high) for low in _COARSE for high in _COARSE if low < high]
    for limits in (one, two):
        tried = [_error_of(sent, others, factor, low * cell, high * cell) for low, high in limits]
        best = min(off for off, _, _, _ in tried)
        if best > TOLERANCE:
            continue
        good = [each for each in tried if each[0] <= best + 0.01]
        spans = [
            math.log(max(sizes) / min(sizes)) for sizes in zip(*((e[1].width, e[1].height) for e in good), strict=True)
        ]
        if max(spans) > TOLERANCE:
            return Sizing("unknown", sent)
        _, size, low, high = good[len(good) // 2]
        return Sizing("resized", size, int(low), 0 if high >= _NONE else int(high))
    return Sizing("unknown", sent)


def _error_of(
    sent: Size, others: Sequence[tuple[Size, tuple[float, float]]], factor: int, low: float, high: float
) -> tuple[float, Size, float, float]:
    """Returns the largest error (log of a ratio) if the server had these limits, the resized size of the picture, the limits."""
    made = smart_size(sent, factor, int(low), int(high))
    off = 0.0
    for size, (across, down) in others:
        other = smart_size(size, factor, int(low), int(high))
        off = max(
            off, abs(math.log(other.width / made.width / across)), abs(math.log(other.height / made.height / down))
        )
    return off, made, low, high


_PIECES = re.compile(r"\d|[A-Za-z]+|[^\sA-Za-z\d]+|\n+")


def tokens_expected(text: str, picture: Size, patch: int) -> tuple[float, float]:
    """Returns the lowest and highest number of prompt tokens expected for a text and a picture that was not resized.

    The text's tokens are estimated from its words, digits and punctuation, within 25 %: Qwen's tokenizer splits numbers into
    digits.
    """
    image = (picture.width / patch) * (picture.height / patch)
    words = len(_PIECES.findall(text))
    return image + 0.75 * words, image + 1.35 * words + 60
