"""What a plus/minus covers, and the words for it: said here and nowhere else.

Without a calibration it speaks of pixels only. With one (`t2s_agent.calibration`) it held the true value in 90 % of the cases that the
calibration was measured on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from t2s_agent.regions.units import Units

LEVEL = "90 %"
LEVEL_PIXELS = "pixel only: the model's own error is not known"
_BOUNDS = "plus/minus of an area: half a pixel along the boundary; of a perimeter: what its estimate from pixels can be off by"
_MOST_IDS = 10  # regions that a sentence names


@dataclass(frozen=True, slots=True)
class CalibrationUsed:
    """The calibration behind the plus/minus of a result: its file's sha256, and on which data it was measured.

    Regions of a probability below `cut` are unsure; None where none was chosen.
    """

    sha256: str
    data: str
    date: str
    cut: float | None


def level_of(calibrated: bool) -> str:
    """What one region's plus/minus covers."""
    return LEVEL if calibrated else LEVEL_PIXELS


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Of `count` regions, how many have a plus/minus of pixels only (`pixel`), and the first of their ids (`named`)."""

    count: int
    pixel: int
    named: tuple[int, ...] = ()

    @classmethod
    def of(cls, calibrated: Iterable[tuple[int, bool]]) -> "Calibrated":
        """Of pairs of an id and whether the region's plus/minus is calibrated."""
        found = cls(0, 0)
        for id_, known in calibrated:
            found = found.plus(id_, known)
        return found

    def plus(self, id_: int, calibrated: bool) -> "Calibrated":
        """The same with one more region."""
        if calibrated:
            return Calibrated(self.count + 1, self.pixel, self.named)
        named = self.named if len(self.named) >= _MOST_IDS else (*self.named, id_)
        return Calibrated(self.count + 1, self.pixel + 1, named)

    def levels(self, *, total: bool = False) -> str:
        """What the plus/minus of these regions, and of their total, cover, in a few words."""
        if not self.pixel and (self.count or total):
            return LEVEL
        if self.pixel == self.count:
            return LEVEL_PIXELS
        return f"{LEVEL}; of some regions {LEVEL_PIXELS}"


def levels(calibrated: Sequence[bool], *, total: bool = False) -> str:
    """What the plus/minus of several regions, and of their total, cover, in a few words."""
    return Calibrated.of(enumerate(calibrated)).levels(total=total)


def method_of(
    units: Units,
    *,
    calibrated: Mapping[int, bool] | Calibrated = MappingProxyType({}),
    used: CalibrationUsed | None = None,
    total: bool = False,
) -> str:
    """How a result was measured and what its plus/minus cover. `calibrated` by region id, or counted.

    `total`: whether the total area has a calibrated plus/minus of its own, which counts what was missed and what is false.
    """
    known = calibrated if isinstance(calibrated, Calibrated) else Calibrated.of(calibrated.items())
    if used is None or (known.pixel == known.count and not total):
        return f"{units.measured}; {_BOUNDS}; {LEVEL_PIXELS}"
    parts = [units.measured]
    if known.pixel < known.count:
        parts.append(
            f"plus/minus of a region: {LEVEL} of the regions that are what was asked for lie within it, "
            f"as measured on {used.data} ({used.date})"
        )
    if total:
        parts.append(f"of the total, and the range of the count: {LEVEL} of answers, missed and false regions included")
    else:
        parts.append("of the total: the sum of its parts, missed and false regions are not in it")
    if known.pixel:
        named = ", ".join(map(str, known.named)) + (f" and {known.pixel - _MOST_IDS} more" * (known.pixel > _MOST_IDS))
        parts.append(f"of region {named}: {LEVEL_PIXELS}")
    return "; ".join(parts)
