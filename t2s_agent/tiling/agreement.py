"""Decides which pieces of two tiles show one object, from the pixels that both tiles saw."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from t2s_agent.mask import Mask
from t2s_agent.tiling.parts import grown, parts_of
from t2s_agent.tiling.windows import Box

# Outlines of one object in two tiles can be this far apart, in pixels: twice the largest difference from the truth that was tried, 6 px
OUTLINE_PX = 12
COVERED = 0.5  # share of a part that has to lie on or near another one
_CLEAR_IOU = 0.3  # a match below is not sure


@dataclass(frozen=True, slots=True)
class Match:
    """Piece `first` of one tile and piece `second` of the other show one object (positions in their lists)."""

    first: int
    second: int
    iou: float
    sure: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two tiles agree on; `disputes` are pairs where one tile sees one object and the other sees several."""

    matches: tuple[Match, ...]
    disputes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    piece: int
    mask: Mask
    area: int


def compare(ps: Sequence[Mask], qs: Sequence[Mask], inside: Box, threshold: float) -> Comparison:
    """Compares the pieces of two tiles, each cropped to the pixels that both tiles saw.

    1. Two pieces match if their IoU is at least `threshold`.
    2. What is left over is compared by connected parts: two parts with such an IoU match their pieces.
    3. What is then left over is compared by connected parts in `inside`: the shared pixels without a margin at the edges of the
       tiles, so that a bend that one tile just sees does not connect two parts. Parts are matched one to one, best first, if at
       least half of each is no further than `OUTLINE_PX` from the other.
    """
    pairs: dict[tuple[int, int], Match] = {}
    for i, j in _near(ps, qs):
        if (value := _iou(ps[i], qs[j])) >= threshold:
            pairs[i, j] = Match(i, j, value, True)
    left_p, left_q = _left_over(ps, qs, pairs), _left_over(qs, ps, _turned(pairs))
    for a, b in _near([part.mask for part in left_p], [part.mask for part in left_q]):
        if (value := _iou(left_p[a].mask, left_q[b].mask)) >= threshold:
            pair = left_p[a].piece, left_q[b].piece
            pairs.setdefault(pair, Match(*pair, value, True))
    left_p, left_q = _left_over(ps, qs, pairs, inside), _left_over(qs, ps, _turned(pairs), inside)
    weak, used_p, used_q = _by_closeness(left_p, left_q)
    for match in weak:
        pairs.setdefault((match.first, match.second), match)
    disputes = _disputes([p for a, p in enumerate(left_p) if a not in used_p], ps, qs, pairs)
    turned = _disputes([q for b, q in enumerate(left_q) if b not in used_q], qs, ps, _turned(pairs))
    disputes |= {(i, j) for j, i in turned} | _doubly_matched(ps, qs, pairs)
    return Comparison(tuple(pairs[pair] for pair in sorted(pairs)), tuple(sorted(disputes)))


def _turned(pairs: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(j, i) for i, j in pairs]


def _iou(a: Mask, b: Mask) -> float:
    shared = a.shared(b)
    return shared / (a.area + b.area - shared) if shared else 0.0


def _near(ps: Sequence[Mask], qs: Sequence[Mask]) -> list[tuple[int, int]]:
    """Pairs with boxes no further apart than `OUTLINE_PX`."""
    if not ps or not qs:
        return []
    a = np.array([p.bounds for p in ps])[:, None]
    b = np.array([q.bounds for q in qs])[None]
    close = (a[..., :2] < b[..., 2:] + OUTLINE_PX) & (b[..., :2] < a[..., 2:] + OUTLINE_PX)
    return [(int(i), int(j)) for i, j in np.argwhere(close.all(2))]


def _left_over(
    ps: Sequence[Mask], qs: Sequence[Mask], pairs: Collection[tuple[int, int]], inside: Box | None = None
) -> list[_Part]:
    """The connected parts of `ps` that are not covered by pieces they matched."""
    partners: dict[int, list[Mask]] = {}
    for i, j in pairs:
        partners.setdefault(i, []).append(qs[j])
    left = []
    for i, mask in enumerate(ps):
        for part in (inside and parts_of(cropped(mask, inside))) or parts_of(mask):
            area = part.area
            if all(part.shared(partner) < COVERED * area for partner in partners.get(i, ())):
                left.append(_Part(i, part, area))
    return left


