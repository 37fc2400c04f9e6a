"""Metrics as ratios of sums over samples, with intervals and comparisons drawn over clusters of samples that belong together.

Every metric of this project is one sum over another: a mean is a sum over a count, cIoU the sum of intersections over that of
unions. So a resampled metric needs only each cluster's two sums, and 2,000 resamples of 10,000 samples take about a second.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Chunk = tuple[
    Sequence[str], Mapping[str, tuple[Sequence[float], Sequence[float]]]
]  # labels, and the parts of each metric
RESAMPLES = 2000
LEVEL = 0.95
LEAST_CLUSTERS = 10  # with fewer that have something to divide by, resampling says too little for an interval
_AT_ONCE = 2**21  # weights held at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric of which samples were drawn: `value`, and the bounds within which it lies at the stated level.

    `value` is None where there is nothing to divide by. The bounds are None also where fewer than `LEAST_CLUSTERS` clusters
    have something to divide by, and where all resamples agree (12 right of 12 is no proof of 100 %). `spread` is the standard deviation over draws of the questions, None where there was one draw.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    draws: int = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run b less run a over the same samples: difference with its interval, and two p-values (two-sided).

    `p_bootstrap` is twice the share of resampled differences on the other side of zero; `p_permutation` is the share of
    random exchanges of the two runs' clusters that give a difference at least as large.
    """

    difference: float | None
    low: float | None
    high: float | None
    p_bootstrap: float | None
    p_permutation: float | None
    clusters: int


