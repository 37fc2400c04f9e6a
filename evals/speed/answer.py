"""Measures nano's answers against those of another checkout of this repository: the same tokens, in how much time.

    git clone . /tmp/old && git -C /tmp/old checkout 8a55278
    python -m evals.speed.answer --against /tmp/old
    python -m evals.speed.answer --against /tmp/old --busy 2      beside two processes that keep cores busy

Both checkouts run in processes of their own with the same packages, one thread each, and answer alternately: about a drawn scene
with some 40 buildings, and about the demo scene, as new and again. Ends with an error where the texts of the answers differ.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.scenes import demo, draw, write

WORKER = Path(__file__).with_name("answer_worker.py")
MANY = 30_000_047  # seed of a residential scene: nano finds 46 buildings and writes 602 tokens
STEPS = ("answer", "masks", "whole")
_BUSY = """
import numpy
ones = numpy.ones((1024, 1024), numpy.float32)
while True:
    ones @ ones
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A question about an image."""

    name: str
    image: Path
    question: str
    again: bool = False  # what was kept of the picture may be used


@dataclass(frozen=True, slots=True)
class Turn:
    """What a job took: seconds of each step; and what it gave: the answer's text, its tokens and the areas of the masks in px."""

    seconds: dict[str, float]
    text: str
    tokens: int
    areas: tuple[int, ...]


class Worker:
    """A process that answers with the package of one checkout."""

    def __init__(self, checkout: Path, threads: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        command = [sys.executable, "-P", str(WORKER)]
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def do(self, job: Job) -> Turn:
        """Does a job. Raises RuntimeError where the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"image": str(job.image), "question": job.question, "again": job.again}),
            file=self._process.stdin,
            flush=True,
        )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a worker has ended; its error is above")
        done: dict[str, Any] = json.loads(line)
        return Turn(done["seconds"], done["text"], done["tokens"], tuple(done["areas"]))


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keeps `count` processes busy with products of matrices, at ordinary priority."""
    started = []
    for _ in range(count):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        started.append(subprocess.Popen([sys.executable, "-c", _BUSY], env=environment))
        os.sched_setscheduler(started[-1].pid, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        for each in started:
            each.kill()
            each.wait()


def jobs(folder: Path) -> list[Job]:
    """A question with a long answer and the demo's; the images are written into the folder."""
    many, harbour = folder / "many.tif", folder / "harbour.tif"
    write(draw(MANY), many)
    write(demo(), harbour)
    tanks = "Find the storage tanks."
    return [
        Job("40 objects", many, "Find every building."),
        Job("demo", harbour, tanks),
        Job("demo, again", harbour, tanks, again=True),
    ]


def require_same(job: Job, ours: Turn, theirs: Turn) -> None:
    """Ends the program where the two texts differ."""
    if ours.text != theirs.text:
        at = next(i for i, (a, b) in enumerate(zip(ours.text + "\0", theirs.text + "\0", strict=False)) if a != b)
        sys.exit(
            f"{job.name}: the answers differ from character {at}: {ours.text[at : at + 60]!r}, {theirs.text[at : at + 60]!r}"
        )


def table(job: Job, pairs: Sequence[tuple[Turn, Turn]]) -> list[str]:
    """Lines with medians of both checkouts, and the median of the ratios of turns side by side."""
    ours, theirs = pairs[0]
    off = max((abs(a - b) / max(a, b, 1) for a, b in zip(ours.areas, theirs.areas, strict=True)), default=0.0)
    lines = [
        f"{job.name}: {len(ours.areas)} objects, {ours.tokens} tokens, the same; areas of masks differ by at most {off:.2%}"
    ]
    sums = {step: [step] for step in STEPS} | {"answer + masks": ["answer", "masks"]}
    for name, steps in sums.items():
        here, there = ([sum(turn.seconds[s] for s in steps) for turn in side] for side in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in zip(here, there, strict=True))
        lines.append(
            f"  {name:16}{statistics.median(here):8.3f} s{statistics.median(there):8.3f} s   {ratio:5.2f} times faster"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.speed.answer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT", help="folder of the other checkout")
    parser.add_argument("--times", type=int, default=5, help="turns that are counted; one more is not")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="processes that keep cores busy meanwhile")
    parser.add_argument("--threads", type=int, default=1, help="of both; 0 for what each checkout chooses itself")
    given = parser.parse_args()
    if not (given.against / "t2s_agent").is_dir():
        parser.error(f"{given.against} is not a checkout of this repository")
    here = Path(__file__).parents[2]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, theirs = (stack.enter_context(Worker(each, given.threads)) for each in (here, given.against))
        asked = jobs(folder)
        for job in asked:  # not counted: the first run of each
            require_same(job, ours.do(job), theirs.do(job))
        stack.enter_context(neighbours(given.busy))
        for job in asked:
            pairs = [(ours.do(job), theirs.do(job)) for _ in range(given.times)]
            for pair in pairs:
                require_same(job, *pair)
            print("\n".join(table(job, pairs)), flush=True)


if __name__ == "__main__":
    main()