def _by_closeness(left_p: Sequence[_Part], left_q: Sequence[_Part]) -> tuple[list[Match], set[int], set[int]]:
    """Matches parts one to one, best first; and the positions of the parts that were matched."""
    found = []
    for a, b in _near([part.mask for part in left_p], [part.mask for part in left_q]):
        closeness, iou = _closeness(left_p[a], left_q[b])
        if closeness >= COVERED:
            found.append((iou, closeness, -_distance(left_p[a].mask, left_q[b].mask), a, b))
    found.sort(key=lambda each: (-each[0], -each[1], -each[2], each[3], each[4]))
    matches: list[Match] = []
    used_p: set[int] = set()
    used_q: set[int] = set()
    for iou, _, _, a, b in found:
        if a not in used_p and b not in used_q:
            used_p.add(a)
            used_q.add(b)
            rival = max((other for other, _, _, c, d in found if (c == a) != (d == b)), default=0.0)
            matches.append(Match(left_p[a].piece, left_q[b].piece, iou, iou >= _CLEAR_IOU and rival < iou / 2))
    return matches, used_p, used_q


def _closeness(p: _Part, q: _Part) -> tuple[float, float]:
    """The smaller share of two parts that is near the other, and their IoU."""
    by = max(1, min(OUTLINE_PX, max(*p.mask.pixels.shape) // 2, max(*q.mask.pixels.shape) // 2))
    near_q, near_p = p.mask.shared(grown(q.mask, by)), q.mask.shared(grown(p.mask, by))
    shared = p.mask.shared(q.mask)
    return min(near_q / p.area, near_p / q.area), shared / (p.area + q.area - shared)


def _distance(a: Mask, b: Mask) -> float:
    """Between the centres of the boxes."""
    ends = np.array(a.bounds) - np.array(b.bounds)
    return float(np.hypot(ends[0] + ends[2], ends[1] + ends[3]) / 2)


def _disputes(
    left: Sequence[_Part], ps: Sequence[Mask], qs: Sequence[Mask], pairs: Collection[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Parts that are left over, and lie in a piece of the other tile that matched a different piece of theirs.

    No dispute where these two pieces lie on each other in their own tile too: a house on its plot.
    """
    partners: dict[int, list[int]] = {}
    for i, j in pairs:
        partners.setdefault(j, []).append(i)
    found = set()
    for part in left:
        for j, others in partners.items():
            if part.piece in others or part.mask.shared(qs[j]) < COVERED * part.area:
                continue
            if all(part.mask.shared(ps[other]) < COVERED * part.area for other in others):
                found.add((part.piece, j))
    return found


def _doubly_matched(ps: Sequence[Mask], qs: Sequence[Mask], pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Matches of two pieces of one tile with one connected part of a piece of the other tile."""
    found: set[tuple[int, int]] = set()
    for turned in (False, True):
        partners: dict[int, list[int]] = {}
        for i, j in pairs:
            partners.setdefault(i if turned else j, []).append(j if turned else i)
        ones, others = (ps, qs) if turned else (qs, ps)
        for one, several in partners.items():
            if len(several) < 2:
                continue
            for part in parts_of(ones[one]):
                claims = [i for i in several if part.shared(others[i]) >= COVERED / 2 * min(part.area, others[i].area)]
                if len(claims) > 1:
                    found |= {(one, i) if turned else (i, one) for i in claims}
    return found


def cropped(mask: Mask, box: Box) -> Mask:
    """The part of a mask inside a box."""
    x1, y1, x2, y2 = box
    left, top = max(x1, mask.x), max(y1, mask.y)
    right, bottom = min(x2, mask.x + mask.width), min(y2, mask.y + mask.height)
    if left >= right or top >= bottom:
        return Mask.of(np.zeros((0, 0), bool))
    return Mask.of(mask.pixels[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x], left, top)
