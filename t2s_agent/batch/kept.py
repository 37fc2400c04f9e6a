"""Finds results that an earlier run stored and could not write a line for, so that their rows are not asked again."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from t2s_agent.batch.job import LIMITS, Job
from t2s_agent.batch.rows import Row
from t2s_agent.errors import T2SError
from t2s_agent.results.record import Record
from t2s_agent.results.store import ResultStore
from t2s_agent.scene.scale import COARSE


def with_kept(rows: Iterable[Row], job: Job, named: set[str]) -> Iterator[Row]:
    """The rows, each with the result that answers it where there is one in the folder's own store. `named`: ids in the ledger.

    A result answers a row if image, question, options and models are the row's, and the image has not changed since.
    """
    kept = _unnamed(job, named) if job.store is None else {}
    for row in rows:
        first, second = _id(kept, row.image, row), _id(kept, row.image_after, row)
        yield replace(row, result=first or row.result, result_after=second or row.result_after)


def _id(kept: dict[tuple[str, str], Record], image: str, row: Row) -> str:
    """The id of the result of an image; empty without one that fits.

    It does not where the image changed, or where the row is begun again and the result is one that was not finished either.
    """
    record = kept.get((image, row.question))
    unfit = record is None or changed_since(image, record) or (row.attempt > 1 and record.status == "partly")
    return "" if record is None or unfit else record.id


def _unnamed(job: Job, named: set[str]) -> dict[tuple[str, str], Record]:
    if not job.results.is_dir():
        return {}
    store = ResultStore(job.results)
    found = {}
    for summary in store.listed().results:
        if summary.id in named or summary.operation != "segment" or summary.parents:
            continue
        try:
            record = store.load(summary.id, regions=False)
        except T2SError:  # it is damaged, and not used
            continue
        if _answers(record, job):
            found[record.scene.path, record.query] = record
    return found


def _answers(record: Record, job: Job) -> bool:
    given, settings, asked = record.parameters, job.settings, record.prompted
    wanted = {
        "bbox": None,
        "bands": job.bands,
        "stretch": job.stretch,
        "merge": job.merge,
        "min_area_m2": job.min_area_m2,
    }
    return (
        all(given.get(name) == value for name, value in wanted.items())
        and _at_that_resolution(record, job)
        and (record.prompter.name, record.segmenter.name) == (settings.prompter, settings.segmenter)
        and (asked.style, asked.samples, asked.seed) == (settings.style, settings.samples, settings.seed)
        and record.scene.max_size == settings.max_size
    )


def _at_that_resolution(record: Record, job: Job) -> bool:
    """Whether a result looked at windows where the job would, within the same limits."""
    mode = record.parameters.get("mode")
    if mode != "overview" and record.tiling is not None:
        wanted = {name: getattr(job, name) for name in LIMITS}
        if job.pairs and job.gsd_m is None:
            wanted["gsd_m"] = "native"  # as two dates are asked
        limits = all(record.parameters.get(name) == value for name, value in wanted.items())
        return limits and job.mode in ("auto", mode)  # `auto`: a resolution that was chosen by the question
    shown = record.scene.scene_px_per_view_px or 1.0
    return job.mode == "overview" or (job.gsd_m is None and shown <= (1.0 if job.mode == "full" else COARSE))


def changed_since(image: str, record: Record) -> bool:
    """Whether an image was written after its result; True where that is not known."""
    try:
        written = Path(image).stat().st_mtime
        return written >= datetime.fromisoformat(record.created_utc).timestamp()
    except (OSError, ValueError):
        return True
