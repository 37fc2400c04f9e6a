"""When an answer is withheld (`empty`, `not_understood`), and what is risked where it is not.

Risk against coverage: answers are ordered by how sure they are, and of the surest share of them the risk is the share that is wrong
about whether anything is there. An untaught thing (solar panels, crosswalks, greenhouses, wind turbines) is to be refused; a refusal of a
class that was taught is false.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.calibrate.observed import AnswerRow, RegionRow

UNTAUGHT, EMPTY = "untaught", "empty"
_STEPS = 20  # points of a curve


def abstention(
    regions: Sequence[RegionRow],
    answers: Sequence[AnswerRow],
    chances: Callable[[Sequence[RegionRow]], NDArray[np.float64]],
) -> dict[str, Any]:
    """Shares of each status by kind of question, false refusals by class, and the curve. JSON values."""
    kinds: dict[str, Counter[str]] = {}
    for row in answers:
        kinds.setdefault(row.kind, Counter())[row.status] += 1
    taught = [row for row in answers if row.kind != UNTAUGHT]
    present = [row for row in taught if row.true_count]
    absent = [row for row in taught if row.known and not row.true_count]
    untaught = [row for row in answers if row.kind == UNTAUGHT]
    by_sample: dict[str, list[RegionRow]] = {}
    for region in regions:
        if region.prompts == "model":
            by_sample.setdefault(region.sample, []).append(region)
    best = {sample: float(chances(own).max()) for sample, own in by_sample.items()}
    return {
        "summary": {
            "taught": len(taught),
            "refused_as_not_understood_though_taught": _share(row.status == "not_understood" for row in taught),
            "called_empty_though_there": _share(row.status == "empty" for row in present),
            "found_though_absent": _share(row.status == "found" for row in absent),
            "untaught": len(untaught),
            "untaught_refused": _share(row.status == "not_understood" for row in untaught),
            "untaught_called_empty": _share(row.status == "empty" for row in untaught),
            "untaught_found": _share(row.status == "found" for row in untaught),
            "unparsable": _share(row.status == "unparsable" for row in answers),
        },
        "status_by_kind": {kind: dict(counts) for kind, counts in sorted(kinds.items())},
        "untaught_by_thing": _by_class(untaught, "not_understood"),
        "false_refusals_by_class": _by_class(taught, "not_understood"),
        "called_empty_by_class": _by_class(present, "empty"),
        "risk_coverage": curve([row for row in taught if row.known], lambda row: best.get(row.sample, 0.0)),
    }


def _share(holds: Any) -> float | None:
    values = list(holds)
    return round(sum(values) / len(values), 4) if values else None


def _by_class(rows: Sequence[AnswerRow], status: str) -> dict[str, dict[str, float | int | None]]:
    names = sorted({row.category for row in rows})
    return {
        name: {
            "n": sum(row.category == name for row in rows),
            "share": _share(row.status == status for row in rows if row.category == name),
        }
        for name in names
    }


def curve(rows: Sequence[AnswerRow], sure: Callable[[AnswerRow], float]) -> list[dict[str, float]]:
    """Of the surest answers that found something, from few to all: the share of all answers (coverage) and of those that are wrong.

    Wrong is an answer that found something where nothing is.
    """
    given = sorted((row for row in rows if row.status == "found"), key=lambda row: -sure(row))
    if not given:
        return []
    wrong = np.cumsum([row.true_count == 0 for row in given])
    places = np.unique(np.linspace(1, len(given), _STEPS).round().astype(int))
    return [
        {
            "coverage": round(int(n) / len(rows), 4),
            "risk": round(float(wrong[n - 1]) / int(n), 4),
            "least_probability": round(sure(given[n - 1]), 4),
        }
        for n in places
    ]
