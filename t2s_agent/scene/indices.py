"""Computes spectral indices, normalised differences of two bands, from scaled values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from t2s_agent.scene.legend import Legend
from t2s_agent.scene.scaling import Scaling

_NIR = ("nir", "nir08")
# (first - second) / (first + second) of bands with these common names; of several, the first that the scene has.
INDICES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "NDVI": (_NIR, ("red",)),  # Rouse et al., Monitoring vegetation systems in the Great Plains with ERTS, 1974
    "NDWI": (("green",), _NIR),  # McFeeters, International Journal of Remote Sensing 17(7), 1996
    "NBR": (_NIR, ("swir22",)),  # Key and Benson, FIREMON Landscape Assessment, 2006
    "NDBI": (("swir16",), _NIR),  # Zha, Gao and Ni, International Journal of Remote Sensing 24(3), 2003
    "NDSI": (("green",), ("swir16",)),  # Hall, Riggs and Salomonson, Remote Sensing of Environment 54(2), 1995
}


@dataclass(frozen=True, slots=True)
class Index:
    """A normalised difference of bands `first` and `second` (counted from 1); `scaling` says of which values.

    `scale` and `offset` are applied to the values of the scene before, where the scene does not know its scaling.
    """

    name: str
    first: int
    second: int
    scaling: str
    scale: float = 1.0
    offset: float = 0.0

    @property
    def formula(self) -> str:
        """`(band 8 - band 4) / sum, where the sum is above 0`."""
        return f"(band {self.first} - band {self.second}) / sum, where the sum is above 0"

    def of(self, first: np.ma.MaskedArray, second: np.ma.MaskedArray) -> np.ma.MaskedArray:
        """The index of values of the two bands; masked where the sum is not above 0, where the ratio has no meaning."""
        first, second = self._scaled(first), self._scaled(second)
        total = first + second
        with np.errstate(all="ignore"):
            return np.ma.masked_where(~(np.ma.getdata(total) > 0), (first - second) / total)

    def without_meaning(self, first: np.ma.MaskedArray, second: np.ma.MaskedArray) -> np.ma.MaskedArray:
        """1 where both bands have data and their sum is not above 0, else 0; masked where there is no data."""
        total = self._scaled(first) + self._scaled(second)
        without = (~(np.ma.getdata(total) > 0)).astype(np.float64)
        return np.ma.MaskedArray(without, mask=np.ma.getmaskarray(total))

    def _scaled(self, values: np.ma.MaskedArray) -> np.ma.MaskedArray:
        with np.errstate(all="ignore"):
            return values * self.scale + self.offset


def indices_of(legend: Legend) -> Iterator[Index]:
    """The indices of which a scene has both bands. Where the offset is not known, each is given twice: without and with it."""
    for name, (firsts, seconds) in INDICES.items():
        first, second = legend.index_of(*firsts), legend.index_of(*seconds)
        if not first or not second:
            continue
        a, b = legend.scalings[first - 1], legend.scalings[second - 1]
        yield from (Index(name, first, second, *rule) for rule in _rules(a, b))


def _rules(first: Scaling, second: Scaling) -> Iterator[tuple[str, float, float]]:
    """Scalings that may be right for two bands: what to say, scale and offset."""
    if first.other_offset is not None and first == second:
        for offset in (0.0, first.other_offset):
            rule = Scaling(first.scale, offset, first.unit, "if that is how it was processed", True)
            yield f"{rule.words} ({first.how})", first.scale, offset
    elif first.known and second.known and first.unit == second.unit:
        yield first.words if first.words == second.words else f"{first.words}; {second.words}", 1.0, 0.0
    elif not first.known and not second.known:
        words = " and ".join(dict.fromkeys((first.words, second.words)))
        yield f"{words}; right only if they are in proportion to reflectance", 1.0, 0.0
