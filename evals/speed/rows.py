"""Times ours and a named alternative alternately in one run, and formats the results."""

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

    `ratio` is the median of ours / theirs over pairs of runs: both runs of a pair have the same load. Below 1, ours takes less.
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
        """Returns the row for the runs of both, which are in the same order."""
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        return cls(part, what, statistics.median(ours), alternative, statistics.median(theirs), unit, ratio, len(ours))


def measure_seconds(act: Callable[[], Any]) -> float:
    """Returns the seconds that a call of `act` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def time_alternately(ours: Callable[[], Any], theirs: Callable[[], Any], times: int) -> tuple[list[float], list[float]]:
    """Returns the seconds of both, which run alternately, so that other load affects both equally. A first run of each is not counted."""
    ours(), theirs()
    pairs = [(measure_seconds(ours), measure_seconds(theirs)) for _ in range(times)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def machine() -> dict[str, Any]:
    """Returns the processor, the number of cores, and the versions of Python and libraries."""
    libraries = {name: version(name) for name in _LIBRARIES}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": cores,
        "python": platform.python_version(),
        **libraries,
    }


def as_text(rows: Sequence[Row]) -> str:
    """Returns a table with a line for each row."""
    lines = [f"{'part':10}{'what':52}{'ours':>11}{'other':>11}{'ratio':>8}{'runs':>6}  alternative"]
    for row in rows:
        ours, theirs = (f"{value:.3g} {row.unit}" for value in (row.ours, row.theirs))
        lines.append(
            f"{row.part:10}{row.what:52}{ours:>11}{theirs:>11}{row.ratio:>8.2f}{row.runs:>6}  {row.alternative}"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Returns the machine and all rows, for a JSON file."""
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}
