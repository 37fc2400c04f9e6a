"""Where a scene holds data: an alpha band, a mask, nodata values. Where there are several, a pixel must pass all of them.

GDAL looks at one of them only (nodata before alpha), sees an alpha band only as the second or fourth, and only of whole
numbers. So alpha and nodata are read as what they are, bands and values, by us.
"""

from collections.abc import Callable, Sequence

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling

from t2s_agent.scene.bands import Band, is_alpha
from t2s_agent.scene.reading import Piece, Reader

Bools = NDArray[np.bool_]
_MOSTLY = 0.5  # share of alpha's pixels: real alpha is hidden or opaque nearly everywhere, edges and shadows apart


class Validity:
    """Answers for pieces of a scene whether pixels are data.

    `opaque` gives the value of the alpha band that means fully visible; asked once, when it is needed. `alpha` is the alpha band,
    0 where there is none.
    """

    def __init__(
        self,
        dataset: rasterio.DatasetReader,
        reader: Reader,
        bands: Sequence[Band],
        opaque: Callable[[int], float],
        outer: Reader | None = None,
    ) -> None:
        self._reader, self._outer, self._find_opaque = reader, outer, opaque
        self.alpha = next((band.index for band in bands if is_alpha(band)), 0)
        self._opaque: float | None = None
        self._partly, self._looked_at = 0, 0  # pixels of alpha: neither hidden nor opaque, and all
        flags = dataset.mask_flag_enums[0]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self._nodata = {
            band.index: value
            for band, stored in zip(bands, dataset.nodatavals, strict=True)
            if (value := _as_stored(stored, band.dtype)) is not None
        }
        sources = bool(self.alpha) + bool(self._nodata) + self._masked + (outer is not None)
        heeded = self._masked or bool(self._nodata) or MaskFlags.alpha in flags
        # whether an average that GDAL makes has hidden pixels mixed in: it heeds one source of validity, or a wrong one
        self.beyond_gdal = sources != int(heeded)

    @property
    def transparent(self) -> bool:
        """Whether the alpha band was looked at and hides everything."""
        return self._opaque is not None and not self._opaque > 0

    @property
    def translucent(self) -> bool:
        """Whether most of the alpha that was looked at lies between hidden and opaque, as a picture does and alpha seldom."""
        return self._partly > _MOSTLY * self._looked_at

    def extra_bands(self, indexes: Sequence[int]) -> int:
        """How many bands more than the shown ones have to be read, for a budget."""
        return bool(self.alpha) + self._masked + (self._outer is not None) + len(self._nodata.keys() & set(indexes))

    def of(self, piece: Piece, indexes: Sequence[int]) -> Bools:
        """Where a piece (height, width) holds data in these bands.

        A nodata value in one of several bands is a value, since many files use 0, which a dark pixel may hold in one
        band; where all the bands that name a nodata value hold it, there is nothing.
        """
        valid = self._seen(piece)
        named = sorted(self._nodata.keys() & set(indexes))
        if named:
            stored = self._reader.values(piece, named, Resampling.nearest)
            empty = [band == self._nodata[index] for index, band in zip(named, stored, strict=True)]
            valid &= ~np.logical_and.reduce(empty)
        return valid

    def of_each(self, piece: Piece, indexes: Sequence[int]) -> tuple[Bools, dict[int, Bools]]:
        """Where a piece holds data as a whole, and for each band with a nodata value where that band has none.

        For statistics of a band: its own nodata values do not count, except 0 beside other bands with values.
        """
        valid, named = self._seen(piece), sorted(self._nodata.keys() & set(indexes))
        if not named:
            return valid, {}
        stored = self._reader.values(piece, named, Resampling.nearest)
        empty = {index: band == self._nodata[index] for index, band in zip(named, stored, strict=True)}
        valid &= ~np.logical_and.reduce(list(empty.values()))
        return valid, {index: ~gap for index, gap in empty.items() if self._nodata[index] != 0}

    def _seen(self, piece: Piece) -> Bools:
        """What alpha band and masks let through."""
        valid = np.ones(piece.shape, bool)
        if self.alpha:
            if self._opaque is None:
                self._opaque = self._find_opaque(self.alpha)
            alpha = self._reader.values(piece, [self.alpha], Resampling.nearest)[0]
            self._looked_at += alpha.size
            self._partly += int(((alpha > 0.02 * self._opaque) & (alpha < 0.98 * self._opaque)).sum())
            # half of fully visible or more; an alpha band that is 0 everywhere hides everything
            valid &= (alpha > self._opaque / 2) if self._opaque > 0 else False
        if self._masked:
            valid &= self._reader.mask(piece) > 0
        if self._outer is not None:
            self._reader.check_deadline()
            valid &= self._outer.values(piece, [1], Resampling.nearest)[0] > 0
        return valid


def _as_stored(nodata: float | None, dtype: str) -> np.number | None:
    """A nodata value in the band's own type, as its pixels hold it; None where no pixel can be equal to it."""
    if nodata is None or np.isnan(nodata) or dtype.startswith("complex"):
        return None
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        if nodata != int(nodata) if np.isfinite(nodata) else True:
            return None
        return kind.type(int(nodata)) if info.min <= nodata <= info.max else None
    with np.errstate(over="ignore"):
        value = kind.type(nodata)
    return value if np.isfinite(value) else None
