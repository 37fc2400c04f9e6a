"""Rows of one half of a dataset to the tables of a calibration."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.calibrate.observed import AnswerRow, RegionRow
from t2s_agent.calibration import LEVEL, MEASURED, Features, ForPrompts, Measured, Prompts, Totals, Usual, Widths
from t2s_agent.errors import T2SError

Floats = NDArray[np.float64]
SIZES = (150.0, 1000.0)  # px: each range of sizes has a factor of its own, so that none is paid for by another
COUNTS = (1.0, 2.0, 6.0)  # the same of answers: none found, one, two to five, more
VIEW_SHARE = 0.01  # of the view's area that is added to what was found: errors of small totals do not shrink with them
PRECISION = 0.6  # of the regions above the cut: it is the lowest probability at which so many are what was asked for
ROWS_OF: dict[Prompts, str] = {"model": "model", "box": "box", "point": "point", "box_points": "off"}
_SMALL = 0.02  # added to relative errors before their logarithm is taken: smaller ones are all alike
_FEWEST = 20  # images that a factor is chosen from; a range of sizes with fewer is joined with its neighbour
_RIDGE = 1e-3
_LIMITS = (0.01, 0.99)  # quantiles of a feature: what lies beyond is taken as the limit


def features_of(row: RegionRow) -> Features:
    """What the product knows of the same region."""
    return Features.of(row.area, row.score, row.softness, row.touches_edge)


def conformal(scores: Floats, level: float = LEVEL, groups: int | None = None) -> float:
    """The ceil((n + 1) * level)-th smallest score: at least a share `level` of exchangeable new scores is not above it.

    Scores of one image are alike. With `groups`, the number of images that they come from, a new image counts as one more of these, and
    not a new score as one more of n: a share (groups + 1) / groups * level of the scores is taken (the correction of hierarchical
    conformal prediction, Lee, Barber and Willett 2023, with the same weight for each score). Raises `argument_invalid` where there are
    too few scores for the level.
    """
    n = len(scores)
    rank = math.ceil((n + 1 if groups is None else n * (groups + 1) / max(1, groups)) * level - 1e-9)
    if rank > n:
        raise T2SError(
            "argument_invalid",
            f"{n} values of {n if groups is None else groups} images are too few for a level of {level:g}",
            f"At least {math.ceil(level / (1 - level))} are needed",
        )
    return float(np.sort(scores)[max(1, rank) - 1])


def widths(rows: Sequence[RegionRow], measure: Measured) -> Widths | None:
    """The half-widths of a measure from regions with their true objects; None for too few of them."""
    known = [row for row in rows if row.true and row.true.get(measure) and getattr(row, measure)]
    if len({row.source for row in known}) < _FEWEST:
        return None
    errors = np.array([abs(row.true[measure] / getattr(row, measure) - 1) for row in known if row.true])
    features = np.array([features_of(row).values() for row in known])
    usual = least_absolute(features, np.log(errors + _SMALL))
    scores = errors / np.exp([usual.at(features_of(row)) for row in known])
    images = np.array([row.source for row in known])
    edges = _edges(np.array([row.area for row in known]), SIZES, images)
    ranges = np.searchsorted(edges, [row.area for row in known], side="right")
    parts = [ranges == i for i in range(len(edges) + 1)]
    return Widths(
        usual=usual,
        edges=edges,
        factors=tuple(conformal(scores[part], groups=len(set(images[part]))) for part in parts),
        n=tuple(int(part.sum()) for part in parts),
    )


def _edges(values: Floats, edges: Sequence[float], images: NDArray[np.str_]) -> tuple[float, ...]:
    """The edges between ranges of which each holds values of enough images; those beside a range with too few are dropped."""
    kept = list(edges)
    while kept:
        ranges = np.searchsorted(kept, values, side="right")
        counts = [len(set(images[ranges == i])) for i in range(len(kept) + 1)]
        poor = int(np.argmin(counts))
        if counts[poor] >= _FEWEST:
            break
        kept.pop(min(poor, len(kept) - 1))
    return tuple(kept)


def least_absolute(features: Floats, wanted: Floats) -> Usual:
    """The linear model of least absolute deviations, by reweighted least squares. `features` (n, k), `wanted` (n,)."""
    scaled, mean, deviation = _scaled(features)
    weight = np.ones(len(wanted))
    found: Floats = np.zeros(0)
    for _ in range(60):
        gram = scaled.T @ (weight[:, None] * scaled) + _ridge(scaled, _RIDGE * len(wanted))
        found = np.asarray(np.linalg.solve(gram, scaled.T @ (weight * wanted)), np.float64)
        weight = 1 / np.maximum(np.abs(wanted - scaled @ found), 1e-3)
        weight = weight / weight.mean()
    return _usual(found, mean, deviation, features)


def logistic(features: Floats, right: NDArray[np.bool_]) -> Usual:
    """Platt's calibration on several features: logistic regression by Newton's method, with a ridge of 1."""
    scaled, mean, deviation = _scaled(features)
    ridge = _ridge(scaled, 1.0)
    found = np.zeros(scaled.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-scaled @ found))
        hessian = scaled.T @ (scaled * (chance * (1 - chance))[:, None]) + ridge
        found = found + np.linalg.solve(hessian, scaled.T @ (right - chance) - ridge @ found)
    return _usual(found, mean, deviation, features)


def _scaled(features: Floats) -> tuple[Floats, Floats, Floats]:
    """With a column of ones, each feature of mean 0 and deviation 1; the means and the deviations."""
    mean, deviation = features.mean(0), np.maximum(features.std(0), 1e-6)
    return np.column_stack([np.ones(len(features)), (features - mean) / deviation]), mean, deviation


def _ridge(scaled: Floats, size: float) -> Floats:
    ridge: Floats = size * np.eye(scaled.shape[1])
    ridge[0, 0] = 0.0  # not of the intercept
    return ridge


def _usual(found: Floats, mean: Floats, deviation: Floats, features: Floats) -> Usual:
    weights = found[1:] / deviation
    low, high = np.quantile(features, _LIMITS, axis=0)
    return Usual(
        intercept=float(found[0] - weights @ mean),
        weights=tuple(weights.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def for_prompts(rows: Sequence[RegionRow]) -> dict[Prompts, ForPrompts]:
    """The tables of each source of prompts that there are enough rows of."""
    found: dict[Prompts, ForPrompts] = {}
    for prompts, name in ROWS_OF.items():
        own = [row for row in rows if row.prompts == name]
        measures = {measure: each for measure in MEASURED if (each := widths(own, measure)) is not None}
        if "area" in measures:
            found[prompts] = ForPrompts(measures=measures)
    return found


def probability(rows: Sequence[RegionRow]) -> Usual | None:
    """The probability of a region of the model's own prompts to be what was asked for; None where all are, or none is."""
    own = [row for row in rows if row.prompts == "model"]
    right = np.array([row.true is not None for row in own], bool)
    if len(own) < _FEWEST or right.all() or not right.any():
        return None
    return logistic(np.array([features_of(row).values() for row in own]), right)


