"""Where rows are answered: in this process, or in processes of their own. A pool gives out groups of rows and says which ended how."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from t2s_agent.batch.job import Job
from t2s_agent.batch.ledger import Line
from t2s_agent.batch.rows import Row
from t2s_agent.batch.worker import Worker
from t2s_agent.errors import T2SError

_TIDY_S = 2.0  # for a worker that is ended; one in a long call is killed then


@dataclass(frozen=True, slots=True)
class Ended:
    """A group of rows that ended: with lines, with an error that stops the run, or with neither where its worker died."""

    rows: Sequence[Row]
    lines: Sequence[Line] | None = None
    error: T2SError | None = None
    worker: str = ""


class Pool(Protocol):
    """Workers that take groups of rows."""

    size: int

    @property
    def idle(self) -> int:
        """How many groups can be given out now."""

    def submit(self, rows: Sequence[Row]) -> None:
        """Gives a group to an idle worker."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """The groups that ended, after at most this long. A worker that died is replaced."""

    def close(self) -> None:
        """Ends the workers at once."""


class InProcess:
    """One worker in this process: for tests and for debugging. A crash of the process ends the run."""

    size = 1

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job, "0")
        self._waiting: Sequence[Row] | None = None

    @property
    def idle(self) -> int:
        return int(self._waiting is None)

    def submit(self, rows: Sequence[Row]) -> None:
        self._waiting = rows

    def wait(self, timeout_s: float) -> list[Ended]:  # noqa: ARG002 (the protocol's; the work is done here)
        rows, self._waiting = self._waiting, None
        if rows is None:
            return []
        return [Ended(rows, *answer_of(self._worker, rows))]

    def close(self) -> None:
        self._worker.close()


class Processes:
    """Workers in processes of this machine, each with its own models."""

    def __init__(self, job: Job, size: int) -> None:
        self.size = size
        self._job = job
        self._context = multiprocessing.get_context("spawn")
        self._begun = 0
        self._workers = [self._start() for _ in range(size)]

    @property
    def idle(self) -> int:
        return sum(worker.rows is None for worker in self._workers)

    @property
    def process_ids(self) -> list[int]:
        """Of the workers that live."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def submit(self, rows: Sequence[Row]) -> None:
        for index, worker in enumerate(self._workers):
            if worker.rows is None:
                try:
                    worker.pipe.send(list(rows))
                except (BrokenPipeError, ConnectionResetError):  # it died while it was idle
                    worker.end()
                    worker = self._workers[index] = self._start()
                    worker.pipe.send(list(rows))
                worker.rows = rows
                return
        raise RuntimeError("no worker is idle")

    def wait(self, timeout_s: float) -> list[Ended]:
        busy = {worker.pipe: index for index, worker in enumerate(self._workers) if worker.rows is not None}
        ended = []
        for pipe in wait(list(busy), timeout_s):
            index = busy[pipe]  # type: ignore[index]  # only pipes were given
            worker = self._workers[index]
            rows = worker.rows or ()
            try:
                lines, error = worker.pipe.recv()
            except (EOFError, OSError):
                worker.end()
                self._workers[index] = self._start()
                ended.append(Ended(rows, worker=worker.name))
            else:
                worker.rows = None
                ended.append(Ended(rows, lines, error, worker.name))
        return ended

    def close(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()

    def _start(self) -> "_Running":
        self._begun += 1
        name = str(self._begun)
        own, other = self._context.Pipe()
        cores = max(1, (os.cpu_count() or 1) // self.size)
        process = self._context.Process(
            target=serve, args=(other, self._job.as_values(), name, cores), name=f"t2s-batch-{name}", daemon=True
        )
        process.start()
        other.close()
        return _Running(name, process, own)


@dataclass(slots=True)
class _Running:
    name: str
    process: Any  # multiprocessing.context.SpawnProcess
    pipe: "Connection[Any, Any]"
    rows: Sequence[Row] | None = None

    def end(self) -> None:
        self.process.terminate()  # it removes what it was writing
        self.process.join(_TIDY_S)
        self.process.kill()
        self.process.join()
        self.pipe.close()


def serve(pipe: "Connection[Any, Any]", job: dict[str, Any], name: str, cores: int) -> None:
    """A worker's process: groups of rows come in, their lines or an error go out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ.setdefault("OMP_NUM_THREADS", str(cores))  # before torch is imported
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(Job.of_values(job), name)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(answer_of(worker, pipe.recv()))


def answer_of(worker: Worker, rows: Sequence[Row]) -> tuple[Sequence[Line] | None, T2SError | None]:
    """The lines of a group, or the error that stops the run: as values, which travel between processes."""
    try:
        return worker.run(rows), None
    except T2SError as error:
        return None, error


def _end_with_parent() -> None:
    """Ends this process when the one that started it ends, also after `kill -9`."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
