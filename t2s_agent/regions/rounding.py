"""How many decimals a number deserves: as many as the pixel that it was measured with, and no fixed number."""

import math
from dataclasses import dataclass, replace

from t2s_agent.regions.units import Units

_FINER = 100.0  # areas and lengths are kept to a hundredth of a pixel
_MOST = 15  # decimals, beyond which a float holds none
_ENOUGH = 2  # decimals of areas and lengths that are kept where a pixel allows them, whatever the plus/minus says


@dataclass(frozen=True, slots=True)
class Rounding:
    """Decimals of positions (degrees, or pixels of the scene), areas (m2 or px2) and lengths (m or px)."""

    places: int
    areas: int
    lengths: int

    @classmethod
    def of(cls, pixel: float, units: Units) -> "Rounding":
        """For what was measured with View pixels of that size, which is in the units' length."""
        places = max(units.place_decimals, _decimals(pixel * units.place_step))
        return cls(places, _decimals(pixel**2 / _FINER), _decimals(pixel / _FINER))

    def shown(self, area: tuple[float, float], length: tuple[float, float]) -> "Rounding":
        """The same without decimals that say nothing of an area and a length, each with its plus/minus.

        Kept are two decimals, two digits of the plus/minus and three of the value, where the pixel allows them.
        """
        areas, lengths = (max(_ENOUGH, _digits(pm, 2), _digits(value, 3)) for value, pm in (area, length))
        return replace(self, areas=min(self.areas, areas), lengths=min(self.lengths, lengths))

    def finer(self, other: "Rounding") -> "Rounding":
        """As many decimals of each kind as the finer of the two."""
        return Rounding(max(self.places, other.places), max(self.areas, other.areas), max(self.lengths, other.lengths))

    def place(self, value: float) -> float:
        """A longitude, latitude, or position in pixels."""
        return round(value, self.places) + 0.0  # never -0.0

    def area(self, value: float) -> float:
        """Square metres or square pixels."""
        return round(value, self.areas)

    def length(self, value: float) -> float:
        """Metres or pixels."""
        return round(value, self.lengths)


def with_plus_minus(value: float, plus_minus: float) -> str:
    """`549 ± 25`, `0.0036 ± 0.0012`: both with the decimals that show two digits of the plus/minus, thousands apart."""
    size = plus_minus if plus_minus > 0 else abs(value) / 100
    decimals = _digits(size, 2)
    return f"{value:,.{decimals}f} ± {plus_minus:,.{decimals}f}"


def _digits(size: float, count: int) -> int:
    """The decimals that show so many digits of a size; 0 where there is none."""
    if not (math.isfinite(size) and size > 0):
        return 0
    return min(_MOST, max(0, count - 1 - math.floor(math.log10(size))))


def _decimals(unit: float) -> int:
    """The fewest decimals that are at least as fine as a unit."""
    if not (math.isfinite(unit) and unit > 0):
        return 0
    return min(_MOST, max(0, math.ceil(-math.log10(unit) - 1e-9)))
