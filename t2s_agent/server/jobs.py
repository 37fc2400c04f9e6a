"""Work that models do for callers: joined where it is the same, fair between credentials, stopped where nobody waits.

Threads work, event loops wait: a call watches a job from its loop, and the job outlives the call where it takes too long.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from t2s_agent.errors import T2SError

log = logging.getLogger(__name__)
Work = Callable[[Callable[[str], None]], Any]  # takes progress, gives an answer
MOST_LINGERING = 8  # abandoned steps at once; beyond that they hold their worker until they end
KEPT_S = 900.0  # how long the answer to a call that was told "running" waits for that call to be made again


class Stopped(Exception):
    """Nobody waits for this work any longer. Raised out of `progress`, between two steps."""


@dataclass(eq=False)
class Job:
    """One piece of work and all who wait for it."""

    id: str
    key: str
    owner: str
    work: Work
    steps: list[str] = field(default_factory=list)
    answer: Any = None
    error: Exception | None = None
    begun: bool = False
    promised: bool = False  # a caller was told to come back: from then on the work goes on, whoever leaves
    quiet_calls: int = 0  # calls for it by clients that ask for no progress
    changed: datetime | None = None  # of its last step or its end, UTC
    abandoned: bool = False  # stopped in the middle of a step, which goes on without holding a worker's place
    done: bool = False
    ended: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    watchers: list[Callable[[], None]] = field(default_factory=list)

    def tell(self, step: str) -> None:
        """Progress from the working thread. Raises Stopped where the work is no longer wanted."""
        if self.stop.is_set():
            raise Stopped
        self.steps.append(step)
        self.changed = datetime.now(UTC)
        self._notify()

    def _notify(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


class Watch:
    """One caller's eye on a job, in the caller's event loop."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(self._changed.set)

    async def change(self, timeout_s: float) -> bool:
        """Waits until the job gets on, or so many seconds. Whether it got on."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Jobs:
    """The table of jobs, their queue, and the threads that work on them.

    Credentials take turns: whoever asks a hundred things waits for them, not the next one who asks a single thing.
    """

    def __init__(self, workers: int = 1, max_waiting: int = 32) -> None:
        self._workers, self._max_waiting = workers, max_waiting
        self._turns: OrderedDict[str, deque[Job]] = OrderedDict()  # owner -> its jobs; the first owner is next
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._places = self._lingering = 0
        self._lock = threading.Condition()
        self._closed = False

    def join(self, owner: str, call: str, arguments: dict[str, Any], work: Work) -> Watch:
        """A watch on the job of this very call: the one under way, or a new one. `leave` it in any case."""
        said = json.dumps([owner, call, arguments], sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(said.encode()).hexdigest()
        with self._lock:
            self._forget_old()
            job = self._jobs.get(key)
            if job is None or job.stop.is_set():
                waiting = self._turns.get(owner, ())
                if len(waiting) >= self._max_waiting:
                    raise T2SError(
                        "limit_exceeded",
                        f"{len(waiting)} calls of yours are waiting already",
                        "Wait for some of them, then call again",
                    )
                job = self._jobs[key] = Job(f"j_{key[:12]}", key, owner, work)
                self._turns.setdefault(owner, deque()).append(job)
                self._start_threads()
                self._lock.notify()
            watch = Watch(job)
            job.watchers.append(watch.notify)
            return watch

    def leave(self, watch: Watch, *, promise: bool = False) -> None:
        """The caller goes. Work that nobody else waits for is stopped, unless its answer was promised for later.

        A job that was promised once goes on though a later call for it is cancelled: clients that give up after a few seconds call
        again.
        """
        job = watch.job
        with self._lock:
            job.watchers.remove(watch.notify)
            job.promised |= promise
            if job.done:
                if not promise and not job.watchers:
                    self._jobs.pop(job.key, None)
            elif not job.watchers and not job.promised:
                self._stop(job)

    def give_up(self, job: Job) -> None:
        """Whoever was promised an answer wants it no more: the work is stopped unless a call waits for it now."""
        with self._lock:
            job.promised = False
            if not job.done and not job.watchers:
                self._stop(job)

    def _stop(self, job: Job) -> None:
        job.stop.set()
        self._replace_worker_of(job)
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
        waiting = self._turns.get(job.owner)
        if waiting and job in waiting:
            waiting.remove(job)

    @contextlib.asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """For work that is done elsewhere: begins when it is this credential's turn, and holds the place of a job until it ends."""
        begun, over = threading.Event(), threading.Event()

        def hold(progress: Callable[[str], None]) -> None:
            begun.set()
            progress("at work")
            over.wait()

        watch = self.join(owner, "turn", {"of": secrets.token_hex(8)}, hold)
        try:
            while not begun.is_set():
                await watch.change(60)
            yield
        finally:
            over.set()
            self.leave(watch)

    def ahead_of(self, job: Job) -> int:
        """How many jobs wait for a model before this one would, by its own credential's queue; 0 where it is at work."""
        with self._lock:
            waiting = self._turns.get(job.owner, ())
            return waiting.index(job) + 1 if job in waiting else 0

    def close(self, wait_s: float = 1.0) -> bool:
        """Stops all work at its next step. Whether every thread has ended within that time."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.stop.set()
            self._turns.clear()
            self._lock.notify_all()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _start_threads(self) -> None:
        if self._places < self._workers:
            self._places += 1
            thread = threading.Thread(target=self._work, name="t2s-work", daemon=True)
            self._threads = [*(each for each in self._threads if each.is_alive()), thread]
            thread.start()

    def _replace_worker_of(self, job: Job) -> None:
        """A step that cannot be interrupted, such as a request to an endpoint that hangs, must not hold up other calls."""
        if job.begun and self._lingering < MOST_LINGERING:
            job.abandoned = True
            self._lingering += 1
            self._places -= 1
            self._start_threads()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.tell("starting")
                job.answer = job.work(job.tell)
            except Stopped:
                log.info("%s was stopped: nobody waits for it", job.id)
                job.error = T2SError("internal", "the call was cancelled", "Call again")
            except T2SError as error:
                job.error = error
            except Exception as error:  # the one border: a bug is logged here and reaches the agent as internal
                log.exception("%s failed", job.id)
                job.error = error
            with self._lock:
                job.done, job.ended, job.changed = True, time.monotonic(), datetime.now(UTC)
                job._notify()
                if job.abandoned:
                    self._lingering -= 1
                    return  # its place has been taken

    def _next(self) -> Job | None:
        with self._lock:
            while not self._closed:
                for owner in list(self._turns):
                    waiting = self._turns.pop(owner)
                    if waiting:
                        job = waiting.popleft()
                        job.begun = True
                        if waiting:
                            self._turns[owner] = waiting  # at the end: the others come first
                        return job
                self._lock.wait()
            return None

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            if job.done and not job.watchers and now - job.ended > KEPT_S:
                del self._jobs[key]
