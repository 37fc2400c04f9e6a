"""Checkpoints that are whole or not there: written aside, marked as complete, renamed.

A folder `checkpoint-N` of a run holds what transformers' Trainer saves after optimizer step N (weights, optimizer, schedule, random
states, trainer state) and `complete.json`, which lists its files with their sizes. A process that is killed while it writes leaves a
folder `.writing-N`, which the next start removes.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t2s_agent.errors import T2SError

MARK = "complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_ASIDE = ".writing-"
_OLD = ".removing-"


def aside(folder: Path, step: int) -> Path:
    """The folder in which the checkpoint of a step is written before it is published."""
    return folder / f"{_ASIDE}{step}"


def publish(folder: Path, step: int, own: Mapping[str, Any]) -> Path:
    """Makes the files written aside the checkpoint of a step and returns its folder. `own` (JSON) is kept in the mark.

    Every file and folder is on the disk before the rename. `output_unwritable` where the disk is full or the folder cannot be written.
    """
    written, final = aside(folder, step) / f"checkpoint-{step}", folder / f"checkpoint-{step}"
    try:
        files = {str(file.relative_to(written)): file.stat().st_size for file in _files(written)}
        (written / MARK).write_text(json.dumps({"step": step, "files": files, "own": dict(own)}), encoding="utf-8")
        for file in (*_files(written), written):
            _sync(file)
        if final.exists():
            final.rename(folder / f"{_OLD}{step}")
        written.rename(final)
        _sync(folder)
        remove_unfinished(folder)
    except OSError as error:
        raise unwritable(step, error.strerror or str(error)) from error
    return final


def unwritable(step: int, why: str) -> T2SError:
    """The error of a checkpoint that could not be written; those before it stay."""
    return T2SError(
        "output_unwritable",
        f"the checkpoint of step {step} could not be written: {why}",
        "Free space on the disk; then go on with --resume",
    )


def whole(folder: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first; those with missing files or other sizes are left out."""
    if not folder.is_dir():
        return []
    found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return [found[step] for step in sorted(found) if _is_whole(found[step])]


def newest(folder: Path) -> Path | None:
    """The complete checkpoint with the most steps, or None."""
    return next(reversed(whole(folder)), None)


def step_of(checkpoint: Path) -> int:
    """The number of optimizer steps after which a checkpoint was written."""
    return int(_mark(checkpoint)["step"])


def own_of(checkpoint: Path) -> dict[str, Any]:
    """What `publish` was given to keep."""
    return dict(_mark(checkpoint)["own"])


def remove_unfinished(folder: Path) -> None:
    """Removes what killed processes left. Only the run's one writing process may call it."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name.startswith((_ASIDE, _OLD)):
                shutil.rmtree(path)


def remove_old(folder: Path, keep: int) -> None:
    """Removes all complete checkpoints but the newest `keep`, each by a rename first, so that a killed removal leaves none torn."""
    for path in whole(folder)[:-keep]:
        away = folder / f"{_OLD}{step_of(path)}"
        path.rename(away)
        shutil.rmtree(away)


def _is_whole(checkpoint: Path) -> bool:
    if not (checkpoint / MARK).is_file():
        return False
    files = _mark(checkpoint)["files"]
    return all((checkpoint / name).is_file() and (checkpoint / name).stat().st_size == files[name] for name in files)


def _mark(checkpoint: Path) -> dict[str, Any]:
    mark: dict[str, Any] = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))
    return mark


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sync(path: Path) -> None:
    """Waits until a file or a folder's entries are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
