"""Plays questions through the real server: by script, or by a served model; gives a record of every question."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evals.chains import scenes as drawn_scenes
from evals.chains.perception import TruthModels, served
from evals.chains.questions import Question
from evals.chains.scenes import Scene
from evals.chains.score import failure
from evals.chains.tools import Content, Log, Refused, Tools, ask, connected
from evals.chains.truth import Exact, work_out
from t2s_agent.server.build import AgentServer, build_server
from t2s_agent.settings import Settings, load_settings

MaskSource = Literal["truth", "nano"]
MAX_SIZE = 8192  # px: scenes are looked at as they are
PATIENCE_S = 900.0  # a call is never answered "running", so that calls are counted alike on any machine
_PATIENCE = {"answer_within_s", "answer_unwatched_within_s"}  # those settings of it that the tried checkout has


@dataclass(slots=True)
class Played:
    """One question, what was answered, and what it took."""

    question: str
    topic: str
    hard: bool
    answer: Any
    truth: Any
    failure: str
    calls: int
    bytes: int
    picture_bytes: int
    seconds: float
    error: str = ""


@dataclass(slots=True)
class Run:
    """A trial as it went: with whom, how, and every question."""

    solver: str
    masks: str
    max_size: int
    played: list[Played] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """The server over the scenes, with perception that knows the truth."""

    server: AgentServer
    settings: Settings
    scenes: dict[str, Scene]


@contextmanager
def staged(
    cache: Path,
    names: Sequence[str],
    store: Path,
    *,
    masks: MaskSource = "truth",
    max_size: int = MAX_SIZE,
    **more: Any,
) -> Iterator[Stage]:
    """Draws what the cache lacks, serves the model that knows, and builds the product's server over it."""
    drawn_scenes.prepare(cache, names)
    scenes = {name: drawn_scenes.load(cache, name) for name in names}
    with served(list(scenes.values())) as url:
        settings = load_settings(
            roots=(cache / "imagery",),
            prompter=url,
            segmenter="nano" if masks == "nano" else "box",  # the truth stands in for it
            max_size=max_size,
            store=store,
            preload=False,
            read_seconds=PATIENCE_S,
            **dict.fromkeys(_PATIENCE & set(Settings.model_fields), PATIENCE_S),
            **more,
        )
        models = TruthModels(settings, list(scenes.values()), true_masks=masks == "truth")
        yield Stage(build_server(settings, models=models), settings, scenes)


Solver = Callable[[Question, Scene, Any], Any]  # a question, its scene, a runner of work with the client: the answer


def by_script(solutions: dict[str, Callable[[Tools], Any]], log: Log) -> Solver:
    """Answers by the solution that is registered for a question."""

    def solve(question: Question, scene: Scene, connection: Any) -> Any:
        def call(tool: str, arguments: dict[str, Any]) -> Content:
            async def work(client: Any) -> Content:
                return await ask(client, tool, arguments, log)

            content: Content = connection(work)
            return content

        if question.id not in solutions:
            raise Refused(f"no solution for {question.id}")
        tables = connection(_has_tables)
        return solutions[question.id](Tools(call, scene.picture.name, question.asked(scene), tables=tables))

    return solve


async def _has_tables(client: Any) -> bool:
    listed = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
    return "columns" in listed["reason_segment"]["properties"]


def play(
    stage: Stage,
    questions: Sequence[Question],
    solve: Solver,
    log: Log,
    *,
    pictures_only: bool = False,
    told: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Every question in turn. A solution that fails is a question without an answer, with the reason beside it."""
    exact = {name: Exact(scene) for name, scene in stage.scenes.items()}
    played = []
    with connected(stage.server) as connection:
        for question in questions:
            scene = stage.scenes[question.scene]
            log.question, began, error, answer = question.id, time.perf_counter(), "", None
            try:
                answer = solve(question, scene, connection)
            except (Refused, LookupError, ValueError) as wrong:
                error = f"{type(wrong).__name__}: {wrong}"[:300]
            worked = work_out(scene, question.truth, exact[scene.name])
            calls = log.of(question.id)
            row = Played(
                question.id,
                question.topic,
                question.hard,
                answer,
                worked.answer,
                failure(question, worked, answer, scene, calls, pictures_only=pictures_only),
                len(calls),
                sum(call["bytes"] for call in calls),
                sum(call["picture_bytes"] for call in calls),
                round(time.perf_counter() - began, 2),
                error,
            )
            played.append(row)
            told(row)
    return played


def scored(
    questions: Sequence[Question],
    answers: dict[str, Any],
    log: Sequence[dict[str, Any]],
    cache: Path,
    *,
    pictures_only: bool,
) -> list[Played]:
    """Answers that somebody gave from outside, with the log of their calls."""
    names = sorted({question.scene for question in questions})
    drawn_scenes.prepare(cache, names)
    exact = {name: Exact(drawn_scenes.load(cache, name)) for name in names}
    played = []
    for question in questions:
        scene, answer = exact[question.scene].scene, answers.get(question.id)
        worked = work_out(scene, question.truth, exact[question.scene])
        calls = [row for row in log if row.get("question") == question.id]
        played.append(
            Played(
                question.id,
                question.topic,
                question.hard,
                answer,
                worked.answer,
                failure(question, worked, answer, scene, calls, pictures_only=pictures_only),
                len(calls),
                sum(call["bytes"] for call in calls),
                sum(call["picture_bytes"] for call in calls),
                round(sum(call["seconds"] for call in calls), 2),
            )
        )
    return played


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
