"""What a plus/minus covers, and the words for it: said here and nowhere else.

Without a calibration it speaks of pixels only. With one (`t2s_agent.calibration`) it held the true value in 90 % of the cases that the
calibration was measured on.
"""

from collections.abc import Mapping, Sequence
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


def levels(calibrated: Sequence[bool], *, total: bool = False) -> str:
    """What the plus/minus of several regions, and of their total, cover, in a few words."""
    if all(calibrated) and (calibrated or total):
        return LEVEL
    if not any(calibrated):
        return LEVEL_PIXELS
    return f"{LEVEL}; of some regions {LEVEL_PIXELS}"


def method_of(
    units: Units,
    *,
    calibrated: Mapping[int, bool] = MappingProxyType({}),
    used: CalibrationUsed | None = None,
    total: bool = False,
) -> str:
    """How a result was measured and what its plus/minus cover. `calibrated` by region id.

    `total`: whether the total area has a calibrated plus/minus of its own, which counts what was missed and what is false.
    """
    pixel = [id_ for id_, known in calibrated.items() if not known]
    if used is None or (len(pixel) == len(calibrated) and not total):
        return f"{units.measured}; {_BOUNDS}; {LEVEL_PIXELS}"
    parts = [units.measured]
    if len(pixel) < len(calibrated):
        parts.append(
            f"plus/minus of a region: {LEVEL} of the regions that are what was asked for lie within it, "
            f"as measured on {used.data} ({used.date})"
        )
    if total:
        parts.append(f"of the total, and the range of the count: {LEVEL} of answers, missed and false regions included")
    else:
        parts.append("of the total: the sum of its parts, missed and false regions are not in it")
    if pixel:
        named = ", ".join(map(str, pixel[:_MOST_IDS])) + (
            f" and {len(pixel) - _MOST_IDS} more" * (len(pixel) > _MOST_IDS)
        )
        parts.append(f"of region {named}: {LEVEL_PIXELS}")
    return "; ".join(parts)
