"""Actors of Ray: the same rows as one process, also where one is killed. Skipped where Ray is not installed."""

import os
import signal
from dataclasses import replace

import geopandas
import pytest

pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.ray_pool import RayPool
from t2s_agent.errors import T2SError


class Killing(RayPool):
    """Kills one actor before it gets its first rows."""

    killed = 0

    def submit(self, rows):
        if not self.killed:
            self.killed = self.process_ids[-1]
            os.kill(self.killed, signal.SIGKILL)
        super().submit(rows)


def rows_of(out):
    table = geopandas.read_parquet(out / "parts")
    return sorted(zip(table["row_id"], table["id"], table["area_m2"], table.geometry.to_wkt(), strict=True))


@pytest.mark.slow
def test_two_actors_of_which_one_is_killed_make_the_rows_of_one_process(run, job):
    done = run(pool=lambda job: Killing(job, 2))
    assert done.summary.by_status == {"found": 3}
    assert sorted(line.attempt for line in Ledger(job.out).lines.values()) == [1, 1, 2]
    alone = replace(job, out=job.out.with_name("alone"))
    run(job=alone)
    assert rows_of(job.out) == rows_of(alone.out)
    assert run().done == 0


@pytest.mark.slow
def test_a_model_that_is_not_there_stops_the_run(run, job):
    other = replace(job, settings=job.settings.model_copy(update={"prompter": "no-such-model"}))
    with pytest.raises(T2SError) as error:
        run(job=other, pool=lambda job: RayPool(job, 1))
    assert error.value.code == "model_unavailable"
