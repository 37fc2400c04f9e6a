"""Runs an archive: finds out what is left to do, has it done by workers, and writes the ledger. It can be killed at any time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from t2s_agent.batch.compact import compact
from t2s_agent.batch.job import Job
from t2s_agent.batch.kept import with_kept
from t2s_agent.batch.ledger import Ledger, Line
from t2s_agent.batch.locks import only_run
from t2s_agent.batch.parts import remove_unknown, write_columns
from t2s_agent.batch.pools import InProcess, Pool, Processes
from t2s_agent.batch.questions import Question
from t2s_agent.batch.renewing import remove_replaced
from t2s_agent.batch.rows import Row, rows_of
from t2s_agent.batch.scenes import SceneRef
from t2s_agent.batch.schedule import Progress, Report, Schedule
from t2s_agent.batch.schema import CHANGES, REGIONS, require_pyarrow
from t2s_agent.batch.summary import Summary, summed
from t2s_agent.batch.writing import telling
from t2s_agent.errors import T2SError
from t2s_agent.regions.units import METRES

PoolOf = Callable[[Job], Pool]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended. `rows` of the archive, of which `done` in this run and `before` earlier; `summary` of the whole folder.

    `repaired` counts lines and parts of a run that was killed, which were thrown away: their rows were done again.
    """

    rows: int
    done: int
    before: int
    repaired: int
    summary: Summary


def run_batch(
    job: Job,
    scenes: Sequence[SceneRef],
    questions: Sequence[Question],
    *,
    pool: PoolOf | None = None,
    workers: int = 1,
    retry_failed: bool = False,
    finish_partly: bool = False,
    report: Report = lambda _: None,
) -> Finished:
    """Answers every question about every scene that has no line in the ledger yet; with `retry_failed` also those that failed.

    With `finish_partly` also large scenes of which windows failed or were not reached: only those windows are looked at, and the limits
    of windows, seconds and tokens may be higher than before.

    `pool` makes the workers; None: `workers` processes on this machine, 0: this process. Raises `output_unwritable` for a folder
    that another run writes to, `argument_invalid` for one that was begun with other settings or questions that name a scene that is
    not there, and what stops a run (`Schedule.run`). What is done is in the ledger then too.
    """
    require_pyarrow()
    _require_scenes(questions, scenes)
    rows = list({row.id: row for row in rows_of(scenes, questions)}.values())
    with telling(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
    with only_run(job.out):
        job.require_same(raised=finish_partly)
        ledger = Ledger(job.out)
        remove_replaced(job.out, ledger)
        repaired = ledger.dropped + remove_unknown(job.out, set(ledger.parts()))
        write_columns(job.out, (CHANGES if job.pairs else REGIONS)[METRES.area])
        named = {result for line in ledger.lines.values() for result in (line.result, line.result_after)}
        to_do = list(with_kept(_to_do(rows, ledger, retry_failed, finish_partly), job, named))
        if to_do:
            made = pool(job) if pool else InProcess(job) if workers == 0 else Processes(job, min(workers, len(to_do)))
            try:
                Schedule(to_do, made, lambda lines: ledger.add([_kept(line, ledger) for line in lines]), report).run()
            finally:
                made.close()
                remove_replaced(job.out, ledger)
        compact(job.out, ledger)
        summary = summed(ledger.lines.values())
    return Finished(len(rows), len(to_do), len(rows) - len(to_do), repaired, summary)


def _to_do(rows: Sequence[Row], ledger: Ledger, retry_failed: bool, finish_partly: bool) -> Iterator[Row]:
    for row in rows:
        line = ledger.lines.get(row.id)
        if line is None:
            yield row
        elif (retry_failed and line.status == "failed") or (finish_partly and line.unfinished):
            again = replace(row, attempt=line.attempt + 1)
            # of two dates one may be whole: the worker asks about the other
            yield replace(again, result=line.result, result_after=line.result_after) if line.change else again


def _kept(line: Line, ledger: Ledger) -> Line:
    """The line to add: where a row that is partly done could not be finished, its answer so far stays, with what happened."""
    before = ledger.lines.get(line.id)
    if line.status != "failed" or before is None or not before.unfinished:
        return line
    said = {name: getattr(line, name) for name in ("code", "message", "attempt", "worker", "finished_utc")}
    return before.model_copy(update=said)


def _require_scenes(questions: Sequence[Question], scenes: Sequence[SceneRef]) -> None:
    names = {scene.name for scene in scenes}
    for question in questions:
        if question.scene and question.scene not in names:
            near = sorted(names)[:3]
            raise T2SError(
                "argument_invalid",
                f"the question {question.id!r} is about {question.scene[:200]!r}, which is none of the scenes",
                f"Name a scene as the ledger does, for example {', '.join(near)}",
            )


__all__ = ["Finished", "PoolOf", "Progress", "run_batch"]
