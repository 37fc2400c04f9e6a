"""Rows to a protocol's numbers: whole, by slices, and one run against another."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evals.metrics.ratios import RESAMPLES, Chunk, Comparison, Interval, Ratios, compare
from evals.metrics.row import Row
from evals.protocols.protocol import Parts, Protocol
from t2s_agent.errors import T2SError

_AT_ONCE = 1000  # rows
SMALL_PX, MEDIUM_PX = 32**2, 96**2  # COCO's borders between small, medium and large objects
GSD_BORDERS_M = (0.3, 1.0, 5.0)
SLICES = ("target", "category", "size", "gsd", "question kind")
FACTS = (
    "format rate",  # answers that can be read
    "false refusals",  # answers "not understood" to questions for what models are taught
    "right refusals",  # the same to questions for what they are not (question_kind "untaught")
    "instances",
    "count error",  # mean absolute error
    "area error",  # sum of absolute errors over the sum of true areas
    "area bias",  # the same with sign
    "tokens",
    "seconds",
    "segment seconds",
)


@dataclass(frozen=True, slots=True)
class Scores:
    """A protocol's numbers over `samples` rows of one draw, `empty` of them without a target.

    `unknown` further rows have no known truth. All lie in `clusters` clusters.
    """

    protocol: str
    samples: int
    empty: int
    unknown: int
    clusters: int
    metrics: dict[str, Interval]


def score(rows: Sequence[Row], protocol: Protocol, *, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """The protocol's metrics and the facts that belong to no protocol (`FACTS`), with intervals over clusters.

    With `resamples` 0 there are no intervals. Raises `argument_invalid` where an id occurs twice.
    """
    _require_unique(rows)
    chosen = _drawn(rows, protocol)
    ratios = _ratios(chosen, protocol)
    metrics = (
        ratios.intervals(resamples=resamples, seed=seed)
        if resamples
        else {name: Interval(value) for name, value in ratios.values().items()}
    )
    known = [row for row in chosen[0] if row.known]
    empty = sum(row.truth_is_empty for row in known)
    return Scores(protocol.name, len(known), empty, len(chosen[0]) - len(known), len(ratios.clusters), metrics)


def compare_runs(
    a: Sequence[Row], b: Sequence[Row], protocol: Protocol, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Comparison]:
    """What run b is better by than run a, over the same samples.

    Raises `argument_invalid` where the runs hold different samples, or the same with another truth.
    """
    for rows in (a, b):
        _require_unique(rows)
    first, second = ({row.id: row for row in rows} for rows in (a, b))
    if first.keys() != second.keys():
        few = sorted(first.keys() ^ second.keys())
        raise T2SError(
            "argument_invalid",
            f"{len(few)} samples are in one run only, for example {few[0]}",
            "Compare runs over the same samples: finish both, or score both with the same --limit",
        )
    for key, row in first.items():
        if row.grids["original"].answer.truth != second[key].grids["original"].answer.truth:
            raise T2SError(
                "argument_invalid", f"the truth of {key} differs between the runs", "Score both on one dataset"
            )
    order = sorted(first)
    parts = [_ratios(_drawn([rows[key] for key in order], protocol), protocol) for rows in (first, second)]
    return compare(*parts, resamples=resamples, seed=seed)


def slices_of(row: Row) -> dict[str, str]:
    """The slices that a row is in: by target, category, size of the truth, ground sample distance, kind of question."""
    area = row.grids["original"].answer.truth
    found = {"target": ("with target" if area else "without target") if row.known else "truth not known"}
    if area:
        found["size"] = "small" if area < SMALL_PX else "medium" if area < MEDIUM_PX else "large"
    for name, key in (("category", "category"), ("question kind", "question_kind")):
        if key in row.metadata:
            found[name] = str(row.metadata[key])
    gsd = row.metadata.get("gsd_m")
    if isinstance(gsd, int | float):
        lower = [border for border in GSD_BORDERS_M if gsd >= border]
        upper = [border for border in GSD_BORDERS_M if gsd < border]
        found["gsd"] = f"{lower[-1] if lower else 0:g} to {upper[0]:g} m" if upper else f"from {GSD_BORDERS_M[-1]:g} m"
    return found


def by_slice(rows: Sequence[Row], protocol: Protocol, *, resamples: int = RESAMPLES) -> dict[str, dict[str, Scores]]:
    """The scores of each slice, by the slice's kind and value."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        for kind, value in slices_of(row).items():
            groups.setdefault(kind, {}).setdefault(value, []).append(row)
    return {
        kind: {value: score(groups[kind][value], protocol, resamples=resamples) for value in sorted(groups[kind])}
        for kind in SLICES
        if kind in groups
    }


