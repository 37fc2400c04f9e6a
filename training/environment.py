"""Where a run took place: command, commit, versions and devices, without the names of host, user or folders."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("t2s-agent", "torch", "transformers", "trl", "peft", "accelerate", "deepspeed", "vllm", "numpy", "datasets")
_ROOT = Path(__file__).parents[1]
_ABSOLUTE = re.compile(
    r"(?<![\w.~:/\\-])(?:~|[A-Za-z]:)?[/\\][^\s=,\"']*[/\\]([^\s=,\"'/\\]*)"
)  # a path; its last part is kept


def environment(command: Sequence[str] | None = None) -> dict[str, Any]:
    """Facts about this start of a run, as plain values.

    `command` is by default this process's. Of absolute paths only the last part is kept.
    """
    return {
        "command": [without_folders(word) for word in (command if command is not None else _own_command())],
        "revision": revision(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "threads": torch.get_num_threads(),
        "cpu": _cpu(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def revision(folder: Path = _ROOT) -> dict[str, Any] | None:
    """The git commit of the code, and whether tracked files differ from it; None where there is no git or no repository."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changed)}


def without_folders(text: str) -> str:
    """A text in which of each absolute path only the last part is left."""
    return _ABSOLUTE.sub(r"\1", text)


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _own_command() -> list[str]:
    """`python -m MODULE ...` as it was typed; a script by its name."""
    main = sys.modules["__main__"]
    name = main.__spec__.name.removesuffix(".__main__") if main.__spec__ else ""
    return ["python", *(["-m", name] if name else [Path(sys.argv[0]).name]), *sys.argv[1:]]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Model and number of cores."""
    cores = f"{os.cpu_count()} cores"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.processor() or platform.machine()}, {cores}"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {cores}"
