"""Shows radar bands in decibels, and their differences.

Numbers of bands below 0 stand for them, wherever the bands of a picture are numbers: -b is band b in decibels, and
-(10000 a + b) is band a minus band b in decibels (for b = VH and a = VV their ratio, which tells surfaces from volumes).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_APART = 10_000  # above the largest number of bands that is opened (`Limits.bands`)
_FARTHEST_DB = 100.0  # backscatter lies within -60 and 40 dB: beyond this a value is fill
_POWER, _AMPLITUDE = 10.0, 20.0  # decibels a factor of ten


def decibels(band: int, minus: int = 0) -> int:
    """The number that stands for a band in decibels, or for its difference to the band `minus`."""
    return -(band * _APART + minus) if minus else -band


def parts_of(number: int) -> tuple[int, int]:
    """The band of a number, and the band that is subtracted from it (0: none)."""
    return divmod(-number, _APART) if number < -_APART else (abs(number), 0)


def bands_behind(shown: Sequence[int]) -> tuple[int, ...]:
    """The bands of the file that are read to show these: the same numbers where none is below 0, else each once."""
    if all(number > 0 for number in shown):
        return tuple(shown)
    return tuple(dict.fromkeys(part for number in shown for part in parts_of(number) if part))


def factor_of(values: NDArray[np.number], valid: NDArray[np.bool_]) -> float:
    """The factor of the logarithm for the stored values (bands, H, W) of a scene's sample: 0 where they are decibels already.

    Most decibels of backscatter are below 0, where no power or amplitude is. Integers are amplitudes, floating-point
    values powers, as in Sentinel-1's and in terrain-corrected products.
    """
    if values.dtype.kind in "ui":
        return _AMPLITUDE
    first = values[0][valid & np.isfinite(values[0])]
    return 0.0 if first.size and float(np.median(first)) < 0 else _POWER


def pictured(
    values: NDArray[np.number], behind: Sequence[int], shown: Sequence[int], factor: float
) -> NDArray[np.float32]:
    """Values (3, H, W) of `shown` from the stored values of the bands `behind` them; NaN where there is no backscatter."""
    with np.errstate(all="ignore"):
        stored = values.astype(np.float32)
        scaled = stored if factor == 0 else np.float32(factor) * np.log10(np.where(stored > 0, stored, np.nan))
        scaled[~(np.abs(scaled) <= _FARTHEST_DB)] = np.nan
    at = {band: place for place, band in enumerate(behind)}
    pictures = []
    for number in shown:
        band, minus = parts_of(number)
        pictures.append(scaled[at[band]] - scaled[at[minus]] if minus else scaled[at[band]])
    return np.stack(pictures)


def band_words(number: int) -> str:
    """`band 4`, `band 1 in decibels`, `band 1 minus band 2 in decibels`."""
    if number > 0:
        return f"band {number}"
    band, minus = parts_of(number)
    return f"band {band} minus band {minus} in decibels" if minus else f"band {band} in decibels"
