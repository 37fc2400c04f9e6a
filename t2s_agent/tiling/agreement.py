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
_CLEAR_IOU = (
    0.7  # a match at least as good is sure; one below only if its outlines are within the tolerance nearly everywhere
)
_CLEAR_CLOSENESS = 0.8
_NEAR_MISS = 0.3  # two parts that have no match, and are at least this close, can be one object


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
            pairs[i, j] = Match(i, j, value, value >= _CLEAR_IOU or _is_clear(ps[i], qs[j]))
    left_p, left_q = _left_over(ps, qs, pairs), _left_over(qs, ps, _turned(pairs))
    for a, b in _near([part.mask for part in left_p], [part.mask for part in left_q]):
        if (value := _iou(left_p[a].mask, left_q[b].mask)) >= threshold:
            pair = left_p[a].piece, left_q[b].piece
            pairs.setdefault(pair, Match(*pair, value, True))
    left_p, left_q = _left_over(ps, qs, pairs, inside), _left_over(qs, ps, _turned(pairs), inside)
    weak, alone_p, alone_q, disputes = _by_closeness(left_p, left_q)
    for match in weak:
        pairs.setdefault((match.first, match.second), match)
    disputes |= _contained(alone_p, ps, qs, pairs) | _claimed_twice(ps, qs, pairs, inside)
    turned = _contained(alone_q, qs, ps, _turned(pairs)) | _claimed_twice(qs, ps, _turned(pairs), inside)
    disputes |= {(i, j) for j, i in turned}
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


def _by_closeness(
    left_p: Sequence[_Part], left_q: Sequence[_Part]
) -> tuple[list[Match], list[_Part], list[_Part], set[tuple[int, int]]]:
    """Matches parts one to one, best first; then the parts that have no match, and the pieces of those that nearly match."""
    found = []
    for a, b in _near([part.mask for part in left_p], [part.mask for part in left_q]):
        p, q = left_p[a].mask, left_q[b].mask
        if (closeness := _closeness(p, q)) >= _NEAR_MISS:
            found.append((-_iou(p, q), -closeness, _distance(p, q), a, b))
    found.sort()
    matches: list[Match] = []
    used_p: set[int] = set()
    used_q: set[int] = set()
    for iou, closeness, _, a, b in found:
        if a not in used_p and b not in used_q and -closeness >= COVERED:
            used_p.add(a)
            used_q.add(b)
            rival = max((-other for other, _, _, c, d in found if (c == a) != (d == b)), default=0.0)
            sure = -closeness >= _CLEAR_CLOSENESS and rival < -iou / 2
            matches.append(Match(left_p[a].piece, left_q[b].piece, -iou, sure))
    return (
        matches,
        [part for a, part in enumerate(left_p) if a not in used_p],
        [part for b, part in enumerate(left_q) if b not in used_q],
        {(left_p[a].piece, left_q[b].piece) for *_, a, b in found if a not in used_p and b not in used_q},
    )


def _closeness(p: Mask, q: Mask) -> float:
    """The share of two masks that is near the other one, the smaller of the two. Near: `OUTLINE_PX`, less for small masks."""
    by = min(OUTLINE_PX, max(p.pixels.shape), max(q.pixels.shape))
    return min(p.shared(grown(q, by)) / p.area, q.shared(grown(p, by)) / q.area)


def _is_clear(p: Mask, q: Mask) -> bool:
    """Whether two pieces with a low IoU are surely one object: by their outlines, or as some of their parts are the same."""
    if _closeness(p, q) >= _CLEAR_CLOSENESS:
        return True
    return any(_iou(a, b) >= _CLEAR_IOU for a in parts_of(p) for b in parts_of(q))


def _distance(a: Mask, b: Mask) -> float:
    """Between the centres of the boxes."""
    ends = np.array(a.bounds) - np.array(b.bounds)
    return float(np.hypot(ends[0] + ends[2], ends[1] + ends[3]) / 2)


def _contained(
    alone: Sequence[_Part], ps: Sequence[Mask], qs: Sequence[Mask], pairs: Collection[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Parts without a match that lie in a piece of the other tile, which matched a different piece of their tile.

    Not those that are so thin that outlines can differ by that, nor where the two pieces lie on each other in their own tile too:
    a house on its plot.
    """
    partners: dict[int, list[int]] = {}
    for i, j in pairs:
        partners.setdefault(j, []).append(i)
    found = set()
    for part in alone:
        if min(part.mask.pixels.shape) <= OUTLINE_PX:
            continue
        for j, others in partners.items():
            if part.piece in others or part.mask.shared(qs[j]) < COVERED * part.area:
                continue
            if all(part.mask.shared(ps[other]) < COVERED * part.area for other in others):
                found.add((part.piece, j))
    return found


def _claimed_twice(
    ps: Sequence[Mask], qs: Sequence[Mask], pairs: Collection[tuple[int, int]], inside: Box
) -> set[tuple[int, int]]:
    """Matches of several pieces `ps` with one connected part of a piece of `qs`."""
    partners: dict[int, list[int]] = {}
    for i, j in pairs:
        partners.setdefault(j, []).append(i)
    found: set[tuple[int, int]] = set()
    for j, several in partners.items():
        for part in parts_of(cropped(qs[j], inside)) if len(several) > 1 else ():
            claims = [i for i in several if part.shared(ps[i]) >= COVERED / 2 * min(part.area, ps[i].area)]
            found |= {(i, j) for i in claims if len(claims) > 1}
    return found


def cropped(mask: Mask, box: Box) -> Mask:
    """The part of a mask inside a box."""
    x1, y1, x2, y2 = box
    left, top = max(x1, mask.x), max(y1, mask.y)
    right, bottom = min(x2, mask.x + mask.width), min(y2, mask.y + mask.height)
    if left >= right or top >= bottom:
        return Mask.of(np.zeros((0, 0), bool))
    return Mask.of(mask.pixels[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x], left, top)
