"""Progress with rate and time left, on the terminal; a line every half minute where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_EVERY_S = 30.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f}/s")


class Counter:
    """Counts what is done, and says so."""

    def __init__(self, what: str, total: int, done: int, bar: Progress | None) -> None:
        self._what, self._total, self._done, self._bar = what, total, done, bar
        self._first, self._began, self._said = done, time.monotonic(), time.monotonic()
        self._task = bar.add_task(what, total=total, completed=done) if bar else None

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count)
        elif time.monotonic() - self._said > _EVERY_S:
            self._said = time.monotonic()
            rate = (self._done - self._first) / (self._said - self._began)
            left = (self._total - self._done) / rate if rate else float("inf")
            print(f"{self._what} {self._done}/{self._total}, {rate:.2f}/s, {left / 60:.1f} min left", file=sys.stderr)


@contextmanager
def counting(what: str, total: int, done: int = 0) -> Iterator[Counter]:
    """A counter of `what`, of which `done` of `total` were done before."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Counter(what, total, done, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield Counter(what, total, done, bar)
