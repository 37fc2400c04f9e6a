"""Decides which pixels of a scene are valid: by its alpha band, its mask and its nodata values.

Where a scene has several of these, a pixel must be valid in all of them. GDAL uses only one (nodata before alpha), and finds
an alpha band only at the second or fourth position and with an integer type. So this module reads alpha and nodata itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling

from t2s_agent.scene.bands import Band, is_alpha
from t2s_agent.scene.reading import Asked, Piece, Reader

Bools = NDArray[np.bool_]
_MOSTLY = 0.5  # share of alpha's pixels: a real alpha band is transparent or opaque nearly everywhere except at edges


class Validity:
    """Finds the valid pixels of pieces of a scene.

    `opaque` is a function that returns the value of the alpha band for fully opaque pixels; it is called once, when it is needed.
    `alpha` is the index of the alpha band, 0 where there is none. `outer` reads a mask file (.msk).
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
        self._partly, self._total = 0, 0  # pixels of alpha: partly transparent, and all that were read
        flags = dataset.mask_flag_enums[0]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self._nodata = {
            band.index: value
            for band, stored in zip(bands, dataset.nodatavals, strict=True)
            if (value := _as_stored(stored, band.dtype)) is not None
        }
        sources = bool(self.alpha) + bool(self._nodata) + self._masked + (outer is not None)
        used_by_gdal = self._masked or bool(self._nodata) or MaskFlags.alpha in flags
        # whether GDAL's averages may include invalid pixels: it uses one source of validity only, or a wrong one
        self.beyond_gdal = sources != int(used_by_gdal)

    @property
    def transparent(self) -> bool:
        """Whether the alpha band was read and makes every pixel invalid."""
        return self._opaque is not None and not self._opaque > 0

    @property
    def translucent(self) -> bool:
        """Whether most of the alpha band read so far is partly transparent: then it is probably not an alpha band."""
        return self._partly > _MOSTLY * self._total

    def extra_bands(self, indexes: Sequence[int]) -> int:
        """The number of bands to read in addition to `indexes`, for the limit of bytes."""
        return bool(self.alpha) + self._masked + (self._outer is not None) + len(self._nodata.keys() & set(indexes))

    def asked(self, indexes: Sequence[int]) -> list[Asked]:
        """What `of` and `of_each` read of a piece, so that it can be fetched together with the bands."""
        named = tuple(sorted(self._nodata.keys() & set(indexes)))
        bands = [each for each in ((self.alpha,) * bool(self.alpha), named) if each]
        masks = [Asked(mask=True)] if self._masked else []
        return [*(Asked(each, Resampling.nearest) for each in bands), *masks]

    def of(self, piece: Piece, indexes: Sequence[int]) -> Bools:
        """The pixels (height, width) of a piece that are valid in these bands.

        A pixel is invalid where all bands with a nodata value hold it. Nodata in only one of several bands counts as a value:
        many files use 0, which is also the value of a dark pixel in one band.
        """
        valid = self._unmasked(piece)
        named = sorted(self._nodata.keys() & set(indexes))
        if named:
            stored = self._reader.values(piece, named, Resampling.nearest)
            empty = [band == self._nodata[index] for index, band in zip(named, stored, strict=True)]
            valid &= ~np.logical_and.reduce(empty)
        return valid

    def of_each(self, piece: Piece, indexes: Sequence[int]) -> tuple[Bools, dict[int, Bools]]:
        """The valid pixels of a piece, and for each band with a nodata value other than 0 the pixels without that value.

        For statistics of single bands: a band's own nodata values do not count, except 0 where other bands have values.
        """
        valid, named = self._unmasked(piece), sorted(self._nodata.keys() & set(indexes))
        if not named:
            return valid, {}
        stored = self._reader.values(piece, named, Resampling.nearest)
        empty = {index: band == self._nodata[index] for index, band in zip(named, stored, strict=True)}
        valid &= ~np.logical_and.reduce(list(empty.values()))
        return valid, {index: ~gap for index, gap in empty.items() if self._nodata[index] != 0}

    def _unmasked(self, piece: Piece) -> Bools:
        """The pixels that are valid by the alpha band and masks, without nodata values."""
        valid = np.ones(piece.shape, bool)
        if self.alpha:
            if self._opaque is None:
                self._opaque = self._find_opaque(self.alpha)
            alpha = self._reader.values(piece, [self.alpha], Resampling.nearest)[0]
            self._total += alpha.size
            self._partly += int(((alpha > 0.02 * self._opaque) & (alpha < 0.98 * self._opaque)).sum())
            # valid: more than half opaque; where alpha is 0 everywhere no pixel is
            valid &= (alpha > self._opaque / 2) if self._opaque > 0 else False
        if self._masked:
            valid &= self._reader.mask(piece) > 0
        if self._outer is not None:
            self._reader.check_deadline()
            valid &= self._outer.values(piece, [1], Resampling.nearest)[0] > 0
        return valid


def _as_stored(nodata: float | None, dtype: str) -> np.number | None:
    """A nodata value in the type of the band; None where no pixel can have this value."""
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
