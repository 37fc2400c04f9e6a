"""What a calibration is made of: regions and answers with what is known when they are given, beside what is true.

Areas are in View pixels, lengths in sides of a View pixel, so that images of every resolution can stand in one list.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MEASURES = ("area", "perimeter", "length", "width")


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One region. `prompts` says who gave the box and points: truth, off (truth moved by 10 %), box, point, model.

    `area`, `perimeter`, `length` and `width` are as measured; `true` holds the same of the object that it is matched with (IoU at
    least 0.5), or that its prompt came from, whatever the IoU; None where nothing matches. `iou` is that with the object, else the
    best with any. `block` names images that may share a source, where the dataset says so. `found` is the number of regions in the answer. `pixel_only` is each measure's plus/minus without a calibration.
    """

    sample: str
    image: str
    source: str
    category: str
    kind: str
    prompts: str
    score: float | None
    softness: float | None
    agreement: float | None
    area: float
    perimeter: float
    length: float | None
    width: float | None
    touches_edge: bool
    parts: int
    found: int
    iou: float
    true: dict[str, float] | None
    pixel_only: dict[str, float]
    block: str = ""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer: what was found in all, and what is true. `known` is False where the truth says nothing of what was asked.

    `pixel_only` is the plus/minus of the area without a calibration; `view_area` that of the image.
    """

    sample: str
    image: str
    source: str
    category: str
    kind: str
    status: str
    found: int
    area: float
    true_count: int
    true_area: float
    known: bool
    tokens: int
    pixel_only: float
    view_area: float
    block: str = ""


Row = RegionRow | AnswerRow


def as_json(row: Row, dataset: str) -> dict[str, Any]:
    """A row as one JSON object, with the name of its dataset."""
    return {"row": "region" if isinstance(row, RegionRow) else "answer", "dataset": dataset, **asdict(row)}


def rows_of(file: Path, dataset: str | None = None) -> list[Row]:
    """All rows of a file that `collect` wrote, of one dataset or of all."""
    listed = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return [from_json(row) for row in listed if row["row"] != "done" and dataset in (None, row["dataset"])]


def from_json(value: dict[str, Any]) -> Row:
    """A row that `as_json` wrote."""
    fields = {name: each for name, each in value.items() if name not in ("row", "dataset")}
    return RegionRow(**fields) if value["row"] == "region" else AnswerRow(**fields)
