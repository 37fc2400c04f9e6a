"""Times a list of thousands of results with both builds, each over a store that it has filled itself."""

import json
import statistics
import tempfile
from pathlib import Path

from evals.speed.side_by_side import HERE, run

COUNT = 5_000


def compare(against: Path, *, count: int = COUNT) -> bool:
    """Prints a table; whether this build lists in under half a second."""
    print(f"{count} results, opened and listed: the median of three, and the first time where there is no index")
    print(f"{'':6}{'s':>8}{'CPU s':>8}{'first s':>9}")
    median = 0.0
    for name, checkout in (("old", against), ("new", HERE)):
        with tempfile.TemporaryDirectory() as folder:
            took = json.loads(run("listing_worker.py", checkout, (Path(folder) / "store", str(count))))
        median, cpu = (statistics.median(each[what] for each in took["times"]) for what in ("seconds", "cpu"))
        print(f"{name:6}{median:>8.3f}{cpu:>8.3f}{took['first']['seconds']:>9.3f}")
    return median < 0.5
