"""The same records as tasks of inspect_ai, for its viewer and its statistics; an extra: pip install "t2s-agent[evals]".

    inspect eval evals/inspect_tasks.py@chains -T records=runs/truth/records.jsonl --model none/none
    inspect eval evals/inspect_tasks.py@masks -T scores=runs/nano/scores.jsonl --model none/none

No model is asked: answers are those that were stored, scored as they were. Each stored answer is a sample of its own, seeds too, in
one epoch: inspect_ai reduces epochs key by key, which would pair the intersection of one with the union of another. What cannot be
scored is left out before: a score of nan would leave the mean silently, and None in a mapping would count as 0.
"""

from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, ci, mean, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from evals.chains.records import read_records
from evals.run.scores import read_scores

# ruff: noqa: ARG001 (inspect_ai calls with both arguments by name)
STORED = "stored"  # the key of a sample's metadata under which its score lies


@task
def chains(records: str) -> Task:
    """The records of `evals.chains run`: the share of right answers, with an interval by bootstrap over scenes.

    By bootstrap, since `ci` by Student's t leaves 0..1.
    """
    _, rows = read_records(Path(records))
    samples = [
        Sample(
            input=row.question,
            target=str(row.truth),
            id=f"{row.question} seed {row.seed}",
            metadata={
                STORED: float(not row.failure),
                "answer": str(row.answer),
                "scene": row.scene,
                "class": row.topic,
                "failure": row.failure,
            },
        )
        for row in rows
    ]
    return Task(dataset=MemoryDataset(samples, name="chains"), solver=stored_answer(), scorer=right())


@task
def masks(scores: str) -> Task:
    """The scores of `evals.run`: cIoU as the ratio of summed intersections to summed unions, over the original pixels."""
    rows, _ = read_scores(Path(scores))
    samples = []
    for row in rows:
        if not row.known:  # the dataset does not say what is true
            continue
        answer = row.grids["original"].answer
        stored = {"intersection": answer.intersection, "union": answer.union}
        samples.append(
            Sample(
                input=row.question, id=row.id, metadata={STORED: stored, "answer": row.status, "cluster": row.cluster}
            )
        )
    return Task(dataset=MemoryDataset(samples, name="masks"), solver=stored_answer(), scorer=areas())


@solver
def stored_answer() -> Solver:
    """Gives the answer that was stored."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("stored", str(state.metadata["answer"]))
        return state

    return solve


@scorer(metrics=[mean(), ci(method="bootstrap", cluster="scene")])
def right() -> Scorer:
    """1 for a right answer, 0 for another, as `evals.chains.score` found."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(
            value=state.metadata[STORED], answer=state.output.completion, explanation=state.metadata["failure"]
        )

    return score


@metric
def ratio_of_sums(top: str = "intersection", bottom: str = "union") -> Metric:
    """The sum of one value over the sum of another, over all samples; nan where there is nothing to divide by."""

    def compute(scores: list[SampleScore]) -> float:
        sums = {name: sum(_number(each.score.value, name) for each in scores) for name in (top, bottom)}
        return sums[top] / sums[bottom] if sums[bottom] else float("nan")

    return compute


def _number(value: Any, name: str) -> float:
    if not isinstance(value, dict) or value.get(name) is None:
        raise ValueError(f"a score has no {name}: leave such samples out before")
    return float(value[name])


@scorer(metrics=[ratio_of_sums()])
def areas() -> Scorer:
    """Intersection and union in pixels, as they were stored."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=state.metadata[STORED], answer=state.output.completion)

    return score
