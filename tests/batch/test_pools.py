"""Workers in processes of their own: one is killed while it works."""

import os
import signal

import geopandas
import pytest
from archive.data import TANKS

from t2s_agent.batch.ledger import Ledger
from t2s_agent.batch.pools import Processes


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(run, job):
    class Killing(Processes):
        """Kills the first worker as soon as it has rows."""

        killed = 0

        def submit(self, rows):
            super().submit(rows)
            if not self.killed:
                self.killed = self.process_ids[0]
                os.kill(self.killed, signal.SIGKILL)

    done = run(pool=lambda job: Killing(job, 1))
    assert done.summary.by_status == {"found": 3}
    lines = Ledger(job.out).lines.values()
    assert sorted(line.attempt for line in lines) == [1, 1, 2]
    assert {line.worker for line in lines} == {"2"}
    table = geopandas.read_parquet(job.out / "parts")
    assert len(table) == len(table.drop_duplicates(["row_id", "id"])) == 6
    assert set(table["question"]) == {TANKS}