def cut_of(chances: Floats, right: NDArray[np.bool_], precision: float = PRECISION) -> float | None:
    """The lowest probability (a multiple of 0.05) from which on a share `precision` of the regions is right; None without one."""
    for cut in np.arange(1, 20) / 20:
        kept = chances >= cut
        if kept.any() and right[kept].mean() >= precision:
            return float(cut)
    return None


def counted(answers: Sequence[AnswerRow]) -> list[AnswerRow]:
    """The answers that say how much there is: of which the truth is known, and which were given and understood."""
    return [row for row in answers if row.known and row.status in ("found", "empty")]


def totals(answers: Sequence[AnswerRow]) -> Totals | None:
    """The table of totals and counts; None for too few answers."""
    known = counted(answers)
    images = np.array([row.source for row in known])
    if len(set(images)) < 2 * _FEWEST:
        return None
    found = np.array([row.found for row in known], np.float64)
    edges = _edges(found, COUNTS, images)
    ranges = np.searchsorted(edges, found, side="right")
    area = np.array([abs(row.true_area - row.area) / (row.area + VIEW_SHARE * row.view_area) for row in known])
    more = np.array([(row.true_count + 1) / (row.found + 1) for row in known])
    parts = range(len(edges) + 1)
    half = (1 + LEVEL) / 2  # each end may be wrong in half of the cases that are left
    many = [len(set(images[ranges == i])) for i in parts]
    return Totals(
        edges=edges,
        view_share=VIEW_SHARE,
        area_factors=tuple(conformal(area[ranges == i], groups=many[i]) for i in parts),
        count_low=tuple(1 / conformal(1 / more[ranges == i], half) for i in parts),
        count_high=tuple(conformal(more[ranges == i], half) for i in parts),
        n=tuple(int((ranges == i).sum()) for i in parts),
    )
