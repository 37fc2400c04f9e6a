"""Times a `segment` by nano of both builds while something else keeps one core busy."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from evals.speed.side_by_side import HERE, run

SCENE = HERE / "t2s_agent" / "nano" / "demo" / "harbour.tif"
_STEPS = ("read", "prompt", "embed", "decode", "regions")


def compare(against: Path, *, repeats: int = 2, times: int = 2) -> bool:
    """Prints a table; whether both builds drew the same masks."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    pin = ",".join(map(str, cores))
    runs: dict[str, list[dict[str, Any]]] = {"old": [], "new": []}
    # two of the machine's cores for each build, and a loop without end on one of them
    busy = subprocess.Popen(["taskset", "-c", str(cores[-1]), sys.executable, "-c", "while True: pass"])
    try:
        for _ in range(repeats):
            for name, checkout in (("old", against), ("new", HERE)):
                runs[name] += json.loads(run("segment_worker.py", checkout, (SCENE, str(times)), pin=pin))
    finally:
        busy.kill()
        busy.wait()
    print(f"{'':6}{'median s':>10}{'least':>8}{'most':>8}   {'   '.join(_STEPS)}")
    for name, own in runs.items():
        seconds = [each["seconds"] for each in own]
        steps = "  ".join(f"{statistics.median(each['steps'].get(step, 0.0) for each in own):6.2f}" for step in _STEPS)
        print(f"{name:6}{statistics.median(seconds):>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}  {steps}")
    old, new = (statistics.median(each["seconds"] for each in own) for own in runs.values())
    alike = [each["mask"] for each in runs["old"]] == [each["mask"] for each in runs["new"]]
    print(f"{old / new:.1f} times as fast; {'equal masks' if alike else 'masks DIFFER'}")
    return alike
