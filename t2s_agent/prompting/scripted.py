"""Reads a prompter's answers from a file: for tests, and for scoring the answers of another program.

The file is a JSON list, or JSON Lines, of entries `{"question": ..., "raw": ..., "frame": ..., "image": ...}`:

- `question` is matched without case and white space; `*` answers questions that no other entry matches;
- `raw` is the model's text, read by the same parser as the text of any model;
- `frame` is the frame of the numbers in `raw`: absent for View pixels, "relative" for 0 to 1000 (or another name of
  `frames.COORDINATES`), `[width, height]` for a frame of that size;
- `image` (optional) is the beginning of the View's digest (at least eight characters): the entry applies only to that View,
  and before entries without `image`.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.frames import COORDINATES, Frame, Size
from t2s_agent.prompting.reading import read_answer
from t2s_agent.prompting.style import DEFAULT_STYLE, PromptStyle
from t2s_agent.scene.view import View

ANY = "*"
_LARGEST = 256 * 2**20


@dataclass(frozen=True, slots=True)
class _Entry:
    question: str
    raw: str
    frame: Size | None
    image: str
    y_first: bool = False


class ScriptedPrompter:
    """Answers from a file, or from a mapping of questions to raw texts in View pixels.

    A question that is not in the script raises `argument_invalid`, which lists the most similar questions in it.
    """

    def __init__(self, script: Path | str | Mapping[str, str], *, style: PromptStyle = DEFAULT_STYLE) -> None:
        if isinstance(script, Mapping):
            self.name = "scripted"
            self._entries = [_Entry(question, raw, None, "") for question, raw in script.items()]
        else:
            self.name = f"scripted:{Path(script).name}"
            self._entries = _read(Path(script))
        self.style = style
        self.frame = "as the script says"
        self.digest = hashlib.sha256(repr(self._entries).encode()).hexdigest()

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """The script's answers, in View pixels."""
        return [self._one(view, question) for view, question in zip(views, questions, strict=True)]

    def tell(self, view: View, question: str) -> str:
        """The script's raw text."""
        return self._find(view, question).raw

    def _one(self, view: View, question: str) -> Answer:
        entry = self._find(view, question)
        size = Size(view.width, view.height)
        frame = Frame(entry.frame or size, size, entry.y_first)
        way_out = 'Say in the script what the text writes: "frame": "unit", another frame\'s name, or [width, height]'
        return read_answer(entry.raw, frame, bounded=False, way_out=way_out)

    def _find(self, view: View, question: str) -> _Entry:
        asked = _plain(question)
        same = [entry for entry in self._entries if _plain(entry.question) == asked]
        digest = view.digest() if any(entry.image for entry in same) else ""
        own = [entry for entry in same if entry.image and digest.startswith(entry.image)]
        general = [entry for entry in same if not entry.image]
        anything = [entry for entry in self._entries if entry.question == ANY]
        if own or general or anything:
            return (own or general or anything)[0]
        known = {_plain(entry.question): entry.question for entry in self._entries}
        near = [known[each] for each in difflib.get_close_matches(asked, known, n=3, cutoff=0.4)]
        raise T2SError(
            "argument_invalid",
            f"{self.name} has no answer to {question[:200]!r}" + (" for this image" if same else ""),
            f"Ask one of: {'; '.join(near or list(known.values())[:3])}" if known else "Give it a script with answers",
        )


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())


def _read(path: Path) -> list[_Entry]:
    try:
        if path.stat().st_size > _LARGEST:
            raise T2SError("limit_exceeded", f"{path.name} is larger than {_LARGEST} bytes", "Split the script")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise T2SError(
            "argument_invalid", f"{path.name} cannot be read as a script", "Give a UTF-8 JSON file"
        ) from error
    try:
        listed = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(row) for row in text.splitlines() if row.strip()]
        )
    except (ValueError, RecursionError) as error:
        raise T2SError(
            "argument_invalid", f"{path.name} is neither a JSON list nor JSON Lines: {error}", "Correct the script"
        ) from error
    return [_entry(item, number, path) for number, item in enumerate(listed, 1)]


def _entry(item: Any, number: int, path: Path) -> _Entry:
    if isinstance(item, dict):
        question, raw, image = item.get("question"), item.get("raw"), item.get("image", "")
        frame = item.get("frame")
        named = COORDINATES.get(frame) if isinstance(frame, str) else None
        if named:
            size: Size | None = Size(named.scale, named.scale)
        elif isinstance(frame, list) and len(frame) == 2 and all(type(n) is int and n > 0 for n in frame):
            size = Size(*frame)
        else:
            size = None
        framed = size is not None or frame is None
        if isinstance(question, str) and isinstance(raw, str) and framed and _is_digest(image):
            return _Entry(question, raw, size, image, named is not None and named.y_first)
    raise T2SError(
        "argument_invalid",
        f"entry {number} of {path.name} is not a valid script entry",
        'Write {"question": text, "raw": text, "frame": "relative" or [width, height], "image": digest}, the last two optional',
    )


def _is_digest(image: Any) -> bool:
    return isinstance(image, str) and (image == "" or len(image) >= 8)
