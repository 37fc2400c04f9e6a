"""Keeps the traced outlines of a large scene's objects on disk while they are measured group by group."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.regions.region import Geometry


class Shapes:
    """Outlines by number, in a file that is made anew."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma synchronous=off")  # made anew after a crash
        self._database.execute("create table shapes (number integer primary key, x1, y1, x2, y2, outline blob)")

    def close(self) -> None:
        self._database.close()

    def write(self, outlines: Iterable[tuple[int, Geometry]]) -> None:
        """Keeps outlines by their numbers."""
        self._database.execute("begin")
        self._database.executemany(
            "insert into shapes values (?, ?, ?, ?, ?, ?)",
            ((number, *outline.bounds, shapely.to_wkb(outline)) for number, outline in outlines),
        )
        self._database.execute("commit")

    def boxes(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The numbers (N,) in ascending order, and the boxes (N, 4: x1, y1, x2, y2) of the outlines."""
        rows = self._database.execute("select number, x1, y1, x2, y2 from shapes order by number").fetchall()
        table = np.array(rows, np.float64).reshape(-1, 5)
        return table[:, 0].astype(np.int64), table[:, 1:]

    def read(self, numbers: Sequence[int]) -> list[Geometry]:
        """The outlines of these numbers, in their order."""
        return [shapely.from_wkb(self._one(number)) for number in numbers]

    def _one(self, number: int) -> bytes:
        found = self._database.execute("select outline from shapes where number = ?", (number,)).fetchone()
        outline: bytes = found[0]
        return outline
