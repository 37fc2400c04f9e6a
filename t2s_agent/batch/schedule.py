"""Gives rows to workers in groups, and decides what becomes of rows whose worker died.

A group takes about five seconds, so that many short rows share a part and few are lost with their worker. A worker that dies may take
good rows with it: each row of its group is tried again once, alone, and fails for good if its worker dies again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from t2s_agent.batch.ledger import Line
from t2s_agent.batch.pools import Ended, Pool
from t2s_agent.batch.rows import Row
from t2s_agent.batch.worker import failed_line
from t2s_agent.errors import T2SError

GROUP_S = 5.0
LARGEST_GROUP = 256
_POLL_S = 0.5
_DEATHS = 6  # of workers in a row without one answered row, after which the run stops
_REFUSALS = 20  # failures of the endpoint in a row, after which the run stops


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows that are done of those to do in this run, how many of them failed, rows a second, and seconds left (None: not known)."""

    done: int
    total: int
    failed: int
    rate: float
    left_s: float | None


Report = Callable[[Progress], None]


class Schedule:
    """The rows of one run. `run` returns when all have a line; `keep` gets the lines of each group as it ends."""

    def __init__(self, rows: Iterable[Row], pool: Pool, keep: Callable[[Sequence[Line]], None], report: Report) -> None:
        self._waiting, self._alone = deque(rows), deque[Row]()
        self._pool, self._keep, self._report = pool, keep, report
        self._total = len(self._waiting)
        self._done = self._failed = self._deaths = self._refusals = 0
        self._again: set[str] = set()
        self._begun: dict[str, float] = {}  # by the first row of a group
        self._size = 1
        self._since = time.monotonic()

    def run(self) -> None:
        """Raises T2SError where going on makes no sense: a full disk, no model, an endpoint or workers that never answer."""
        busy = 0
        while self._waiting or self._alone or busy:
            while self._pool.idle and (group := self._next()):
                self._begun[group[0].id] = time.monotonic()
                self._pool.submit(group)
                busy += 1
            for ended in self._pool.wait(_POLL_S):
                busy -= 1
                self._end(ended)
            self._tell()

    def _next(self) -> list[Row]:
        if self._alone:
            return [self._alone.popleft()]
        fair = max(1, len(self._waiting) // (2 * self._pool.size))  # so that all workers end at about the same time
        return [self._waiting.popleft() for _ in range(min(self._size, fair, len(self._waiting)))]

    def _end(self, ended: Ended) -> None:
        took = time.monotonic() - self._begun.pop(ended.rows[0].id)
        if ended.error is not None:
            raise ended.error
        if ended.lines is None:
            self._worker_died(ended)
            return
        self._deaths = 0
        each = max(took / len(ended.rows), 1e-3)
        self._size = max(1, min(LARGEST_GROUP, 2 * self._size, int(GROUP_S / each)))
        self._take(ended.lines)

    def _take(self, lines: Sequence[Line]) -> None:
        self._keep(lines)
        self._done += len(lines)
        for line in lines:
            self._failed += line.status == "failed"
            self._refusals = self._refusals + 1 if line.code == "endpoint_failed" else 0
        if self._refusals >= _REFUSALS:
            last = lines[-1]
            raise T2SError(
                "endpoint_failed",
                f"{self._refusals} rows in a row failed: {last.message}",
                "Check the endpoint, then run again with --retry-failed",
            )

    def _worker_died(self, ended: Ended) -> None:
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise T2SError(
                "worker_died",
                f"{self._deaths} workers in a row died without answering one row",
                "Run one row with `t2s-agent segment` to see why; with little memory use fewer --workers",
            )
        for row in ended.rows:
            if row.id not in self._again:
                self._again.add(row.id)
                self._alone.append(replace(row, attempt=row.attempt + 1))
                continue
            error = T2SError(
                "worker_died",
                "the process that worked on it died twice",
                "Run it alone with `t2s-agent segment`; it may need more memory than there is",
            )
            self._take([failed_line(row, error, ended.worker)])

    def _tell(self) -> None:
        elapsed = max(time.monotonic() - self._since, 1e-3)
        rate = self._done / elapsed
        left = (self._total - self._done) / rate if self._done else None
        self._report(Progress(self._done, self._total, self._failed, rate, left))
