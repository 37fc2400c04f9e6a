"""Any number to eight bits: robust percentiles of the whole scene, so that a roof has one colour in every window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (2.0, 98.0)  # what most viewers of overhead imagery use: clouds and sensor faults do not darken the rest
SAMPLE_SIDE = 1024  # px: the longer side of the decimated read that the percentiles come from
# What is taken for fill although no tag says so: one value at an end of a band's range.
_KNOWN_FILL = (-9999.0, -99999.0, -999.0, 9999.0, 99999.0, 1e20, -1e10, 9.969209968386869e36)
_KNOWN_SHARE, _KNOWN_GAP = 0.001, 0.1  # of a number that is used for fill everywhere: share of the sample, gap / spread
_ANY_SHARE, _ANY_GAP = 0.01, 1.0  # of any other number
_KNOWN_LEVELS, _ANY_LEVELS = 3, 16  # other values that there must be: with fewer it is a map of classes, not a picture
_UNREAL = 1e30  # no quantity that is mapped has such numbers
_MOST_FILLS = 3  # values beyond one gap, and gaps at one end
_WILD = 1e4  # spread of 2 to 98 %, in spreads of 25 to 75 %, beyond which a band's ends are no picture
_HALVE_ABOVE = 1e307  # differences of float64 beyond overflow


@dataclass(frozen=True, slots=True)
class Fill:
    """A value that looks like fill in one of the bands, how much of the scene's sample it covers, and how it is written."""

    value: float
    share: float
    shown: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A straight line from `low` (to 0) to `high` (to 255) for each of three bands.

    `fills` are the values, of each band, that were left out; where all three bands hold theirs, a pixel is black.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    fills: tuple[tuple[Fill, ...], ...] = ((), (), ())
    wild: bool = False

    def apply(self, values: NDArray[np.number], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Values (3, H, W) to uint8 (H, W, 3); what is not valid becomes 0."""
        if self == IDENTITY and values.dtype == np.uint8:
            out = np.ascontiguousarray(np.moveaxis(values, 0, -1))
            if not valid.all():
                out *= valid[..., None]
            return out
        out = np.zeros((*values.shape[1:], 3), np.uint8)
        filled = np.logical_and.reduce([_is_any(v, fills) for v, fills in zip(values, self.fills, strict=True)])
        for band, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            with np.errstate(all="ignore"):
                part = 1.0 if np.isfinite(high - low) else 0.5  # of two float64 the difference may be beyond float64
                kept = np.clip(values[band].astype(np.float64), low, high) * part - low * part
                scaled = kept / (high * part - low * part) * 255
            scaled = np.where(valid & ~filled & np.isfinite(scaled), scaled, 0)
            out[..., band] = np.rint(scaled).astype(np.uint8)
        return out


IDENTITY = Stretch((0.0,) * 3, (255.0,) * 3)  # eight bits are shown as they are


def of_bits(bits: Sequence[int]) -> Stretch:
    """The stretch of three bands of whole numbers of so many bits (1 to 8): their whole range, whatever the picture holds."""
    high = [2.0 ** min(8, max(1, number)) - 1 for number in bits]
    return Stretch((0.0,) * 3, (high[0], high[1], high[2]))


def stretch_of(values: NDArray[np.number], valid: NDArray[np.bool_]) -> Stretch:
    """The stretch for a sample (3, H, W) of a whole scene; nodata and what is not finite is kept out.

    So is what is zero in all three bands, which is how scenes without a nodata value fill what lies beside the picture: it is
    shown, as black, and does not count. So are other values that look like fill (`fills_of`).
    A constant band comes out grey; a sample without any valid pixel stretches 0..1.
    """
    lows, highs, fills, wild = [], [], [], False
    counted = valid
    seen_at = valid & (values != 0).any(0)
    valid = seen_at if seen_at.any() else valid
    for band in values:
        finite = np.isfinite(band)
        seen = band[valid & finite].astype(np.float64)
        of_all = seen.size / max(1, np.count_nonzero(counted & finite))  # the share is of all pixels, zeros too
        out = tuple(replace(fill, share=fill.share * of_all) for fill in fills_of(seen, band.dtype))
        seen = seen[~_is_any(seen, out)] if out else seen
        low, high, far = _range_of(seen)
        lows.append(low)
        highs.append(high)
        fills.append(out)
        wild |= far
    return Stretch((lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2]), tuple(fills), wild)


def fills_of(seen: NDArray[np.float64], dtype: np.dtype) -> tuple[Fill, ...]:
    """Values at either end of a band's finite sample that look like fill: many pixels, nothing near them.

    A number that is used for fill everywhere (-9999, the ends of the type, anything beyond what is measured) needs a thousandth of
    the sample and a gap of a tenth of the spread (2 to 98 %) of all other values; any other number a hundredth, and a gap of a whole
    spread. Up to three values may lie together beyond one gap, and there may be several gaps.
    """
    found: list[Fill] = []
    total = seen.size
    for from_top in (False, True):
        for _ in range(_MOST_FILLS):
            group = _fill_at(seen, dtype, total, from_top)
            found += [Fill(value, share, _written(value, dtype)) for value, share in group]
            if not group:
                break
            seen = seen[~np.isin(seen, [value for value, _ in group])]
    return tuple(found)


def _fill_at(seen: NDArray[np.float64], dtype: np.dtype, total: int, from_top: bool) -> list[tuple[float, float]]:
    """The fewest values at one end that look like fill, and the share of each in a sample of `total` values."""
    levels, counts = np.unique(seen, return_counts=True)
    if from_top:
        levels, counts = levels[::-1], counts[::-1]
    shares = counts / total
    for size in range(1, min(_MOST_FILLS, len(levels) - 1) + 1):
        known = any(value in _known_of(dtype) or abs(value) >= _UNREAL for value in levels[:size].tolist())
        least, gap, others = (_KNOWN_SHARE, _KNOWN_GAP, _KNOWN_LEVELS) if known else (_ANY_SHARE, _ANY_GAP, _ANY_LEVELS)
        if shares[size - 1] < least or len(levels) - size < others:
            break
        rest = seen[seen < levels[size - 1]] if from_top else seen[seen > levels[size - 1]]
        low, high = _percentiles(rest)
        if abs(levels[size] / 2 - levels[size - 1] / 2) > gap * (high / 2 - low / 2):
            return list(zip(levels[:size].tolist(), shares[:size].tolist(), strict=True))
    return []


def _written(value: float, dtype: np.dtype) -> str:
    """A value as people write it. The largest numbers of 64 bits are no float64: the nearest one may be beyond the type."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return str(min(max(int(value), info.min), info.max))
    return str(dtype.type(value)).removesuffix(".0")


def _known_of(dtype: np.dtype) -> Sequence[float]:
    """The values of a type that are used for fill everywhere: `_KNOWN_FILL` and the type's ends, 0 excepted."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return [float(v) for v in (*_KNOWN_FILL, info.min, info.max, -32768, 65535, 32767) if v != 0]
    lowest, smaller = np.finfo(np.float32).min, np.finfo(dtype).min
    with np.errstate(over="ignore"):
        known = [*_KNOWN_FILL, -32768, 65535, lowest, -lowest, smaller, -smaller]
        return [float(dtype.type(value)) for value in known]


def _range_of(seen: NDArray[np.float64]) -> tuple[float, float, bool]:
    """From where to where a band is shown, and whether its far values were cut for it."""
    if not seen.size:
        return 0.0, 1.0, False
    low, high = _percentiles(seen)
    quarter, three_quarters = _percentiles(seen, (25.0, 75.0))
    half = three_quarters / 2 - quarter / 2
    if half > 0 and (high / 2 - low / 2) > _WILD * half:
        middle = three_quarters - quarter
        return max(low, quarter - 1.5 * middle), min(high, three_quarters + 1.5 * middle), True
    if not low < high:
        most = np.finfo(np.float64).max
        around = max(0.5, abs(low) * 1e-6)
        low, high = max(low - around, -most), min(high + around, most)
    return low, high, False


def _percentiles(seen: NDArray[np.float64], which: tuple[float, float] = PERCENTILES) -> tuple[float, float]:
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scale = 0.5 if float(np.abs(seen).max()) > _HALVE_ABOVE else 1.0
        low, high = np.percentile(seen * scale, which)
    return float(low / scale), float(high / scale)


def _is_any(values: NDArray[np.number], fills: Sequence[Fill]) -> NDArray[np.bool_]:
    return np.isin(values, [fill.value for fill in fills]) if fills else np.zeros(values.shape, bool)
