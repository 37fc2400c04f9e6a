"""Answers kept across runs, by what they depend on: model, prompt, pixels and sampling."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.prompting.prompter import Prompter
from t2s_agent.scene import View


def answer_key(prompter: Prompter, asking: Mapping[str, Any], view: View, question: str) -> str:
    """Identifies an answer. `asking` is style and sampling; a served model without a digest goes by its name.

    The version of this package is part of it, since answers are kept as it reads them.
    """
    model = prompter.digest or prompter.name
    whole = [version("t2s-agent"), model, prompter.frame, dict(asking), question, view.digest()]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class AnswerCache:
    """Answers in an SQLite file that several processes may use at once. Used as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> "AnswerCache":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise T2SError(
                "output_unwritable",
                f"the cache of answers {self._path} cannot be used: {error}",
                "Name another file with --cache, or none",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under a key."""
        found = self._open.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        """Keeps an answer."""
        text = json.dumps(answer, ensure_ascii=False)
        self._open.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, text))

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the cache is not open")
        return self._connection
