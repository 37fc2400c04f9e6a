"""What an output folder holds, counted from its ledger."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from t2s_agent.batch.ledger import FILE, Changed, Line, believed, read_lines
from t2s_agent.errors import T2SError

_DECIMALS = 6  # of sums of areas, so that they show no error of binary numbers


class Total(BaseModel):
    """The regions of one question in one unit of area (m2, or px2 of images without a place). Plus/minus add.

    `rows` are those that were answered; `share_not_looked_at` is their mean.
    """

    model_config = ConfigDict(frozen=True)

    question_id: str
    question: str
    unit: str
    rows: int
    regions: int
    area: float
    area_pm: float
    share_not_looked_at: float


class ChangeTotal(Changed):
    """What changed between two dates, of one question in one unit of area, over `rows` pairs. Plus/minus add."""

    question_id: str
    question: str
    unit: str
    rows: int
    share_not_looked_at: float


class Summary(BaseModel):
    """Counts of the rows of an archive, by their last attempts.

    `pairs` of the scenes have two dates; `changes` are their totals. `totals` has an entry for each question and unit: areas of several questions may be those of the same ground, and px2 are no m2.
    `unfinished` rows have windows that failed or were not reached; `unfinished_by_code` are those where a later try failed.
    `earlier_versions` are rows about a scene that has changed since: the totals hold the newer row only, the parts both. `parts` are
    the files with regions, by their folder.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    scenes: int
    pairs: int
    by_status: dict[str, int]
    failed_by_code: dict[str, int]
    unfinished: int
    unfinished_by_code: dict[str, int]
    earlier_versions: int
    totals: list[Total]
    changes: list[ChangeTotal]
    tokens: int
    seconds: float
    parts: dict[str, int]


def summary_of(out: Path) -> Summary:
    """Reads the ledger of a folder, also while it is written. Raises `argument_invalid` where there is none."""
    if not (out / FILE).is_file():
        raise T2SError("argument_invalid", f"{out} has no {FILE}", "Name the folder that --out of `batch` named")
    lines, _ = read_lines(out / FILE)
    return summed({line.id: line for line in believed(lines, out)}.values())


def summed(lines: Iterable[Line]) -> Summary:
    """The summary of the last lines of rows, in the order in which they were written."""
    lines = list(lines)
    newest = list({(line.scene, line.question): line for line in lines}.values())
    parts = {line.part for line in lines if line.part}
    return Summary(
        rows=len(lines),
        scenes=len({line.scene for line in lines}),
        pairs=len({line.scene for line in lines if line.image_after}),
        by_status=dict(sorted(Counter(line.status for line in lines).items())),
        failed_by_code=_codes(lines, "failed"),
        unfinished=sum(line.unfinished for line in lines),
        unfinished_by_code=_codes(lines, "partly"),
        earlier_versions=len(lines) - len(newest),
        totals=[_total(group) for group in _groups(line for line in newest if line.change is None)],
        changes=[_changes(group) for group in _groups(line for line in newest if line.change is not None)],
        tokens=sum(line.tokens for line in lines),
        seconds=round(sum(line.seconds for line in lines), 3),
        parts=dict(sorted(Counter(part.partition("/")[0] for part in parts).items())),
    )


def _codes(lines: Sequence[Line], status: str) -> dict[str, int]:
    return dict(Counter(line.code for line in lines if line.status == status and line.code).most_common())


def _groups(lines: Iterable[Line]) -> list[list[Line]]:
    """The answered rows by question and unit: questions in the order of the ledger, m2 before px2."""
    grouped: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        if line.unit:  # it was answered
            grouped.setdefault(line.question, {}).setdefault(line.unit, []).append(line)
    return [units[unit] for units in grouped.values() for unit in sorted(units)]


def _total(group: Sequence[Line]) -> Total:
    return Total(
        **_about(group),
        regions=sum(line.regions for line in group),
        area=round(math.fsum(line.area for line in group), _DECIMALS),
        area_pm=round(math.fsum(line.area_pm for line in group), _DECIMALS),
    )


def _changes(group: Sequence[Line]) -> ChangeTotal:
    each = [line.change.model_dump() for line in group if line.change is not None]
    sums: dict[str, Any] = {
        name: round(math.fsum(values[name] for values in each), _DECIMALS) for name in Changed.model_fields
    }
    return ChangeTotal(**_about(group), **sums)


def _about(group: Sequence[Line]) -> dict[str, Any]:
    return {
        "question_id": group[0].question_id,
        "question": group[0].question,
        "unit": group[0].unit,
        "rows": len(group),
        "share_not_looked_at": round(math.fsum(line.not_looked_at for line in group) / len(group), 4),
    }