def draw_of(rows: Iterable[Row], seed: int) -> list[Row]:
    """One row of each item: the same one for a seed, in whatever order the rows come."""
    best: dict[str, tuple[bytes, Row]] = {}
    for row in rows:
        lot = hashlib.sha256(f"{seed} {row.item} {row.question_index}".encode()).digest()
        if row.item not in best or lot < best[row.item][0]:
            best[row.item] = lot, row
    return [row for _, row in best.values()]


def _drawn(rows: Sequence[Row], protocol: Protocol) -> list[Sequence[Row]]:
    """The rows that count, for each draw of the questions."""
    if protocol.questions == "draw":
        return [draw_of(rows, seed) for seed in range(protocol.draws)]
    if protocol.questions == "all":
        return [rows]
    first: dict[str, Row] = {}
    for row in rows:
        if row.item not in first or row.question_index < first[row.item].question_index:
            first[row.item] = row
    return [list(first.values())]


def _ratios(draws: Sequence[Sequence[Row]], protocol: Protocol) -> Ratios:
    clusters = {row.cluster for rows in draws for row in rows}
    return Ratios.summed(clusters, len(draws), _chunks(draws, protocol))


def _chunks(draws: Sequence[Sequence[Row]], protocol: Protocol) -> Iterator[tuple[int, Chunk]]:
    """The parts of some rows at a time: those of all rows take several times the memory of the rows."""
    for d, rows in enumerate(draws):
        for start in range(0, max(1, len(rows)), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            yield d, ([row.cluster for row in some], {**protocol.parts(some), **_facts(some)})


def _facts(rows: Sequence[Row]) -> Parts:
    """The metrics that belong to no protocol: `count error` over rows with known instances, `area error` over targets."""
    found: Parts = {name: ([], []) for name in FACTS}
    for row in rows:
        area = row.grids["original"].answer
        true = area.truth if row.known else 0
        off = area.predicted - area.truth if true else 0
        taught = row.metadata.get("question_kind") != "untaught"
        refused = row.status == "not_understood"
        countable = row.known and row.true_instances is not None
        miscount = abs(row.instances - (row.true_instances or 0)) if countable else 0
        for name, above, below in (
            ("format rate", row.status != "unparsable", 1),
            ("false refusals", refused and taught, taught),
            ("right refusals", refused and not taught, not taught),
            ("instances", row.instances, 1),
            ("count error", miscount, countable),
            ("area error", abs(off), true),
            ("area bias", off, true),
            ("tokens", row.tokens, 1),
            ("seconds", row.seconds, 1),
            ("segment seconds", row.segment_seconds, 1),
        ):
            found[name][0].append(float(above))
            found[name][1].append(float(below))
    return found


def _require_unique(rows: Sequence[Row]) -> None:
    twice = [key for key, count in Counter(row.id for row in rows).items() if count > 1]
    if twice:
        raise T2SError(
            "argument_invalid",
            f"{len(twice)} samples are scored twice, for example {twice[0]}",
            "Score into an empty folder, or leave out one of the merged files",
        )
