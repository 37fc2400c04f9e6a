"""Groups of rows, and rows whose worker died; the workers here are a list of what happens next."""

import pytest

from t2s_agent.batch.ledger import Line
from t2s_agent.batch.pools import Ended
from t2s_agent.batch.rows import Row
from t2s_agent.batch.schedule import Schedule
from t2s_agent.errors import T2SError


class Scripted:
    """Workers that die with every group that holds a deadly row, and answer the others."""

    def __init__(self, size=1, deadly=(), code=""):
        self.size, self.deadly, self.code = size, set(deadly), code
        self.groups, self._given = [], []

    @property
    def idle(self):
        return self.size - len(self._given)

    def submit(self, rows):
        self.groups.append([row.id for row in rows])
        self._given.append(rows)

    def wait(self, timeout_s):
        rows = self._given.pop(0)
        if self.deadly & {row.id for row in rows}:
            return [Ended(rows, worker="w")]
        status = "failed" if self.code else "empty"
        return [Ended(rows, [_line(row, status, self.code) for row in rows], worker="w")]


def _line(row, status, code):
    return Line(
        id=row.id, scene="s", image="i", question_id="q", question="q", status=status, code=code, attempt=row.attempt
    )


def scheduled(pool, count):
    lines, told = [], []
    rows = [Row(str(number), "s", "i", "q", "q") for number in range(count)]
    Schedule(rows, pool, lines.extend, told.append).run()
    return lines, told


def test_groups_grow_while_rows_are_quick_and_every_row_is_done_once():
    pool = Scripted(size=2)
    lines, told = scheduled(pool, 200)
    assert sorted(int(line.id) for line in lines) == list(range(200))
    assert max(map(len, pool.groups)) > 8
    assert (told[-1].done, told[-1].total, told[-1].failed) == (200, 200, 0)


def test_rows_whose_worker_died_are_tried_again_alone_and_only_the_deadly_one_fails():
    pool = Scripted(deadly={"20"})
    lines, told = scheduled(pool, 60)
    assert sorted(int(line.id) for line in lines) == list(range(60))
    failed = [line for line in lines if line.status == "failed"]
    assert [(line.id, line.code, line.attempt) for line in failed] == [("20", "worker_died", 2)]
    assert sum("20" in group for group in pool.groups) == 2
    assert told[-1].failed == 1


def test_when_every_worker_dies_the_run_stops():
    with pytest.raises(T2SError) as error:
        scheduled(Scripted(deadly={str(number) for number in range(60)}), 60)
    assert error.value.code == "worker_died"


def test_an_endpoint_that_refuses_every_row_stops_the_run():
    with pytest.raises(T2SError) as error:
        scheduled(Scripted(code="endpoint_failed"), 500)
    assert error.value.code == "endpoint_failed"
    assert "--retry-failed" in error.value.fix


def test_other_failures_do_not_stop_it():
    lines, told = scheduled(Scripted(code="image_unreadable"), 100)
    assert (len(lines), told[-1].failed) == (100, 100)
