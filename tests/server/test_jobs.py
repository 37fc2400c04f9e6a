"""Jobs: joined where they are the same, in fair turns, stopped where nobody waits."""

import asyncio
import threading

import pytest
from served.data import JobEvents, happened

from t2s_agent.errors import T2SError
from t2s_agent.server.jobs import Jobs, Stopped, Watch


class Gate:
    """Work that waits to be let go, and remembers who did it in which order."""

    def __init__(self):
        self.open, self.entered, self.order = threading.Event(), threading.Semaphore(0), []

    def work(self, name):
        def run(progress):
            self.order.append(name)
            self.entered.release()
            self.open.wait(10)
            progress("after the gate")
            return name

        return run


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def jobs():
    made = Jobs(workers=1, max_waiting=4)
    yield made
    assert made.close(5)


async def ended(watch):
    while not watch.job.done:
        await watch.change(10)
    return watch.job


async def over(job):
    """The end of a job that all its callers have left, watched by the test."""
    watch = Watch(job)
    job.watchers.append(watch.notify)
    return await ended(watch)


async def at_work(gate):
    await asyncio.to_thread(gate.entered.acquire)


def test_the_same_call_joins_the_same_job_and_another_owners_does_not(jobs, gate):
    async def main():
        first = jobs.join("ann", "tool", {"a": 1, "b": 2}, gate.work("first"))
        same = jobs.join("ann", "tool", {"b": 2, "a": 1}, gate.work("same"))
        other = jobs.join("bob", "tool", {"a": 1, "b": 2}, gate.work("other"))
        assert same.job is first.job
        assert other.job is not first.job
        gate.open.set()
        assert (await ended(same)).answer == "first"
        assert (await ended(other)).answer == "other"
        for watch in (first, same, other):
            jobs.leave(watch)

    asyncio.run(main())


def test_credentials_take_turns(jobs, gate):
    async def main():
        held = jobs.join("ann", "tool", {"n": 0}, gate.work("ann 0"))
        await at_work(gate)
        many = [jobs.join("ann", "tool", {"n": n}, gate.work(f"ann {n}")) for n in (1, 2, 3)]
        late = jobs.join("bob", "tool", {"n": 0}, gate.work("bob"))
        assert [jobs.ahead_of(watch.job) for watch in many] == [1, 2, 3]
        gate.open.set()
        for watch in (held, *many, late):
            await ended(watch)
            jobs.leave(watch)

    asyncio.run(main())
    assert gate.order == ["ann 0", "ann 1", "bob", "ann 2", "ann 3"]


def test_more_calls_than_may_wait_are_refused(jobs, gate):
    async def main():
        watches = [jobs.join("ann", "tool", {"n": 0}, gate.work("n"))]
        await at_work(gate)
        watches += [jobs.join("ann", "tool", {"n": n}, gate.work("n")) for n in (1, 2, 3, 4)]
        with pytest.raises(T2SError) as caught:
            jobs.join("ann", "tool", {"n": 5}, gate.work("n"))
        assert caught.value.code == "limit_exceeded"
        watches.append(jobs.join("bob", "tool", {"n": 5}, gate.work("n")))
        gate.open.set()
        for watch in watches:
            jobs.leave(watch)

    asyncio.run(main())


def test_work_that_nobody_waits_for_stops_at_its_next_step(jobs, gate):
    async def main():
        watch = jobs.join("ann", "tool", {}, gate.work("work"))
        await at_work(gate)
        jobs.leave(watch)
        gate.open.set()
        again = jobs.join("ann", "tool", {}, lambda progress: "anew")
        assert again.job is not watch.job
        assert (await ended(again)).answer == "anew"
        assert isinstance((await over(watch.job)).error, T2SError)
        assert watch.job.answer is None
        jobs.leave(again)

    asyncio.run(main())


