"""Actors of Ray: the same rows as one process, also where one is killed. Skipped where Ray is not installed."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import geopandas
import pytest
from archive.data import TANKS

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


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """The address of a Ray that `ray start --head` started on loopback, and the environment with its token; it ends with the test."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    port, log, environment = free_port(), tmp_path / "ray.log", os.environ | token
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2"]
    command += ["--node-ip-address", "127.0.0.1", "--port", str(port), "--include-dashboard", "false"]
    command += ["--ray-client-server-port", str(free_port()), "--object-store-memory", str(80 * 2**20)]
    command += ["--disable-usage-stats"]
    with log.open("wb") as out:
        head = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, env=environment)
    try:
        until = time.monotonic() + 120
        while b"Ray runtime started" not in log.read_bytes():
            assert head.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield f"127.0.0.1:{port}", environment
    finally:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(head.pid, kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                head.wait(5)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_cluster_that_was_started_elsewhere_is_joined_by_its_address(run, job, scenes, tmp_path, cluster):
    address, environment = cluster
    command = [sys.executable, "-c", "from t2s_agent.cli import main; main()", "batch", TANKS, str(scenes)]
    command += ["--out", str(job.out), "--prompter", job.settings.prompter, "--segmenter", "box", "--ray", address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 rows of 3 scenes: 3 found")
    assert {line.worker for line in Ledger(job.out).lines.values()} <= {"ray-1", "ray-2"}
    run(job=replace(job, out=tmp_path / "alone"))
    assert rows_of(job.out) == rows_of(tmp_path / "alone")
