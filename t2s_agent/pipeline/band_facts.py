"""Computes statistics of a scene's bands as a stream: memory does not grow with the number of bands or the window's size."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.scene import Scene, Window


def band_facts(scene: Scene, window: Window, inside: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Returns mean, deviation, smallest and largest value of each band where `inside` (H, W of the View) is true; NDVI last.

    Values are what the file says that its numbers mean: stored value x scale + offset, with both named in the row of a
    band that has them; otherwise they are the stored values. Read at the View's resolution, so that a large scene costs
    no more than its picture. Nodata, values that look like undeclared fill (named in the row), and numbers that are not finite are
    left out.
    """
    height, width = inside.shape
    running = {index: _Running() for index in scene.data_bands}
    pair, ndvi = scene.red_and_nir(), _Running()
    for part in scene.parts(window, height, width, scene.data_bands):
        where = inside[part.rows, part.columns]
        for index, so_far in running.items():
            so_far.add(part.of(index)[where])
        if pair:
            red, nir = (part.of(index)[where] for index in pair)
            ndvi.add(_ndvi(red, nir))
    facts, fills = [], scene.fills_of(scene.data_bands)
    for index, so_far in running.items():
        band = scene.bands[index - 1]
        meaning = {"scale": band.scale, "offset": band.offset} if band.scaled else {}
        left_out = {"left_out_as_fill": [fill.shown for fill in fills[index]]} if fills[index] else {}
        facts.append({"band": index, "name": band.description, **so_far.figures(), **meaning, **left_out})
    if pair:
        red_band, nir_band = pair
        name = f"(band {nir_band} - band {red_band}) / sum, where the sum is above 0"
        facts.append({"band": "NDVI", "name": name, **ndvi.figures()})
    return facts


def _ndvi(red: np.ma.MaskedArray, nir: np.ma.MaskedArray) -> np.ma.MaskedArray:
    """Returns (nir - red) / (nir + red) of reflectances; masked where the sum is not above 0 and the ratio is meaningless."""
    with np.errstate(all="ignore"):
        total = nir + red
        return np.ma.masked_where(~(np.ma.getdata(total) > 0), (nir - red) / total)


@dataclass(slots=True)
class _Running:
    """Accumulates count, mean, squared deviations, smallest and largest value of numbers that come in parts.

    Parts are put together as Chan, Golub and LeVeque (1983) do. Sums are of values divided by `unit`, a power of two near the
    largest, so that squares of very large or very small numbers stay within float64.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    unit: float = field(default=0.0)

    def add(self, values: np.ma.MaskedArray) -> None:
        kept = np.ma.compressed(values).astype(np.float64)
        if not kept.size:
            return
        self.low, self.high = min(self.low, float(kept.min())), max(self.high, float(kept.max()))
        self._rescale(max(abs(self.low), abs(self.high)))
        kept = kept / self.unit
        mean, count = float(kept.mean()), self.count + kept.size
        squares, apart = float(np.square(kept - mean).sum()), mean - self.mean
        self.squares += squares + apart * apart * self.count * kept.size / count
        self.mean += apart * kept.size / count
        self.count = count

    def figures(self) -> dict[str, float | None]:
        """Returns mean, std, min and max; None if there was no number."""
        if not self.count:
            return {"mean": None, "std": None, "min": None, "max": None}
        std = math.sqrt(self.squares / self.count)
        values = {"mean": self.mean * self.unit, "std": std * self.unit, "min": self.low, "max": self.high}
        return {name: _rounded(value) for name, value in values.items()}

    def _rescale(self, largest: float) -> None:
        unit = math.ldexp(1.0, max(-1000, min(1000, math.frexp(largest)[1]))) if largest else 1.0
        if unit > self.unit:
            ratio = self.unit / unit
            self.mean, self.squares, self.unit = self.mean * ratio, self.squares * ratio * ratio, unit


def _rounded(value: float) -> float:
    """Rounds to four decimals, or to six significant digits if that keeps more."""
    return round(value, 4) if abs(value) >= 1 else float(f"{value:.6g}")