def test_an_abandoned_step_does_not_hold_up_the_next_call(jobs, gate):
    async def main():
        hanging = jobs.join("ann", "tool", {}, gate.work("hanging"))
        await at_work(gate)
        jobs.leave(hanging)
        following = jobs.join("ann", "tool", {"n": 1}, lambda progress: "done")
        assert (await ended(following)).answer == "done"
        assert not gate.open.is_set()
        jobs.leave(following)
        gate.open.set()
        assert isinstance((await over(hanging.job)).error, T2SError)

    asyncio.run(main())


def test_abandoned_steps_are_bounded(gate, monkeypatch):
    monkeypatch.setattr("t2s_agent.server.jobs.MOST_LINGERING", 2)
    jobs = Jobs()

    async def main():
        for n in range(2):
            hanging = jobs.join("ann", "tool", {"n": n}, gate.work("hanging"))
            await at_work(gate)
            jobs.leave(hanging)
        held = jobs.join("ann", "tool", {"n": 2}, gate.work("held"))
        await at_work(gate)
        jobs.leave(held)
        waiting = jobs.join("ann", "tool", {"n": 3}, lambda progress: "done")
        assert not await waiting.change(0.1)
        gate.open.set()
        assert (await ended(waiting)).answer == "done"
        jobs.leave(waiting)

    asyncio.run(main())
    assert jobs.close(5)


def test_work_goes_on_while_anybody_waits(jobs, gate):
    async def main():
        first, second = (jobs.join("ann", "tool", {}, gate.work("work")) for _ in range(2))
        await at_work(gate)
        jobs.leave(first)
        gate.open.set()
        assert (await ended(second)).answer == "work"
        jobs.leave(second)

    asyncio.run(main())


def test_work_that_waits_in_the_queue_is_never_begun_once_nobody_wants_it(jobs, gate):
    async def main():
        held = jobs.join("ann", "tool", {"n": 0}, gate.work("held"))
        await at_work(gate)
        waiting = jobs.join("ann", "tool", {"n": 1}, gate.work("waiting"))
        jobs.leave(waiting)
        last = jobs.join("ann", "tool", {"n": 2}, gate.work("last"))
        gate.open.set()
        for watch in (held, last):
            await ended(watch)
            jobs.leave(watch)

    asyncio.run(main())
    assert gate.order == ["held", "last"]


def test_a_promised_answer_waits_for_the_same_call_and_is_given_once(jobs, gate):
    async def main():
        watch = jobs.join("ann", "tool", {}, gate.work("promised"))
        await at_work(gate)
        jobs.leave(watch, promise=True)
        gate.open.set()
        again = jobs.join("ann", "tool", {}, gate.work("never"))
        assert again.job is watch.job
        assert (await ended(again)).answer == "promised"
        jobs.leave(again)
        anew = jobs.join("ann", "tool", {}, gate.work("anew"))
        assert (await ended(anew)).answer == "anew"
        jobs.leave(anew)

    asyncio.run(main())
    assert gate.order == ["promised", "anew"]


def test_a_turn_is_a_place_in_the_same_queue(jobs, gate):
    async def main():
        watch = jobs.join("ann", "tool", {}, gate.work("job"))
        await at_work(gate)
        events, order = JobEvents(jobs), []

        async def page():
            async with jobs.turn("bob"):
                order.append("turn")
                assert gate.open.is_set()

        waiting = asyncio.create_task(page())
        await happened(events.joined)
        assert order == []
        gate.open.set()
        await ended(watch)
        jobs.leave(watch)
        await waiting
        assert order == ["turn"]

    asyncio.run(main())


def test_closing_stops_what_is_under_way(gate):
    jobs, seen = Jobs(), []

    def run(progress):
        gate.entered.release()
        gate.open.wait(10)
        try:
            progress("next step")
        except Stopped:
            seen.append("stopped")
            raise

    async def main():
        watch = jobs.join("ann", "tool", {}, run)
        await at_work(gate)
        assert not jobs.close(0)
        gate.open.set()
        assert jobs.close(5)
        jobs.leave(watch)

    asyncio.run(main())
    assert seen == ["stopped"]
