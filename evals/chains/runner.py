"""Puts questions to a solver over the real server, and records every answer: by script, or by a model behind an endpoint."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals.chains import scenes as made_scenes
from evals.chains.chat import EndpointFailed
from evals.chains.perception import TruthModels, served
from evals.chains.questions import Question
from evals.chains.records import Record, Records
from evals.chains.scenes import Scene
from evals.chains.score import failure
from evals.chains.tools import Content, Log, Refused, Tools, ask, connected
from evals.chains.truth import Exact, work_out
from t2s_agent.models import Models
from t2s_agent.server.build import AgentServer, build_server
from t2s_agent.settings import Settings, load_settings

Perception = Literal["truth", "nano-masks", "nano"]
MAX_SIZE = 8192  # px: scenes are looked at as they are
PATIENCE_S = 900.0  # a call is never answered "running", so that calls are counted alike on any machine


@dataclass(slots=True)
class Stage:
    """The server over the scenes."""

    server: AgentServer
    settings: Settings
    scenes: dict[str, Scene]


@contextmanager
def staged(
    cache: Path,
    names: Sequence[str],
    store: Path,
    *,
    perception: Perception = "truth",
    max_size: int = MAX_SIZE,
    **more: Any,
) -> Iterator[Stage]:
    """Makes the scenes that the cache lacks, and builds the product's server over them.

    `perception`: `truth` prompts for exactly what is there and draws it exactly; `nano-masks` prompts likewise and nano draws;
    `nano` prompts and draws.
    """
    made_scenes.prepare(cache, names)
    scenes = {name: made_scenes.load(cache, name) for name in names}
    with served(list(scenes.values())) as url:
        settings = load_settings(
            roots=(cache / "imagery",),
            prompter="nano" if perception == "nano" else url,
            segmenter="box" if perception == "truth" else "nano",  # the truth stands in for the boxes
            max_size=max_size,
            store=store,
            preload=False,
            read_seconds=PATIENCE_S,
            answer_within_s=PATIENCE_S,
            answer_unwatched_within_s=PATIENCE_S,
            **more,
        )
        models = (
            Models(settings)
            if perception == "nano"
            else TruthModels(settings, list(scenes.values()), true_masks=perception == "truth")
        )
        yield Stage(build_server(settings, models=models), settings, scenes)


Solver = Callable[
    [Question, Scene, Any, int], Any
]  # a question, its scene, a runner of work with the client, a seed: the answer


def by_script(solutions: dict[str, Callable[[Tools], Any]], log: Log) -> Solver:
    """Answers by the solution that is registered for a question."""

    def solve(question: Question, scene: Scene, connection: Any, _seed: int) -> Any:
        def call(tool: str, arguments: dict[str, Any]) -> Content:
            async def work(client: Any) -> Content:
                return await ask(client, tool, arguments, log)

            content: Content = connection(work)
            return content

        if question.id not in solutions:
            raise Refused(f"no solution for {question.id}")
        return solutions[question.id](Tools(call, scene.picture.name, question.asked(scene)))

    return solve


def run(
    stage: Stage,
    questions: Sequence[Question],
    solve: Solver,
    log: Log,
    records: Records,
    *,
    seeds: Sequence[int] = (0,),
    scripted: bool = False,
    report: Callable[[Record], None] = lambda _: None,
) -> None:
    """Every question with every seed that the records lack. A script that fails is a question without an answer; EndpointFailed
    stops the run."""
    exact = {name: Exact(scene) for name, scene in stage.scenes.items()}
    asked = [(question, seed) for question in questions for seed in seeds if (question.id, seed) not in records.done]
    stopped: EndpointFailed | None = None  # raised outside of the client, which would wrap it in a group
    with connected(stage.server) as connection:
        for question, seed in asked:
            log.start(question.id)
            began, error, answer = time.perf_counter(), "", None
            try:
                answer = solve(question, stage.scenes[question.scene], connection, seed)
            except (Refused, LookupError, ValueError) as wrong:
                error = f"{type(wrong).__name__}: {wrong}"[:300]
            except EndpointFailed as failed:
                stopped = failed
                break
            record = record_of(
                question,
                exact[question.scene],
                answer,
                log,
                seed=seed,
                pictures_only=records.setup.pictures_only,
                scripted=scripted,
                seconds=time.perf_counter() - began,
                error=error,
            )
            records.add(record)
            report(record)
    if stopped:
        raise stopped


def record_of(
    question: Question,
    exact: Exact,
    answer: Any,
    log: Log,
    *,
    seed: int = 0,
    pictures_only: bool = False,
    scripted: bool = False,
    seconds: float = 0.0,
    error: str = "",
) -> Record:
    """The record of an answer, scored, with the calls that the log has of its question."""
    worked = work_out(exact.scene, question.truth, exact)
    calls = log.of(question.id)
    return Record(
        question.id,
        question.scene,
        question.scene_kind,
        question.topic,
        seed,
        answer,
        worked.answer,
        failure(question, worked, answer, exact, calls, pictures_only=pictures_only, scripted=scripted),
        calls,
        log.input_tokens,
        log.output_tokens,
        round(seconds, 2),
        error,
    )


def scored(questions: Sequence[Question], answers: dict[str, Any], log: Log, cache: Path, records: Records) -> None:
    """Records answers that somebody gave from outside, with the log of their calls."""
    names = sorted({question.scene for question in questions})
    made_scenes.prepare(cache, names)
    exact = {name: Exact(made_scenes.load(cache, name)) for name in names}
    for question in questions:
        seconds = sum(call.get("seconds", 0.0) for call in log.of(question.id))
        records.add(
            record_of(
                question,
                exact[question.scene],
                answers.get(question.id),
                log,
                pictures_only=records.setup.pictures_only,
                seconds=seconds,
            )
        )
