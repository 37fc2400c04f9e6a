"""What one measurement gives: ours and a named alternative, measured by turns in one run."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

_LIBRARIES = ("t2s-agent", "torch", "transformers", "mcp", "rasterio", "shapely", "numpy")


@dataclass(frozen=True, slots=True)
class Row:
    """Medians of `runs` runs each, in `unit` (s, ms or MB).

    `ratio` is the median over turns of ours by theirs: both runs of a turn meet the same load. Below 1, ours takes less.
    """

    part: str
    what: str
    ours: float
    alternative: str
    theirs: float
    unit: str
    ratio: float
    runs: int

    @classmethod
    def of(
        cls, part: str, what: str, ours: Sequence[float], alternative: str, theirs: Sequence[float], unit: str = "s"
    ) -> "Row":
        """From the runs of both, in the order of their turns."""
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        return cls(part, what, statistics.median(ours), alternative, statistics.median(theirs), unit, ratio, len(ours))


def timed(act: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def by_turns(ours: Callable[[], Any], theirs: Callable[[], Any], times: int) -> tuple[list[float], list[float]]:
    """Seconds of both, in turn, so that what else the machine does hits both alike. One run of each goes before and is not counted."""
    ours(), theirs()
    pairs = [(timed(ours), timed(theirs)) for _ in range(times)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    libraries = {name: version(name) for name in _LIBRARIES}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": cores,
        "python": platform.python_version(),
        **libraries,
    }


def as_text(rows: Sequence[Row]) -> str:
    """A table, one line a row."""
    lines = [f"{'part':10}{'what':52}{'ours':>11}{'other':>11}{'ratio':>8}{'runs':>6}  alternative"]
    for row in rows:
        ours, theirs = (f"{value:.3g} {row.unit}" for value in (row.ours, row.theirs))
        lines.append(
            f"{row.part:10}{row.what:52}{ours:>11}{theirs:>11}{row.ratio:>8.2f}{row.runs:>6}  {row.alternative}"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything, for a file."""
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}