@dataclass(frozen=True, slots=True, eq=False)
class Ratios:
    """Named ratios: `top` and `bottom` are (metric, draw, cluster) sums. A metric is the mean over draws of top / bottom."""

    names: tuple[str, ...]
    clusters: tuple[str, ...]
    top: Floats
    bottom: Floats

    @classmethod
    def of(cls, draws: Sequence[Chunk]) -> "Ratios":
        """From each draw's samples: the cluster of each, and by metric's name what each adds above and below."""
        clusters = {cluster for labels, _ in draws for cluster in labels}
        return cls.summed(clusters, len(draws), ((d, chunk) for d, chunk in enumerate(draws)))

    @classmethod
    def summed(cls, clusters: Iterable[str], draws: int, chunks: Iterable[tuple[int, Chunk]]) -> "Ratios":
        """The same from the samples of each draw in several chunks, so that not all parts are in memory at once.

        `clusters` are those of all samples. Each chunk comes with the number of its draw; all have the same metrics.
        """
        ordered = tuple(sorted(clusters))
        place = {cluster: index for index, cluster in enumerate(ordered)}
        names: tuple[str, ...] = ()
        sums: Floats = np.zeros((2, 0, max(1, draws), len(ordered)))
        for d, (labels, metrics) in chunks:
            if not names:
                names = tuple(metrics)
                sums = np.zeros((2, len(names), max(1, draws), len(ordered)))
            where = np.array([place[label] for label in labels], np.int64)
            for m, name in enumerate(names):
                for side, parts in enumerate(metrics[name]):
                    sums[side, m, d] += np.bincount(where, np.asarray(parts, np.float64), len(ordered))
        return cls(names, ordered, *sums)

    def values(self) -> dict[str, float | None]:
        """Each metric; None where there is nothing to divide by."""
        return {name: _number(value) for name, value in zip(self.names, self._at(self.top, self.bottom), strict=True)}

    def intervals(self, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> dict[str, Interval]:
        """Each metric with its percentile interval over clusters drawn with replacement."""
        values = self.values()
        draws = self.top.shape[1]
        each = _divided(self.top.sum(-1), self.bottom.sum(-1))
        spread = each.std(1, ddof=1) if draws > 1 else np.full(len(self.names), np.nan)
        bounds = np.full((2, len(self.names)), np.nan)
        telling = self._telling()
        if telling.any():
            bounds[:, telling] = _bounds(self.resampled(resamples, seed)[:, telling], level)
            bounds[:, bounds[0] == bounds[1]] = np.nan
        return {
            name: Interval(values[name], _number(bounds[0, m]), _number(bounds[1, m]), _number(spread[m]), draws)
            for m, name in enumerate(self.names)
        }

    def resampled(self, resamples: int, seed: int) -> Floats:
        """Each metric of `resamples` draws of the clusters, (resamples, metric); nan where there is nothing to divide by."""
        rng = np.random.default_rng(seed)
        count = len(self.clusters)
        step = max(1, _AT_ONCE // max(1, count))
        parts = []
        for start in range(0, resamples, step):
            weights = rng.multinomial(count, np.full(count, 1 / count), size=min(step, resamples - start))
            weights = weights.T.astype(np.float64)  # matmul of whole numbers would not use BLAS
            parts.append(self._at(self.top @ weights, self.bottom @ weights, last=True))
        return np.concatenate(parts, axis=-1).T

    def _telling(self) -> NDArray[np.bool_]:
        """Which metrics have enough clusters for an interval."""
        found: NDArray[np.bool_] = (self.bottom.max(1) > 0).sum(-1) >= LEAST_CLUSTERS
        return found

    @staticmethod
    def _at(top: Floats, bottom: Floats, *, last: bool = False) -> Floats:
        """Mean over draws. The sums over clusters are taken here, or (`last`) have been taken with weights."""
        if not last:
            top, bottom = top.sum(-1), bottom.sum(-1)
        means: Floats = _divided(top, bottom).mean(1)
        return means


def compare(a: Ratios, b: Ratios, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Comparison]:
    """What run b is better by, metric by metric. Both have the same clusters, in which the same samples lie.

    ValueError where clusters or metrics differ: samples that only one run has must be left out before.
    """
    if a.names != b.names or a.clusters != b.clusters:
        raise ValueError("the runs have different metrics or clusters")
    differences = b._at(b.top, b.bottom) - a._at(a.top, a.bottom)
    count = len(a.clusters)
    if count < 2:
        return {
            name: Comparison(_number(d), None, None, None, None, count)
            for name, d in zip(a.names, differences, strict=True)
        }
    drawn = b.resampled(resamples, seed) - a.resampled(resamples, seed)  # one seed: the same clusters in both
    telling = a._telling() & b._telling()
    low, high = np.where(telling, _bounds(drawn, LEVEL), np.nan)
    exchanged = _exchanged(a, b, resamples, seed)
    found = {}
    for m, name in enumerate(a.names):
        one, many = drawn[:, m], exchanged[:, m]
        one, many = one[~np.isnan(one)], many[~np.isnan(many)]
        known = not np.isnan(differences[m])
        sides = min(np.count_nonzero(one <= 0), np.count_nonzero(one >= 0))
        p_bootstrap = min(1.0, 2 * (sides + 1) / (len(one) + 1)) if known and telling[m] else None
        as_large = np.count_nonzero(np.abs(many) >= abs(differences[m]) - 1e-12)
        p_permutation = (as_large + 1) / (len(many) + 1) if known else None
        found[name] = Comparison(
            _number(differences[m]), _number(low[m]), _number(high[m]), p_bootstrap, p_permutation, count
        )
    return found


def _exchanged(a: Ratios, b: Ratios, times: int, seed: int) -> Floats:
    """Differences after the runs were exchanged in a random half of the clusters, (times, metric)."""
    rng = np.random.default_rng([seed, 1])
    count = len(a.clusters)
    step = max(1, _AT_ONCE // count)
    parts = []
    for start in range(0, times, step):
        swap = rng.integers(0, 2, (count, min(step, times - start))).astype(np.float64)
        keep = 1 - swap
        first = Ratios._at(a.top @ keep + b.top @ swap, a.bottom @ keep + b.bottom @ swap, last=True)
        second = Ratios._at(b.top @ keep + a.top @ swap, b.bottom @ keep + a.bottom @ swap, last=True)
        parts.append(second - first)
    return np.concatenate(parts, axis=-1).T


def _divided(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, np.nan, dtype=np.float64), where=bottom > 0)


def _bounds(drawn: Floats, level: float) -> Floats:
    """Low and high (2, metric) of resampled metrics; nan where fewer than half of the resamples have a value."""
    bounds = np.full((2, drawn.shape[1]), np.nan)
    for m, column in enumerate(drawn.T):
        there = column[~np.isnan(column)]
        if len(there) >= len(column) / 2:
            bounds[:, m] = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return bounds


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
