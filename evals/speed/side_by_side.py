"""Runs a file of Python with an older checkout and with this one, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parents[2]


def run(file: str, checkout: Path, arguments: Sequence[str | Path], *, pin: str = "", **env: str) -> str:
    """What the file printed. `pin` is a list of cores for taskset; `env` goes on top of the environment."""
    command: list[str] = [*(("taskset", "-c", pin) if pin else ()), sys.executable, str(Path(__file__).parent / file)]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        env={**_environment(checkout), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{file} failed with {checkout}:\n{done.stderr[-3000:]}")
    return done.stdout


def _environment(checkout: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("T2S_")}
    return {**kept, "PYTHONPATH": str(checkout.resolve()), "HF_HUB_OFFLINE": "1"}
