"""Ranges of bytes: which parts of a file are there, which are missing, and how few requests fetch them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

GAP = 64 * 2**10  # bytes: a smaller gap costs less than another request
Range = tuple[int, int]  # first byte, and the one after the last


@dataclass(slots=True)
class Filled:
    """The parts of a file that are there: sorted ranges that neither overlap nor touch."""

    _starts: list[int] = field(default_factory=list)
    _stops: list[int] = field(default_factory=list)

    def add(self, start: int, stop: int) -> None:
        """Adds a range; it may overlap others."""
        if start >= stop:
            return
        first, after = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if first < after:
            start, stop = min(start, self._starts[first]), max(stop, self._stops[after - 1])
        self._starts[first:after], self._stops[first:after] = [start], [stop]

    def covers(self, start: int, stop: int) -> bool:
        """Whether all of a range is there; an empty range is."""
        if start >= stop:
            return True
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and stop <= self._stops[at]

    def missing(self, start: int, stop: int) -> list[Range]:
        """The parts of a range that are not there, in order."""
        gaps, at = [], start
        for i in range(bisect_right(self._stops, start), len(self._starts)):
            if self._starts[i] >= stop:
                break
            if at < self._starts[i]:
                gaps.append((at, self._starts[i]))
            at = max(at, self._stops[i])
        return [*gaps, (at, stop)] if at < stop else gaps

    def before(self, at: int) -> int:
        """The end of the last range that ends at or before a byte; 0 where there is none."""
        found = bisect_right(self._stops, at) - 1
        return self._stops[found] if found >= 0 else 0

    def ranges(self) -> list[Range]:
        """All ranges, in order."""
        return list(zip(self._starts, self._stops, strict=True))

    @property
    def total(self) -> int:
        """The number of bytes that are there."""
        return sum(self._stops) - sum(self._starts)


def join(ranges: Iterable[Range], gap: int = GAP) -> list[Range]:
    """Sorted ranges in which those less than `gap` bytes apart are one."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def size_of(ranges: Iterable[Range]) -> int:
    """The number of bytes of ranges that do not overlap."""
    return sum(stop - start for start, stop in ranges)
