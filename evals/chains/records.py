"""What came of every question, as JSON Lines that a run goes on with after it was stopped at any point.

The first line says what is run; each line after it is one question with one seed. A line that was cut off is dropped.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evals.chains.questions import Question
from evals.chains.scenes import RECIPES


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run is: who answers (`solver`), what sees the images (`perception`), and of which questions."""

    solver: str
    perception: str
    max_size: int
    pictures_only: bool = False
    questions: str = ""  # hash of all questions and scenes: records of others do not mix with them


@dataclass(frozen=True, slots=True)
class Record:
    """One question, answered once. `calls` are the rows of the log; tokens are those that an endpoint counted."""

    question: str
    scene: str
    scene_kind: str
    topic: str
    seed: int
    answer: Any
    truth: Any
    failure: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    error: str = ""


def questions_digest(questions: Sequence[Question]) -> str:
    """A hash of the questions and of what their scenes are made from."""
    text = json.dumps([each.model_dump(mode="json") for each in questions]) + repr(sorted(RECIPES.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Records:
    """The records of a run: in memory, and in a file where one is named.

    A file of the same run is gone on with. ValueError for one of another run, and for one that is no such file.
    """

    def __init__(self, setup: Setup, path: Path | None = None) -> None:
        self.setup, self._path = setup, path
        self.rows: list[Record] = []
        if path and path.is_file() and path.stat().st_size:
            stored, self.rows = read_records(path)
            if stored != setup:
                raise ValueError(f"{path} holds another run: {stored}. Give another file, or delete it")
            self._rewrite()
        elif path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rewrite()

    @property
    def done(self) -> set[tuple[str, int]]:
        """Questions and seeds that are answered."""
        return {(row.question, row.seed) for row in self.rows}

    def add(self, record: Record) -> None:
        self.rows.append(record)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line({"record": asdict(record)}))

    def _rewrite(self) -> None:
        """Writes the file whole, without what was cut off at its end."""
        if self._path:
            lines = [_line({"run": asdict(self.setup)}), *(_line({"record": asdict(row)}) for row in self.rows)]
            part = self._path.with_name(f"{self._path.name}.part")
            part.write_text("".join(lines), encoding="utf-8")
            part.replace(self._path)


def read_records(path: Path) -> tuple[Setup, list[Record]]:
    """The run and the records of a file. ValueError where a line that was not cut off cannot be read."""
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")[:-1]  # what follows the last line break was cut off
    try:
        rows = [json.loads(line) for line in lines if line.strip()]
        setup = Setup(**rows[0]["run"])
        return setup, [Record(**row["record"]) for row in rows[1:]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is no file of chain records: {type(error).__name__}") from error


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=float) + "\n"
