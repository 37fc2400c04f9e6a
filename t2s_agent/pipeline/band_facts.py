"""Computes statistics of a scene's bands as a stream: memory does not grow with the number of bands or the window's size."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.scene import Scene, Window
from t2s_agent.scene.indices import indices_of

_MOSTLY = 0.5  # of the pixels


def band_facts(scene: Scene, window: Window, inside: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Returns mean, deviation, smallest and largest value of each band where `inside` (H, W of the View) is true, then of indices.

    Values are what the file or its sensor says that its numbers mean: stored value x scale + offset, with both named in the row of
    a band that has them; otherwise they are the stored values. Indices (`scene.indices`) are of these values, and say which.
    Read at the View's resolution, so that a large scene costs no more than its picture. Nodata, values that look like undeclared fill
    (named in the row), and numbers that are not finite are left out.
    """
    height, width = inside.shape
    running = {index: _Running() for index in scene.data_bands}
    indices = [(index, _Running(), _Running()) for index in indices_of(scene.legend)]
    for part in scene.parts(window, height, width, scene.data_bands):
        where = inside[part.rows, part.columns]
        for band, so_far in running.items():
            so_far.add(part.of(band)[where])
        for index, so_far, left in indices:
            values = index.of(part.of(index.first)[where], part.of(index.second)[where])
            so_far.add(values)
            left.add(index.without_meaning(part.of(index.first)[where], part.of(index.second)[where]))
    facts, fills = [], scene.fills_of(scene.data_bands)
    for number, so_far in running.items():
        left_out = {"left_out_as_fill": [fill.shown for fill in fills[number]]} if fills[number] else {}
        facts.append({**_about(scene, number), **so_far.figures(), **_meaning(scene, number), **left_out})
    for index, so_far, left in indices:
        facts.append(
            {"band": index.name, "name": index.formula, **so_far.figures(), **_left_out(left), "scaling": index.scaling}
        )
    return facts


def _left_out(without_meaning: "_Running") -> dict[str, Any]:
    """Returns the share of pixels of which an index has no meaning, and what it says where that is most of them."""
    share = without_meaning.mean * without_meaning.unit
    if not share:
        return {}
    doubt = (
        {"doubt": "most sums are not above 0: the offset may have been taken off already"} if share > _MOSTLY else {}
    )
    return {"left_out_share": _rounded(share), **doubt}


def _about(scene: Scene, number: int) -> dict[str, Any]:
    band = scene.bands[number - 1]
    common = {"common_name": band.common} if band.common and band.common != band.description else {}
    return {"band": number, "name": band.description, **common}


def _meaning(scene: Scene, number: int) -> dict[str, Any]:
    """Returns scale, offset and unit of a band's values, where they are not the stored ones."""
    band, scaling = scene.bands[number - 1], scene.legend.scalings[number - 1]
    unit = {"unit": scaling.unit} if scaling.known and scaling.unit else {}
    return {"scale": band.scale, "offset": band.offset, **unit} if band.scaled else unit


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
