"""The questions of an archive: one text, or a CSV or JSON Lines file with `id`, `question` and, optionally, `scene`."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.steps import checked_question
from t2s_agent.text import one_line

ENDINGS = (".csv", ".jsonl", ".ndjson")
_SHAPE = 'Write the columns id and question (scene is optional), or lines {"id": ..., "question": ...}'


@dataclass(frozen=True, slots=True)
class Question:
    """A question. `scene`, where it is not empty, is the name in the archive of the only scene that it is asked about."""

    id: str
    text: str
    scene: str = ""


def read_questions(given: str) -> list[Question]:
    """The one question that was given, or those of a file that ends in .csv, .jsonl or .ndjson.

    White space is made single. Raises `argument_invalid` for a file that is missing, empty or of another shape, and where two
    questions have one id, or the same words about the same scene.
    """
    if not given.lower().endswith(ENDINGS):
        return [Question("q1", checked_question(given))]
    path = Path(given).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "it is not UTF-8"
        raise T2SError("argument_invalid", f"the questions {given!r} cannot be read ({why})", _SHAPE) from error
    entries = _of_csv(text) if path.suffix.lower() == ".csv" else _of_lines(text, path.name)
    found = [_question(entry, number, path.name) for number, entry in entries]
    if not found:
        raise T2SError("argument_invalid", f"{path.name} has no questions", _SHAPE)
    _require_unique(found, path.name)
    return found


def _of_csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True, skipinitialspace=True)
    try:
        yield from ((reader.line_num, entry) for entry in reader)
    except csv.Error as error:
        raise T2SError("argument_invalid", f"line {reader.line_num} is not CSV: {error}", _SHAPE) from error


def _of_lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise T2SError("argument_invalid", f"line {number} of {name} is not JSON: {error}", _SHAPE) from error


def _question(entry: Any, number: int, name: str) -> Question:
    text = entry.get("question") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise T2SError("argument_invalid", f"line {number} of {name} has no question", _SHAPE)
    id_, scene = entry.get("id"), entry.get("scene")
    shown = one_line(str(id_), 200).strip() if id_ not in (None, "") else f"q{number}"
    return Question(shown, checked_question(text), str(scene) if scene else "")


def _require_unique(questions: list[Question], name: str) -> None:
    ids: dict[str, Question] = {}
    said: dict[tuple[str, str], Question] = {}
    for question in questions:
        same = ids.setdefault(question.id, question)
        if same is not question:
            raise T2SError(
                "argument_invalid", f"{name} has two questions with the id {question.id!r}", "Give each its own"
            )
        same = said.setdefault((question.scene, question.text), question)
        if same is not question:
            raise T2SError(
                "argument_invalid",
                f"{same.id!r} and {question.id!r} of {name} ask the same: {question.text[:100]!r}",
                "Leave one of them out",
            )
