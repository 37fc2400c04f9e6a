"""The rows of an archive: one question about one scene, with an id that is the same on every machine."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from t2s_agent.batch.questions import Question
from t2s_agent.batch.scenes import SceneRef


@dataclass(frozen=True, slots=True)
class Row:
    """One question about one scene. `scene` is the scene's name in the archive, `image` the path or address that is opened.

    `bands` are those of a STAC item. `attempt` counts from 1: how often the row has been begun, this time included. `problem` says why there is nothing to open.
    `result` is one that an earlier run stored for the row before it was killed. A row of two dates has an `image_after`, with bands, time
    and result of its own.
    """

    id: str
    scene: str
    image: str
    question_id: str
    question: str
    datetime: str = ""
    bands: str | None = None
    attempt: int = 1
    problem: str = ""
    result: str = ""
    image_after: str = ""
    datetime_after: str = ""
    bands_after: str | None = None
    result_after: str = ""


def row_id(scene: SceneRef, question: str) -> str:
    """32 hexadecimal digits of a SHA-256 over the scene's name in the archive, its version (size in bytes), those of a later date, and the question.

    Nothing of it depends on the machine: no absolute path and no time of a file.
    """
    after = [] if scene.after is None else [scene.after.name, scene.after.version]
    said = json.dumps([scene.name, scene.version, *after, question], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def rows_of(scenes: Sequence[SceneRef], questions: Sequence[Question]) -> Iterator[Row]:
    """Every question about every scene, scene by scene; a question that names a scene is about that scene only."""
    general = [question for question in questions if not question.scene]
    own: dict[str, list[Question]] = {}
    for question in questions:
        if question.scene:
            own.setdefault(question.scene, []).append(question)
    for scene in scenes:
        for question in (*general, *own.get(scene.name, ())):
            yield Row(
                row_id(scene, question.text),
                scene.name,
                scene.image,
                question.id,
                question.text,
                scene.datetime,
                scene.bands,
                problem=scene.problem or (scene.after.problem if scene.after else ""),
                **_later(scene.after),
            )


def _later(scene: SceneRef | None) -> dict[str, Any]:
    if scene is None:
        return {}
    return {"image_after": scene.image, "datetime_after": scene.datetime, "bands_after": scene.bands}
