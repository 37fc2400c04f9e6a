"""Completions read from a file instead of being drawn: to train on the same completions with another number of processes.

Each line of the file is a JSON object: `step` (optimizer step, from 0), `id` (of the question) and `texts`, one a completion of the
group, without the end token.
"""

import json
from pathlib import Path

from t2s_agent.errors import T2SError


class GivenCompletions:
    """The texts of a file by step and question; `argument_invalid` for a file that cannot be read or repeats a question."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._texts: dict[tuple[int, str], list[str]] = {}
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise T2SError(
                "argument_invalid", f"rollout.completions {file}: {error}", "Give a JSON Lines file"
            ) from error
        for number, line in enumerate(lines, 1):
            self._add(number, line)

    def texts(self, step: int, id_: str, group: int) -> list[str]:
        """The texts of one group; `argument_invalid` if the file has not exactly `group` for this step and question."""
        texts = self._texts.get((step, id_), [])
        if len(texts) != group:
            what = f"{self._file.name} has {len(texts)} completions for step {step} and question {id_}, not {group}"
            raise T2SError("argument_invalid", what, "Give as many as rollout.group for each question of each step")
        return texts

    def _add(self, number: int, line: str) -> None:
        try:
            plain = json.loads(line)
            key, texts = (int(plain["step"]), str(plain["id"])), [str(text) for text in plain["texts"]]
        except (ValueError, KeyError, TypeError) as error:
            what = f"line {number} of {self._file.name} is no object with step, id and texts"
            raise T2SError("argument_invalid", what, "Write one JSON object a line") from error
        if key in self._texts:
            raise T2SError(
                "argument_invalid", f"line {number} of {self._file.name} repeats {key}", "Remove one of them"
            )
        self._texts[key] = texts
