"""What an output folder holds, counted from its ledger."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_agent.batch.ledger import FILE, Line, believed, read_lines
from t2s_agent.errors import T2SError
from t2s_agent.regions.units import METRES


class Summary(BaseModel):
    """Counts of the rows of an archive. `total_area_m2` is that of all regions on Earth; its plus/minus is the sum of theirs.

    `seconds` are those of all attempts that are in the ledger's last lines, added.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    scenes: int
    by_status: dict[str, int]
    failed_by_code: dict[str, int]
    regions: int
    total_area_m2: float
    total_area_pm_m2: float
    tokens: int
    seconds: float
    parts: int


def summary_of(out: Path) -> Summary:
    """Reads the ledger of a folder, also while it is written. Raises `argument_invalid` where there is none."""
    if not (out / FILE).is_file():
        raise T2SError("argument_invalid", f"{out} has no {FILE}", "Name the folder that --out of `batch` named")
    lines, _ = read_lines(out / FILE)
    return summed({line.id: line for line in believed(lines, out)}.values())


def summed(lines: Iterable[Line]) -> Summary:
    """The summary of the last lines of rows."""
    lines = list(lines)
    on_earth = [line for line in lines if line.unit == METRES.area]
    return Summary(
        rows=len(lines),
        scenes=len({line.scene for line in lines}),
        by_status=dict(sorted(Counter(line.status for line in lines).items())),
        failed_by_code=dict(Counter(line.code for line in lines if line.status == "failed").most_common()),
        regions=sum(line.regions for line in lines),
        total_area_m2=sum(line.area for line in on_earth),
        total_area_pm_m2=sum(line.area_pm for line in on_earth),
        tokens=sum(line.tokens for line in lines),
        seconds=round(sum(line.seconds for line in lines), 3),
        parts=len({line.part for line in lines if line.part}),
    )
