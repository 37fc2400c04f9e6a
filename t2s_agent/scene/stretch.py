"""Converts pixel values to 8 bits with percentiles of the whole scene, so that an object has the same colour in each window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (2.0, 98.0)  # common in image viewers: clouds and sensor faults do not darken the rest
SAMPLE_SIDE = 1024  # px: the longer side of the sample for the percentiles
# Values at an end of a band's range that are treated as fill although no tag declares them.
_KNOWN_FILL = (-9999.0, -99999.0, -999.0, 9999.0, 99999.0, 1e20, -1e10, 9.969209968386869e36)
_KNOWN_SHARE, _KNOWN_GAP = 0.001, 0.1  # for usual fill values: least share of the sample, least gap / spread
_ANY_SHARE, _ANY_GAP = 0.01, 1.0  # for other values
_KNOWN_LEVELS, _ANY_LEVELS = 3, 16  # least number of other values: with fewer it is a map of classes
_UNREAL = 1e30  # larger than any measured quantity
_MOST_FILLS = 3  # most values beyond one gap, and most gaps at one end
_WILD = 1e4  # ratio of the 2-98 % range to the 25-75 % range above which the extreme values are cut off
_HALVE_ABOVE = 1e307  # above this, differences of float64 may overflow


@dataclass(frozen=True, slots=True)
class Fill:
    """A value that looks like fill in a band, its share (0 to 1) of the scene's sample, and its text for messages (`shown`)."""

    value: float
    share: float
    shown: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A linear stretch of three bands: `low` becomes 0, `high` becomes 255.

    `fills` are the fill values of each band, left out of the percentiles; a pixel with fill in all three bands is black.
    `wild`: extreme values were cut off. `factor` is that of the logarithm of bands in decibels (`decibels.factor_of`), else None.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    fills: tuple[tuple[Fill, ...], ...] = ((), (), ())
    wild: bool = False
    factor: float | None = None

    def apply(self, values: NDArray[np.number], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The picture, uint8 (H, W, 3), of values (3, H, W); invalid pixels become 0."""
        if self == IDENTITY and values.dtype == np.uint8:
            out = np.ascontiguousarray(np.moveaxis(values, 0, -1))
            if not valid.all():
                out *= valid[..., None]
            return out
        out = np.zeros((*values.shape[1:], 3), np.uint8)
        filled = np.logical_and.reduce([_is_any(v, fills) for v, fills in zip(values, self.fills, strict=True)])
        for band, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            with np.errstate(all="ignore"):
                part = 1.0 if np.isfinite(high - low) else 0.5  # the difference of two float64 may overflow
                kept = np.clip(values[band].astype(np.float64), low, high) * part - low * part
                scaled = kept / (high * part - low * part) * 255
            scaled = np.where(valid & ~filled & np.isfinite(scaled), scaled, 0)
            out[..., band] = np.rint(scaled).astype(np.uint8)
        return out


IDENTITY = Stretch((0.0,) * 3, (255.0,) * 3)  # 8 bits are shown unchanged


def of_bits(bits: Sequence[int]) -> Stretch:
    """The stretch of three bands of integers with `bits` bits (1 to 8) each: their whole range."""
    high = [2.0 ** min(8, max(1, number)) - 1 for number in bits]
    return Stretch((0.0,) * 3, (high[0], high[1], high[2]))


def stretch_of(values: NDArray[np.number], valid: NDArray[np.bool_]) -> Stretch:
    """The stretch for a sample (3, H, W) of a whole scene, from its valid and finite values.

    Pixels with 0 in all three bands are left out: scenes without a nodata value use 0 outside the picture. So are other values
    that look like fill (`fills_of`). A constant band becomes grey; a sample without valid pixels gives 0 to 1.
    """
    lows, highs, fills, wild = [], [], [], False
    all_valid = valid
    nonzero = valid & (values != 0).any(0)
    valid = nonzero if nonzero.any() else valid
    for band in values:
        finite = np.isfinite(band)
        sample = band[valid & finite].astype(np.float64)
        # the share of all valid pixels, including zeros
        of_all = sample.size / max(1, np.count_nonzero(all_valid & finite))
        out = tuple(replace(fill, share=fill.share * of_all) for fill in fills_of(sample, band.dtype))
        sample = sample[~_is_any(sample, out)] if out else sample
        low, high, far = _range_of(sample)
        lows.append(low)
        highs.append(high)
        fills.append(out)
        wild |= far
    return Stretch((lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2]), tuple(fills), wild)


def fills_of(sample: NDArray[np.float64], dtype: np.dtype) -> tuple[Fill, ...]:
    """Values at either end of a band's finite sample that look like fill: frequent, and far from all other values.

    A usual fill value (-9999, the limits of the type, or above any measured quantity) needs a share of a thousandth of the sample
    and a gap of a tenth of the spread (2 to 98 %) of the other values; any other value needs a share of a hundredth and a gap of
    the whole spread. Up to three values may be beyond one gap, and there may be several gaps.
    """
    found: list[Fill] = []
    total = sample.size
    for from_top in (False, True):
        for _ in range(_MOST_FILLS):
            group = _fills_at_end(sample, dtype, total, from_top)
            found += [Fill(value, share, _format_value(value, dtype)) for value, share in group]
            if not group:
                break
            sample = sample[~np.isin(sample, [value for value, _ in group])]
    return tuple(found)


def _fills_at_end(
    sample: NDArray[np.float64], dtype: np.dtype, total: int, from_top: bool
) -> list[tuple[float, float]]:
    """The smallest group of values at one end that looks like fill, with the share of each in a sample of `total` values."""
    levels, counts = np.unique(sample, return_counts=True)
    if from_top:
        levels, counts = levels[::-1], counts[::-1]
    shares = counts / total
    for size in range(1, min(_MOST_FILLS, len(levels) - 1) + 1):
        known = any(value in _known_of(dtype) or abs(value) >= _UNREAL for value in levels[:size].tolist())
        least, gap, others = (_KNOWN_SHARE, _KNOWN_GAP, _KNOWN_LEVELS) if known else (_ANY_SHARE, _ANY_GAP, _ANY_LEVELS)
        if shares[size - 1] < least or len(levels) - size < others:
            break
        rest = sample[sample < levels[size - 1]] if from_top else sample[sample > levels[size - 1]]
        low, high = _percentiles(rest)
        if abs(levels[size] / 2 - levels[size - 1] / 2) > gap * (high / 2 - low / 2):
            return list(zip(levels[:size].tolist(), shares[:size].tolist(), strict=True))
    return []


def _format_value(value: float, dtype: np.dtype) -> str:
    """A value as text. The largest 64-bit integers are not exact as float64: the nearest float may be outside the type."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return str(min(max(int(value), info.min), info.max))
    return str(dtype.type(value)).removesuffix(".0")


def _known_of(dtype: np.dtype) -> Sequence[float]:
    """The usual fill values of a type: `_KNOWN_FILL` and the limits of the type, except 0."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return [float(v) for v in (*_KNOWN_FILL, info.min, info.max, -32768, 65535, 32767) if v != 0]
    lowest, smaller = np.finfo(np.float32).min, np.finfo(dtype).min
    with np.errstate(over="ignore"):
        known = [*_KNOWN_FILL, -32768, 65535, lowest, -lowest, smaller, -smaller]
        return [float(dtype.type(value)) for value in known]


def _range_of(sample: NDArray[np.float64]) -> tuple[float, float, bool]:
    """The lowest and highest value of a band's stretch, and whether extreme values were cut off."""
    if not sample.size:
        return 0.0, 1.0, False
    low, high = _percentiles(sample)
    quarter, three_quarters = _percentiles(sample, (25.0, 75.0))
    half = three_quarters / 2 - quarter / 2
    if half > 0 and (high / 2 - low / 2) > _WILD * half:
        middle = three_quarters - quarter
        return max(low, quarter - 1.5 * middle), min(high, three_quarters + 1.5 * middle), True
    if not low < high:
        most = np.finfo(np.float64).max
        around = max(0.5, abs(low) * 1e-6)
        low, high = max(low - around, -most), min(high + around, most)
    return low, high, False


def _percentiles(sample: NDArray[np.float64], which: tuple[float, float] = PERCENTILES) -> tuple[float, float]:
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scale = 0.5 if float(np.abs(sample).max()) > _HALVE_ABOVE else 1.0
        low, high = np.percentile(sample * scale, which)
    return float(low / scale), float(high / scale)


def _is_any(values: NDArray[np.number], fills: Sequence[Fill]) -> NDArray[np.bool_]:
    return np.isin(values, [fill.value for fill in fills]) if fills else np.zeros(values.shape, bool)
