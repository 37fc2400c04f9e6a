"""Queues and runs the work of models: equal calls share one job, credentials take turns, and unwanted work is stopped.

Worker threads do the work. A call watches its job from its event loop, and a job that takes too long goes on after the call.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from t2s_agent.errors import T2SError
from t2s_agent.text import without_queries

log = logging.getLogger(__name__)
Work = Callable[[Callable[[str], None]], Any]  # takes a progress function, returns the answer
MOST_LINGERING = 8  # abandoned steps at the same time; further ones occupy their worker until they end
KEPT_S = 900.0  # how long an answer is kept after its call got "running" and may come again


class Stopped(Exception):
    """No caller waits for this work any longer. Raised by `progress`, between two steps."""


@dataclass(eq=False)
class Job:
    """One piece of work and the callers that wait for it."""

    id: str
    key: str
    owner: str
    work: Work
    steps: list[str] = field(default_factory=list)
    answer: Any = None
    error: Exception | None = None
    begun: bool = False
    promised: bool = False  # a caller got "running" and will come back: the work goes on even if all callers leave
    quiet_calls: int = 0  # calls for this job by clients that do not ask for progress
    changed: datetime | None = None  # time of its last step or its end, UTC
    abandoned: bool = False  # stopped in the middle of a step, which goes on without occupying a worker
    done: bool = False
    ended: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    watchers: list[Callable[[], None]] = field(default_factory=list)

    def report(self, step: str) -> None:
        """Records a step; called by the worker thread. Raises Stopped if the work is no longer wanted."""
        if self.stop.is_set():
            raise Stopped
        self.steps.append(step)
        self.changed = datetime.now(UTC)
        self._notify()

    def _notify(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


class Watch:
    """Lets one caller wait for changes of a job, in the caller's event loop."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wakes the caller; may be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: no one waits any longer
            self._loop.call_soon_threadsafe(self._changed.set)

    async def change(self, timeout_s: float) -> bool:
        """Waits until the job changes, at most `timeout_s` seconds; returns whether it changed."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Jobs:
    """The table of jobs, their queue, and the worker threads.

    Credentials take turns, so a credential with a hundred waiting calls does not delay another with a single call.
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
        """Returns a watch on the job for this call: the job with equal arguments if there is one, else a new job.

        The caller must always `leave` the watch. Raises `limit_exceeded` if the owner has too many waiting calls.
        """
        text = json.dumps([owner, call, arguments], sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(text.encode()).hexdigest()
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
        """Ends a caller's wait. Work that no one else waits for is stopped, unless its answer was promised for later.

        A promised job goes on even if a later call for it is cancelled, because clients that give up after a few seconds call
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
        """Withdraws the promise of an answer: the work is stopped unless a call waits for it now."""
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
        """Context for work done outside the workers: starts at this credential's turn and occupies a worker until it ends."""
        begun, over = threading.Event(), threading.Event()

        def hold(progress: Callable[[str], None]) -> None:
            begun.set()
            progress("working")
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
        """Returns the job's place in its credential's queue, from 1; 0 if it is not waiting."""
        with self._lock:
            waiting = self._turns.get(job.owner, ())
            return waiting.index(job) + 1 if job in waiting else 0

    def close(self, wait_s: float = 1.0) -> bool:
        """Stops all work at its next step; returns whether every thread ended within `wait_s` seconds."""
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
        """Frees the worker of a job in a step that cannot be interrupted, such as a hanging request to an endpoint."""
        if job.begun and self._lingering < MOST_LINGERING:
            job.abandoned = True
            self._lingering += 1
            self._places -= 1
            self._start_threads()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.report("starting")
                job.answer = job.work(job.report)
            except Stopped:
                log.info("%s was stopped: no caller waits for it", job.id)
                job.error = T2SError("internal", "the call was cancelled", "Call again")
            except T2SError as error:
                job.error = error
            except Exception as error:  # noqa: BLE001 (a bug is logged here and reaches the agent as "internal")
                log.error("%s failed\n%s", job.id, without_queries(traceback.format_exc()))  # noqa: TRY400 (that is without_queries')
                job.error = error
            with self._lock:
                job.done, job.ended, job.changed = True, time.monotonic(), datetime.now(UTC)
                job._notify()
                if job.abandoned:
                    self._lingering -= 1
                    return  # another thread has replaced this one

    def _next(self) -> Job | None:
        with self._lock:
            while not self._closed:
                for owner in list(self._turns):
                    waiting = self._turns.pop(owner)
                    if waiting:
                        job = waiting.popleft()
                        job.begun = True
                        if waiting:
                            self._turns[owner] = waiting  # at the end: the other owners come first
                        return job
                self._lock.wait()
            return None

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            if job.done and not job.watchers and now - job.ended > KEPT_S:
                del self._jobs[key]
