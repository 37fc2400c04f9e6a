"""Workers as actors of Ray, on this machine or on many: each holds one Engine, and only rows and lines travel between them.

No pixels go through Ray's object store: an actor opens the scene itself, and writes results and parts itself. So every machine sees the
output folder and the scenes under the same paths, has this package and the models, and its own T2S_API_KEY where there is one.

Ray restarts nothing here: `Schedule` decides what becomes of the rows of an actor that died, as for processes.
"""

import logging
import os
from collections.abc import Sequence
from typing import Any

from t2s_agent.batch.job import Job
from t2s_agent.batch.ledger import Line
from t2s_agent.batch.pools import Ended, answer_of
from t2s_agent.batch.rows import Row
from t2s_agent.batch.schema import EXTRA_RAY
from t2s_agent.batch.worker import Worker
from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

LOCAL = "local"


class RayPool:
    """`size` actors; 0: one for each GPU of the cluster, or for each CPU where it has none or the settings say `cpu`.

    `address`: `local` starts Ray on this machine; else what `ray.init` takes: `auto`, `ray://head:10001`, `head:6379`.
    Raises `argument_invalid` where Ray is not installed or nobody answers at the address.
    """

    def __init__(self, job: Job, size: int = 0, address: str = LOCAL) -> None:
        self._ray = _require_ray()
        self._own = not self._ray.is_initialized()
        if self._own:
            _join(self._ray, address, size)
        resources = self._ray.cluster_resources()
        on_gpu = resources.get("GPU", 0) >= 1 and job.settings.device != "cpu"
        self.size = size or max(1, int(resources.get("GPU" if on_gpu else "CPU", 1)))
        # a row is tried again by Schedule alone, so that none is done twice
        wanted = {"num_cpus": 1, "num_gpus": int(on_gpu), "max_restarts": 0, "max_task_retries": 0}
        self._class = self._ray.remote(**wanted)(_Answering)
        self._job, self._begun = job, 0
        self._idle = [self._start() for _ in range(self.size)]
        self._busy: dict[Any, tuple[Any, str, Sequence[Row]]] = {}

    @property
    def idle(self) -> int:
        """How many groups can be given out now."""
        return len(self._idle)

    @property
    def process_ids(self) -> list[int]:
        """Of the actors that are idle, on whatever machine."""
        found: list[int] = self._ray.get([actor.process_id.remote() for actor, _ in self._idle])
        return found

    def submit(self, rows: Sequence[Row]) -> None:
        """Gives a group to an idle actor."""
        actor, name = self._idle.pop()
        self._busy[actor.run.remote(list(rows))] = (actor, name, rows)

    def wait(self, timeout_s: float) -> list[Ended]:
        """The groups that ended, after at most this long. An actor that died is replaced."""
        done, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=timeout_s) if self._busy else ([], [])
        return [self._end(reference) for reference in done]

    def close(self) -> None:
        """Ends the actors at once, and Ray where it was joined here."""
        for actor, _ in (*self._idle, *((actor, name) for actor, name, _ in self._busy.values())):
            self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()

    def _start(self) -> tuple[Any, str]:
        self._begun += 1
        name = f"ray-{self._begun}"
        return self._class.remote(self._job.as_values(), name), name

    def _end(self, reference: Any) -> Ended:
        actor, name, rows = self._busy.pop(reference)
        try:
            lines, error = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError:  # a bug of ours, with its traceback
            raise
        except self._ray.exceptions.RayError:  # the actor, its process or its machine is gone
            self._idle.append(self._start())
            return Ended(rows, worker=name)
        self._idle.append((actor, name))
        return Ended(rows, lines, error, name)


class _Answering:
    """The actor."""

    def __init__(self, job: dict[str, Any], name: str) -> None:
        self._worker = Worker(Job.of_values(job), name)

    def run(self, rows: Sequence[Row]) -> tuple[Sequence[Line] | None, T2SError | None]:
        return answer_of(self._worker, rows)

    def process_id(self) -> int:
        return os.getpid()


def _require_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise T2SError("argument_invalid", "--ray: Ray is not installed", f"Run {EXTRA_RAY}") from error
    return ray


def _join(ray: Any, address: str, size: int) -> None:
    if address == LOCAL:
        # without the address Ray joins a cluster of this machine, also one that was killed and left its address in /tmp/ray
        ray.init(
            address=LOCAL,
            num_cpus=size or None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError) as error:
        raise T2SError(
            "argument_invalid",
            f"no Ray answers at {address!r} ({one_line(str(error), 300)})",
            "Start one with `ray start --head` (with the same RAY_AUTH_TOKEN here and there, and the same version of Ray), or use --ray local",
        ) from error
