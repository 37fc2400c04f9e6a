"""Summarises the comparisons for each change: means over samples with intervals over clusters of samples, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evals.metrics.ratios import Interval, Ratios
from evals.robustness.measure import Comparison

METRICS = ("iou", "one_sided", "same_count", "count_moved", "area_moved")


def summary(rows: Sequence[Comparison]) -> dict[str, dict[str, Any]]:
    """Returns for each change: the number of samples, in how many either answer found something, and METRICS over those.

    `iou`: with the answer for the unchanged image; `one_sided`: share with only one answer that found anything; `same_count`: share with
    the same number of regions; `count_moved`: difference of the counts; `area_moved`: difference of the areas as a share of the larger.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row.change for row in rows):
        own = [row for row in rows if row.change == name]
        some = [row for row in own if row.iou is not None]
        facts: dict[str, Any] = {"family": own[0].family, "samples": len(own), "found": len(some)}
        intervals = _intervals(some) if some else dict.fromkeys(METRICS, Interval(None))
        found[name] = facts | {metric: asdict(intervals[metric]) for metric in METRICS}
    return found


def _intervals(rows: Sequence[Comparison]) -> dict[str, Interval]:
    values = {
        "iou": [row.iou or 0.0 for row in rows],
        "one_sided": [float(row.one_sided) for row in rows],
        "same_count": [float(row.count_before == row.count_after) for row in rows],
        "count_moved": [float(abs(row.count_after - row.count_before)) for row in rows],
        "area_moved": [row.area_moved or 0.0 for row in rows],
    }
    ones = [1.0] * len(rows)
    metrics = {name: (each, ones) for name, each in values.items()}
    return Ratios.of([([row.cluster for row in rows], metrics)]).intervals()


def as_text(title: str, facts: dict[str, dict[str, Any]]) -> str:
    """Returns a table with a line for each change. Samples in which both answers found nothing are not in the means."""
    lines = [
        title,
        f"{'change':24}{'found':>9}{'IoU with itself':>24}{'one-sided':>11}{'same count':>12}{'count':>8}{'area':>8}",
    ]
    for name, row in facts.items():
        found = f"{row['found']}/{row['samples']}"
        low, high = row["iou"]["low"], row["iou"]["high"]
        between = f" ({low:.2f} to {high:.2f})" if low is not None else ""
        iou = f"{_format(row['iou']['value'], '.2f')}{between}"
        lines.append(
            f"{name:24}{found:>9}{iou:>24}{_format(row['one_sided']['value'], '.0%'):>11}"
            f"{_format(row['same_count']['value'], '.0%'):>12}{_format(row['count_moved']['value'], '.1f'):>8}"
            f"{_format(row['area_moved']['value'], '.0%'):>8}"
        )
    return "\n".join(lines)


def _format(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
