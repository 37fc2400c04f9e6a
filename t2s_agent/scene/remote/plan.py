"""Which bytes of a remote TIFF a read needs: the level that GDAL chooses, and the blocks of it that the window touches.

GDAL's choice (gcore/rasterio.cpp, `GDALBandGetBestOverviewLevel2`): of the overviews at most as coarse as what is asked for
(times a threshold, plus 0.1), the coarsest; the first that fits to 0.1 ends the search. Where GDAL reads what was not planned, that is
fetched and the read begins again (`RemoteSource.read`): the pixels are right, at the cost of a few more requests.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from t2s_agent.scene.remote.header import Image, Read
from t2s_agent.scene.remote.ranges import Range
from t2s_agent.scene.source import Wanted

_NEARLY = 0.1
_NEAREST_THRESHOLD = 1.2  # what reading.py sets for nearest neighbours; 1 for averages
_WHOLE = 1e-11  # pixels: GDAL reads one more where a window is further than this from the edges of pixels
_KERNEL = 3  # pixels: the largest radius of a resampling kernel (lanczos), for other ways than nearest and average


class Plan:
    """The images of one file: the first is the scene."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._main = images[0]
        self._levels = [image for image in images[1:] if image.overview and not image.mask]
        self._masks = [image for image in images if image.mask]

    def ranges(self, read: Read, wanted: Iterable[Wanted]) -> list[Range]:
        """The ranges of the file that reads need. `read` gives parts of the header. Raises NoPlan."""
        blocks: dict[Image, set[int]] = {}
        for each in wanted:
            for image in self._images(each):
                scale_x, scale_y = self._main.width / image.width, self._main.height / image.height
                touched = image.blocks(*_box(each, scale_x, scale_y), _planes(image, each))
                blocks.setdefault(image, set()).update(touched)
        return [found for image, touched in blocks.items() for found in image.ranges(read, touched)]

    def _images(self, wanted: Wanted) -> Iterator[Image]:
        """The images that a read opens: a level, and where values are averaged also the mask of the same size."""
        if wanted.mask:
            full = [image for image in self._masks if (image.width, image.height) == self._size]
            yield from _same_size(
                _choose(full[:1] + [each for each in self._masks if each not in full], wanted), self._masks
            )
            return
        level = _choose([self._main, *self._levels], wanted)
        yield from _same_size(level, [self._main, *self._levels])
        if not wanted.nearest:
            yield from _same_size(level, self._masks)

    @property
    def _size(self) -> tuple[int, int]:
        return self._main.width, self._main.height


def _same_size(level: Image | None, images: Iterable[Image]) -> Iterator[Image]:
    if level is not None:
        yield from (each for each in images if (each.width, each.height) == (level.width, level.height))


def _choose(images: Sequence[Image], wanted: Wanted) -> Image | None:
    """The image that GDAL reads: the first one is at full resolution, the others are its overviews."""
    if not images:
        return None
    best, best_factor = images[0], 0.0
    height, width = wanted.shape
    across, down = max(1, int(wanted.window[2])) / width, max(1, int(wanted.window[3])) / height
    asked = across if across < down or height == 1 else down
    if across <= 1 and down <= 1:
        return best
    threshold = _NEAREST_THRESHOLD if wanted.nearest else 1.0
    for image in images[1:]:
        factor = min(images[0].width / image.width, images[0].height / image.height)
        if factor >= asked * threshold + _NEARLY or factor <= best_factor:
            continue
        best, best_factor = image, factor
        if abs(asked - factor) < _NEARLY:
            break
    return best


def _box(wanted: Wanted, scale_x: float, scale_y: float) -> tuple[int, int, int, int]:
    """The window in pixels of a level: left, top, right, bottom, with what GDAL reads around it (measured, GDAL 3.10)."""
    x, y, width, height = wanted.window
    across, down = (x / scale_x, (x + width) / scale_x), (y / scale_y, (y + height) / scale_y)
    exact = all(place == round(place) for place in (*across, *down))
    same = exact and (down[1] - down[0], across[1] - across[0]) == wanted.shape
    resampled = not wanted.nearest and not same
    left, right = _span(*across, _radius(wanted, across[1] - across[0], wanted.shape[1]), resampled=resampled)
    top, bottom = _span(*down, _radius(wanted, down[1] - down[0], wanted.shape[0]), resampled=resampled)
    return left, top, right, bottom


def _span(start: float, stop: float, radius: int, *, resampled: bool) -> tuple[int, int]:
    """The pixels between two places, and `radius` more; one more where the places are not at pixels' edges.

    Where values are resampled, GDAL reads one more at the end, or two.
    """
    whole = abs(start - round(start)) < _WHOLE and abs(stop - round(stop)) < _WHOLE
    more = radius + (not whole)
    last = max(math.ceil(stop - _WHOLE), math.floor(start) + 1)
    return math.floor(start + _WHOLE) - more, last + more + resampled


def _radius(wanted: Wanted, pixels: float, shown: int) -> int:
    return _KERNEL * math.ceil(max(1.0, pixels / shown)) + 1 if wanted.wide_kernel else 0


def _planes(image: Image, wanted: Wanted) -> list[int]:
    """The planes of bands; where values are averaged also the last one, which may be the alpha band."""
    if image.planes == 1:
        return [0]
    planes = {band - 1 for band in wanted.bands if band <= image.planes} or {0}
    return sorted(planes if wanted.nearest else planes | {image.planes - 1})
