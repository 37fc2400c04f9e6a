"""How well a calibration holds on rows that nothing was chosen on: coverage, widths, reliability, precision and recall."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.calibrate.fit import COUNTS, ROWS_OF, SIZES, counted, features_of
from evals.calibrate.observed import AnswerRow, RegionRow
from t2s_agent.calibration import LEVEL, MEASURED, Loaded, Measured, Prompts

Floats = NDArray[np.float64]
_SURE = 0.95  # of the binomial interval of a coverage
_BINS = 10  # of the reliability curve, of one width
_FEWEST = 10  # rows of a slice that is shown


@dataclass(frozen=True, slots=True)
class Held:
    """How often intervals of a slice held the truth. `half_width` is the median, relative to the value.

    `low` and `high` are the 95 % interval of the coverage (Wilson's, which takes the rows to be independent: they are not quite).
    """

    what: str
    prompts: str
    slice: str
    n: int
    before: float
    before_half_width: float
    covered: float
    half_width: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the level lies within the interval of the coverage, or below it."""
        return self.high >= LEVEL

    @property
    def wide(self) -> bool:
        """Whether more is covered than the level, surely: the interval is wider than it has to be."""
        return self.low > LEVEL


def wilson(held: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n."""
    if not n:
        return 0.0, 1.0
    z, p = 1.959964, held / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def held(what: str, prompts: str, name: str, errors: Floats, before: Floats, after: Floats) -> Held:
    """A row of the table. All relative to the value: the real errors, the half-widths before and after."""
    inside = errors <= after + 1e-12
    low, high = wilson(int(inside.sum()), len(errors))
    return Held(
        what=what,
        prompts=prompts,
        slice=name,
        n=len(errors),
        before=float((errors <= before + 1e-12).mean()),
        before_half_width=float(np.median(before)),
        covered=float(inside.mean()),
        half_width=float(np.median(after)),
        low=low,
        high=high,
    )


def of_measure(rows: Sequence[RegionRow], measure: Measured, prompts: Prompts, loaded: Loaded) -> list[Held]:
    """Coverage of one measure of regions with true objects: pooled, by size, by class, by kind of question."""
    known = [row for row in rows if row.true and row.true.get(measure) and getattr(row, measure)]
    found = [(row, loaded.widths(prompts, features_of(row))) for row in known]
    given = [(row, widths[measure]) for row, widths in found if widths and measure in widths]
    if len(given) < _FEWEST:
        return []
    own = [row for row, _ in given]
    after = np.array([width for _, width in given])
    errors = np.array([abs(row.true[measure] / getattr(row, measure) - 1) for row in own if row.true])
    before = np.array([row.pixel_only.get(measure, 0.0) / getattr(row, measure) for row in own])
    table = []
    for name, chosen in slices(own):
        if chosen.sum() >= _FEWEST:
            table.append(held(measure, prompts, name, errors[chosen], before[chosen], after[chosen]))
    return table


def slices(rows: Sequence[RegionRow]) -> Iterable[tuple[str, NDArray[np.bool_]]]:
    """All rows, then those of each range of sizes, of each class, of each kind of question."""
    yield "all", np.ones(len(rows), bool)
    ranges = np.searchsorted(SIZES, [row.area for row in rows], side="right")
    edges = [0, *SIZES, math.inf]
    for i in range(len(SIZES) + 1):
        yield f"size {edges[i]:g} to {edges[i + 1]:g} px", ranges == i
    yield "at the edge", np.array([row.touches_edge for row in rows], bool)
    groups = {"class": [row.category for row in rows], "kind": [row.kind for row in rows]}
    for group, listed in groups.items():
        values = np.array(listed)
        if len(set(values.tolist())) > 1:
            for value in sorted(set(values.tolist())):
                yield f"{group} {value}", values == value


def of_totals(answers: Sequence[AnswerRow], loaded: Loaded) -> list[Held]:
    """Coverage of the total area of answers; half-widths relative to what was found (of answers that found something)."""
    rows = counted(answers)

    def table(name: str, own: Sequence[AnswerRow]) -> list[Held]:
        if len(own) < _FEWEST:
            return []
        value = np.array([row.area or VIEW * row.view_area for row in own])
        errors = np.array([abs(row.true_area - row.area) for row in own]) / value
        before = np.array([row.pixel_only for row in own]) / value
        after = np.array([loaded.total_area(row.found, row.area, row.view_area) or 0.0 for row in own]) / value
        return [held("total", "model", name, errors, before, after)]

    return [each for name, own in _by_count(rows) for each in table(name, own)]


VIEW = 0.01  # of the view's area: what the half-width is relative to where nothing was found


def of_counts(answers: Sequence[AnswerRow], loaded: Loaded) -> list[Held]:
    """Coverage of the count. Before, a count was bare: it held where it was right. The half-width is that of the range, over the count."""
    rows = counted(answers)

    def table(name: str, own: Sequence[AnswerRow]) -> list[Held]:
        if len(own) < _FEWEST:
            return []
        ranges = [loaded.count(row.found) or (0, 0) for row in own]
        inside = np.array([low <= row.true_count <= high for row, (low, high) in zip(own, ranges, strict=True)])
        low, high = wilson(int(inside.sum()), len(own))
        return [
            Held(
                what="count",
                prompts="model",
                slice=name,
                n=len(own),
                before=float(np.mean([row.found == row.true_count for row in own])),
                before_half_width=0.0,
                covered=float(inside.mean()),
                half_width=float(
                    np.median([(b - a) / 2 / max(1, row.found) for row, (a, b) in zip(own, ranges, strict=True)])
                ),
                low=low,
                high=high,
            )
        ]

    return [each for name, own in _by_count(rows) for each in table(name, own)]


def _by_count(rows: Sequence[AnswerRow]) -> Iterable[tuple[str, list[AnswerRow]]]:
    yield "all", list(rows)
    edges = [0, *COUNTS, math.inf]
    for i in range(len(COUNTS) + 1):
        yield f"found {edges[i]:g} to {edges[i + 1] - 1:g}", [r for r in rows if edges[i] <= r.found < edges[i + 1]]
    for kind in sorted({row.kind for row in rows}):
        yield f"kind {kind}", [row for row in rows if row.kind == kind]


def all_of(regions: Sequence[RegionRow], answers: Sequence[AnswerRow], loaded: Loaded) -> list[Held]:
    """The whole table."""
    table: list[Held] = []
    for prompts, name in ROWS_OF.items():
        own = [row for row in regions if row.prompts == name]
        for measure in MEASURED:
            table += of_measure(own, measure, prompts, loaded)
    return [*table, *of_totals(answers, loaded), *of_counts(answers, loaded)]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of each range of said probabilities how many there are, their mean, and the share that is right; and ECE, the mean difference."""

    ece: float
    bins: tuple[tuple[int, float, float], ...]


def reliability(chances: Floats, right: NDArray[np.bool_]) -> Reliability:
    """The reliability curve in ten ranges of one width. ECE after Naeini et al. 2015."""
    index = np.minimum((chances * _BINS).astype(int), _BINS - 1)
    bins = tuple(
        (int(own.sum()), float(chances[own].mean()), float(right[own].mean()))
        for own in (index == i for i in range(_BINS))
        if own.any()
    )
    ece = sum(n * abs(said - was) for n, said, was in bins) / max(1, len(chances))
    return Reliability(ece, bins)


@dataclass(frozen=True, slots=True)
class Cut:
    """Regions above a cut: their number, the share that is right, and the share of true objects that they are."""

    kept: int
    precision: float
    recall: float
    f1: float


def at_cut(chances: Floats, right: NDArray[np.bool_], objects: int, cut: float) -> Cut:
    """`objects`: the number of true ones. Precision of no regions is 1."""
    kept = chances >= cut
    hits = int(right[kept].sum())
    return Cut(
        int(kept.sum()),
        hits / int(kept.sum()) if kept.any() else 1.0,
        hits / objects if objects else 0.0,
        2 * hits / (int(kept.sum()) + objects) if kept.any() or objects else 1.0,
    )


def per_class(rows: Sequence[RegionRow], answers: Sequence[AnswerRow], chances: Floats, cut: float) -> Cut:
    """Mean over classes of precision and recall at a cut: no class counts for its number of objects."""
    found = []
    right = np.array([row.true is not None for row in rows], bool)
    for category in sorted({row.category for row in answers if row.true_count}):
        own = np.array([row.category == category for row in rows], bool)
        objects = sum(row.true_count for row in answers if row.category == category and row.known)
        found.append(at_cut(chances[own], right[own], objects, cut))
    if not found:
        return Cut(0, 1.0, 0.0, 1.0)
    names = ("precision", "recall", "f1")
    return Cut(sum(each.kept for each in found), *(float(np.mean([getattr(c, n) for c in found])) for n in names))
