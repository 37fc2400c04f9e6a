"""A worker: one Engine, whose models are loaded once, that answers rows and writes one part for those it is given together."""

import logging
import os
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from t2s_agent.batch.job import Job
from t2s_agent.batch.kept import changed_since
from t2s_agent.batch.ledger import Line
from t2s_agent.batch.locks import hold_as_worker
from t2s_agent.batch.parts import Answered, Compared, Outlined, write_part
from t2s_agent.batch.rows import Row
from t2s_agent.batch.schema import TABLES
from t2s_agent.errors import T2SError
from t2s_agent.models import Models
from t2s_agent.pipeline import Engine, segment
from t2s_agent.pipeline.change import change
from t2s_agent.results.record import Record
from t2s_agent.results.store import ResultStore
from t2s_agent.scene.remote.address import is_address, without_secrets
from t2s_agent.text import one_line, without_queries

# what would happen to every row that follows, and is not the scene's fault
STOPPING = {"output_unwritable", "model_unavailable"}
_log = logging.getLogger(__name__)


class Worker:
    """Answers rows. While it lives it holds a lock of the output folder, for which the next run waits."""

    def __init__(self, job: Job, name: str) -> None:
        self._job, self.name = job, name
        self._lock = hold_as_worker(job.out)
        settings = job.settings.model_copy(update={"store": job.results})
        limits = {}
        if job.store is not None:
            limits = {"max_bytes": settings.store_max_bytes, "max_age_days": settings.store_max_age_days}
        self._engine = Engine(settings, Models(settings), ResultStore(job.results, **limits))  # type: ignore[arg-type]  # by name

    def close(self) -> None:
        os.close(self._lock)

    def run(self, rows: Sequence[Row]) -> list[Line]:
        """Answers rows and returns their lines, after their regions are on the disk. A row that fails has a line that says why.

        Raises T2SError of `STOPPING`: nothing was written of rows that have no line.
        """
        lines: list[Line] = []
        answered: list[Outlined] = []
        for row in rows:
            began = time.perf_counter()
            try:
                found = self._answer(row)
            except T2SError as error:
                if error.code in STOPPING:
                    raise
                lines.append(self._failed(row, error, began))
            except Exception as error:  # noqa: BLE001 (a bug in one row of an archive is logged here, and the others go on)
                _log.error("row %s of %s\n%s", row.id, row.scene, without_queries(traceback.format_exc()))
                bug = T2SError("internal", f"{type(error).__name__}: {error}", "Report it with the log of this run")
                lines.append(self._failed(row, bug, began))
            else:
                lines.append(_line(row, self.name, began).model_copy(update=found.facts()))
                if lines[-1].regions:
                    answered.append(found)
        return self._with_parts(lines, answered)

    def _answer(self, row: Row) -> Outlined:
        if row.problem:
            raise T2SError("image_not_found", row.problem, "")
        options: Any = self._job.options()
        bands = options.pop("bands")
        options["bands"] = bands or row.bands
        known = self._known(row, row.result, row.image), self._known(row, row.result_after, row.image_after)
        if row.image_after:
            own = None if bands else row.bands_after
            images = row.image, row.image_after
            return Compared(row, change(self._engine, *images, row.question, bands_after=own, known=known, **options))
        return Answered(row, known[0] or segment(self._engine, row.image, row.question, **options))

    def _known(self, row: Row, result: str, image: str) -> Record | None:
        """A stored result; None where it has to be made (again)."""
        if not result:
            return None
        try:
            record = self._engine.store.load(result)
        except T2SError:  # it was deleted, or is damaged
            return None
        stale = row.attempt > 1 and (record.status == "partly" or changed_since(image, record))
        return None if stale else record

    def _with_parts(self, lines: list[Line], answered: list[Outlined]) -> list[Line]:
        parts: dict[str, tuple[str, int]] = {}
        for table in TABLES.values():
            of_kind = [each for each in answered if each.table == table]
            if of_kind:
                path = write_part(self._job.out, of_kind, self._engine.store)
                parts |= {each.row.id: (path, len(of_kind)) for each in of_kind}
        return [
            line.model_copy(update={"part": parts[line.id][0], "part_rows": parts[line.id][1]})
            if line.id in parts
            else line
            for line in lines
        ]

    def _failed(self, row: Row, error: T2SError, began: float) -> Line:
        return failed_line(row, error, self.name, time.perf_counter() - began)


def failed_line(row: Row, error: T2SError, worker: str, seconds: float = 0.0) -> Line:
    """The line of a row that failed."""
    line = _line(row, worker, time.perf_counter() - seconds)
    return line.model_copy(update={"code": error.code, "message": f"{error.what}. {error.fix}".removesuffix(". ")})


def _line(row: Row, worker: str, began: float) -> Line:
    return Line(
        id=row.id,
        scene=row.scene,
        image=_shown(row.image),
        image_after=_shown(row.image_after),
        question_id=row.question_id,
        question=row.question,
        status="failed",
        seconds=round(time.perf_counter() - began, 4),
        worker=worker,
        attempt=row.attempt,
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _shown(image: str) -> str:
    """A path or an address for the ledger: without a signature, and with bytes that are no UTF-8 escaped."""
    text = without_secrets(image) if is_address(image) else image
    return one_line(text.encode("utf-8", "backslashreplace").decode(), 4_000)
