"""Which samples can be read: every one is read once before a run that may go on without the broken ones.

So the schedule is made from what can be read, the same on every rank, and no sample takes the place of another. What was found is
kept in the run's folder: a resumed run and its other ranks ask for the same questions without reading all of them again.
"""

import hashlib
import json
import os
from pathlib import Path

from evals.datasets import BrokenSample
from training.pool import Pool

FILE = "unreadable.json"


def readable(pool: Pool, folder: Path) -> Pool:
    """The pool without the samples that cannot be read; FILE in `folder` names them with the reason.

    The file counts for the same questions only; with others all samples are read again.
    """
    listing = hashlib.sha256("\n".join(pool.ids).encode()).hexdigest()
    found = _kept(folder / FILE, listing)
    if found is None:
        found = unreadable(pool)
        _write(folder / FILE, listing, found)
    return pool.without(found) if found else pool


def unreadable(pool: Pool) -> dict[str, str]:
    """Reads every sample of a pool, image by image: the ids that cannot be read, each with what is wrong."""
    found = {}
    for id_ in sorted(pool.ids, key=lambda id_: (pool.image_id(id_), id_)):
        try:
            pool.truth(id_)
        except BrokenSample as error:
            found[id_] = error.what
    return found


def _kept(path: Path, listing: str) -> dict[str, str] | None:
    if not path.is_file():
        return None
    plain = json.loads(path.read_text(encoding="utf-8"))
    return dict(plain["unreadable"]) if plain["listing"] == listing else None


def _write(path: Path, listing: str, found: dict[str, str]) -> None:
    """Writes the file whole or not at all: several ranks may do so at once, with the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps({"listing": listing, "unreadable": found}, indent=1), encoding="utf-8")
    part.replace(path)
