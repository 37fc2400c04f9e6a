"""Any number to eight bits: robust percentiles of the whole scene, so that a roof has one colour in every window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (2.0, 98.0)  # what most viewers of overhead imagery use: clouds and sensor faults do not darken the rest
SAMPLE_SIDE = 1024  # px: the longer side of the decimated read that the percentiles come from


@dataclass(frozen=True, slots=True)
class Stretch:
    """A straight line from `low` (to 0) to `high` (to 255) for each of three bands."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def apply(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Values (3, H, W) to uint8 (H, W, 3); what is not valid becomes 0."""
        low = np.array(self.low, np.float64)[:, None, None]
        span = np.array(self.high, np.float64)[:, None, None] - low
        with np.errstate(invalid="ignore"):
            scaled = np.clip((values.astype(np.float64) - low) / span, 0, 1) * 255
        scaled = np.where(valid & np.isfinite(scaled), scaled, 0)
        return np.ascontiguousarray(np.moveaxis(np.rint(scaled).astype(np.uint8), 0, -1))


IDENTITY = Stretch((0.0,) * 3, (255.0,) * 3)  # eight bits are shown as they are


def stretch_of(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Stretch:
    """The stretch for a sample (3, H, W) of a whole scene; nodata and what is not finite is kept out.

    So is what is zero in all three bands, which is how scenes without a nodata value fill what lies beside the picture: it is
    shown, as black, and does not count.
    A constant band comes out black to white around its value; a sample without any valid pixel stretches 0..1.
    """
    lows, highs = [], []
    seen_at = valid & (values != 0).any(0)
    valid = seen_at if seen_at.any() else valid
    for band in values:
        seen = band[valid & np.isfinite(band)]
        low, high = np.percentile(seen, PERCENTILES) if seen.size else (0.0, 1.0)
        if not low < high:
            low, high = low - 0.5, low + 0.5
        lows.append(float(low))
        highs.append(float(high))
    return Stretch((lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2]))
