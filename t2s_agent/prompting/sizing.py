"""Finds out which size a server gave a picture, from how a model's numbers change with the size that was sent.

A model that writes pixels writes those of the picture after the server's own resizing, and no server tells that size. Two
things do: the image tokens that the server counts, and the same question asked again with a smaller picture. Numbers that
shrink as the picture did come from a picture that was left alone. Where they do not, a third size tells an upper limit
from a lower one: an upper limit makes large pictures alike, a lower one small pictures.
"""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from t2s_agent.instance import Box
from t2s_agent.prompting.duplicates import box_iou
from t2s_agent.prompting.frames import Size

SMALL, MIDDLE = (
    0.34,
    0.6,
)  # of the picture's sides: 120 and 370 image tokens of 1,024. Limits below 120 are not told apart
LARGE = 2.0
TOLERANCE = 0.06  # of a ratio of lengths: one request's boxes are that near another's
_RATIOS = [0.8 * 1.04**step for step in range(44)]  # 0.8 to 4.3
_ALIKE = 0.3  # mean IoU below which two answers do not name the same objects

Verdict = Literal["kept", "shrunk", "grown", "fixed", "unclear"]


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a server does to a picture: `size` is what it made of the one sent, and `limit` the area at which it does so.

    `kept`: nothing. `shrunk`, `grown`: to a largest or smallest area. `fixed`: the numbers do not follow the size at all,
    so they are no pixels (or those of one fixed size). `unclear`: the answers do not name the same objects.
    """

    verdict: Verdict
    size: Size
    limit: int = 0


def ratio_of(many: Sequence[Box], few: Sequence[Box]) -> tuple[float, float] | None:
    """How much wider and taller the boxes of one answer are than those of another to the same question.

    None where the two do not name the same objects. The boxes need not come in one order.
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
    """The ratio of sums is less noisy than single ratios; their median ignores an object that moved."""
    sums = [(sum(a[p] for p in places), sum(b[p] for p in places)) for a, b in pairs]
    singles = [a / b for a, b in sums if b > 0]
    if not singles:
        return otherwise
    middle = statistics.median(singles)
    near = [(a, b) for a, b in sums if b > 0 and abs(a / b / middle - 1) < TOLERANCE]
    return sum(a for a, _ in near) / sum(b for _, b in near) if near else middle


def smaller(picture: Size, share: float, factor: int) -> Size:
    """A picture of about this share of the sides, in multiples of `factor`."""
    return Size(
        max(factor, round(picture.width * share / factor) * factor),
        max(factor, round(picture.height * share / factor) * factor),
    )


def kept_as_sent(sent: Size, small: Size, ratio: tuple[float, float]) -> bool:
    """Whether the numbers shrank as the picture did."""
    expected = sent.width / small.width, sent.height / small.height
    return all(abs(math.log(r / e)) < TOLERANCE for r, e in zip(ratio, expected, strict=True))


def is_flat(ratio: tuple[float, float]) -> bool:
    """Whether the numbers stayed as they were."""
    return all(abs(math.log(r)) < TOLERANCE for r in ratio)


def enlarged(sent: Size, large: Size, to_sent: tuple[float, float] | None, factor: int) -> Sizing:
    """What the server does where a small picture gave the numbers of the one sent: `to_sent` is how much larger those of a
    large picture are. It enlarged both to its smallest size; or the numbers never follow the picture's size.
    """
    if to_sent is None:
        return Sizing("unclear", sent)
    if is_flat(to_sent):
        return Sizing("fixed", sent)
    size = _multiples(large.width / to_sent[0], large.height / to_sent[1], factor)
    return Sizing("grown", size, size.width * size.height)


def sized(
    sent: Size,
    small: Size,
    middle: Size,
    to_small: tuple[float, float],
    middle_to_small: tuple[float, float],
    factor: int,
) -> Sizing:
    """What the server does, from answers to three sizes: `to_small` is how much larger the numbers of the picture as sent
    are than those of the small one, `middle_to_small` the same for the middle one.
    """
    # an upper limit leaves the small picture alone: the sent one became to_small times as large as it
    shrunk = _multiples(small.width * to_small[0], small.height * to_small[1], factor)
    # a lower limit leaves the sent one alone: the small one became the sent one divided by to_small
    grown = _multiples(sent.width / to_small[0], sent.height / to_small[1], factor)
    as_shrunk = _root_area(middle, most=shrunk) / _root_area(small, most=shrunk)
    as_grown = _root_area(middle, least=grown) / _root_area(small, least=grown)
    seen = math.sqrt(middle_to_small[0] * middle_to_small[1])
    off_shrunk, off_grown = abs(math.log(seen / as_shrunk)), abs(math.log(seen / as_grown))
    if min(off_shrunk, off_grown) > 2 * TOLERANCE:
        return Sizing("unclear", sent)
    if off_shrunk <= off_grown:
        return Sizing("shrunk", shrunk, shrunk.width * shrunk.height)
    return Sizing("grown", sent, grown.width * grown.height)


def _multiples(width: float, height: float, factor: int) -> Size:
    """The multiples of `factor` nearest to what was measured, where they are that near."""

    def near(length: float) -> int:
        whole = max(factor, round(length / factor) * factor)
        return whole if abs(whole / length - 1) < TOLERANCE / 2 else max(1, round(length))

    return Size(near(width), near(height))


def _root_area(size: Size, *, most: Size | None = None, least: Size | None = None) -> float:
    area = size.width * size.height
    if most:
        area = min(area, most.width * most.height)
    if least:
        area = max(area, least.width * least.height)
    return math.sqrt(area)


_PIECES = re.compile(r"\d|[A-Za-z]+|[^\sA-Za-z\d]+|\n+")


def tokens_expected(text: str, picture: Size, patch: int) -> tuple[float, float]:
    """Between how many prompt tokens a server should count for a text and a picture that it left alone.

    A text's tokens are estimated by its words, digits and marks, within a quarter: Qwen's tokenizer takes each digit by itself.
    """
    image = (picture.width / patch) * (picture.height / patch)
    words = len(_PIECES.findall(text))
    return image + 0.75 * words, image + 1.35 * words + 60
