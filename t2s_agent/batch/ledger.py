"""The ledger of an archive, `ledger.jsonl`: one line for each attempt at a row; the last line of a row is valid.

One process writes it, and only adds. A line is believed if it is whole and if its part holds all rows that the part was written with:
the lines of one part are written after it, together. After a kill anything else is forgotten, and its rows are done again.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_agent.batch.writing import replacing, telling

FILE = "ledger.jsonl"
Status = Literal["found", "partly", "empty", "not_understood", "failed"]


class Changed(BaseModel):
    """What lies between two dates: the matches of each kind and how many of them are uncertain; areas in the line's unit.

    `difference` is the later area less the earlier of all that both dates show. `not_compared` are regions that the other date does
    not show.
    """

    model_config = ConfigDict(frozen=True)

    appeared: int
    gone: int
    changed: int
    same: int
    uncertain: int
    appeared_area: float
    appeared_area_pm: float
    gone_area: float
    gone_area_pm: float
    difference: float
    difference_pm: float
    not_compared: int


class Line(BaseModel):
    """What became of one row. `area` and `area_pm` are the result's total in `unit` (m2 or px2).

    A row of two dates has `image_after`, `result_after` and `change`; its `regions` are matches, and its `area` is that of the later date.

    `not_looked_at` is the share of a large scene in windows that failed or were not reached, `windows_left` their number. `part` is the file of its regions, from the output folder; empty without regions. `part_rows` is the number of rows in it.
    `code` and `message` say why it failed. `seconds` are those of the attempt, without loading models that were there.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    scene: str
    image: str
    question_id: str
    question: str
    status: Status
    code: str = ""
    message: str = ""
    result: str = ""
    regions: int = 0
    area: float = 0.0
    area_pm: float = 0.0
    unit: str = ""
    not_looked_at: float = 0.0
    windows_left: int = 0
    seconds: float = 0.0
    tokens: int = 0
    worker: str = ""
    attempt: int = 1
    part: str = ""
    part_rows: int = 0
    finished_utc: str = ""
    image_after: str = ""
    result_after: str = ""
    change: Changed | None = None

    @property
    def unfinished(self) -> bool:
        """Whether there are windows to go on with. A result from one coarse look is `partly` too, and has none."""
        return self.status == "partly" and self.windows_left > 0


class Ledger:
    """The lines of an output folder by row id. Open it only while no other process writes there."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        lines, self.dropped = read_lines(self._path)
        kept = believed(lines, folder)
        self.dropped += len(lines) - len(kept)
        if self.dropped:
            self._rewrite(kept)
        self.lines = {line.id: line for line in kept}

    def add(self, lines: Sequence[Line]) -> None:
        """Adds the lines of one part, flushed to the disk."""
        if not lines:
            return
        with telling(self._path), self._path.open("ab") as file:
            file.write(b"".join(_encoded(line) for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self.lines |= {line.id: line for line in lines}

    def parts(self) -> Counter[str]:
        """The parts that rows name, with the number of their rows."""
        return Counter(line.part for line in self.lines.values() if line.part)

    def move_parts(self, moved: Mapping[str, str]) -> None:
        """Replaces the ledger by one in which rows name other parts, which hold the rows of several.

        Earlier lines of rows that were answered anew name no part any more: their regions are in none of the others.
        """
        rows: Counter[str] = Counter()
        for part, count in self.parts().items():
            rows[moved.get(part, part)] += count
        lines = []
        for line in read_lines(self._path)[0]:
            valid = self.lines.get(line.id) == line
            part = moved.get(line.part, line.part) if valid else ""
            lines.append(line.model_copy(update={"part": part, "part_rows": rows[part] if part else 0}))
        self._rewrite(lines)
        self.lines = {line.id: line for line in lines}

    def replaced(self) -> dict[str, set[str]]:
        """By part, the rows that were answered anew since it was written: their regions in it are not valid."""
        found: dict[str, set[str]] = {}
        for line in read_lines(self._path)[0]:
            if line.part and self.lines[line.id].part != line.part:
                found.setdefault(line.part, set()).add(line.id)
        return found

    def _rewrite(self, lines: Iterable[Line]) -> None:
        with replacing(self._path) as file:
            file.writelines(_encoded(line) for line in lines)


def read_lines(path: Path) -> tuple[list[Line], int]:
    """The whole lines of a ledger, and how many are not whole (the last one after a kill). Empty where there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    found, torn = [], 0
    *whole, last = data.split(b"\n")
    for text in whole:
        try:
            found.append(Line.model_validate_json(text))
        except ValidationError:
            torn += 1
    return found, torn + bool(last)


def believed(lines: Sequence[Line], folder: Path) -> list[Line]:
    """The lines without a part, and those whose part is there and has all its lines."""
    count = Counter(part for _, part in {(line.id, line.part) for line in lines if line.part})
    there = {part for part in count if (folder / part).is_file()}
    return [line for line in lines if not line.part or (line.part in there and count[line.part] == line.part_rows)]


def _encoded(line: Line) -> bytes:
    return line.model_dump_json().encode() + b"\n"
