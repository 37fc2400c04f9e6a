"""The pixels at which protocols compare masks: the image's own, a square, or a longer side of so many pixels."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evals.metrics.overlap import BoolMask


@dataclass(frozen=True, slots=True)
class Grid:
    """A size that masks are brought to before they are compared, by the nearest pixel.

    `square` stretches to `side` x `side`, `longest` keeps the aspect with the longer side at `side` (zero padding around it
    adds nothing to any area, so it is left out). `corner` True samples at floor(i * scale) as OpenCV does, False at the
    pixel's centre as Pillow does.
    """

    kind: Literal["original", "square", "longest"]
    side: int = 0
    corner: bool = False

    @property
    def name(self) -> str:
        """What rows call it."""
        return self.kind if self.kind == "original" else f"{self.kind}-{self.side}"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width on this grid of an image of `height` and `width`."""
        if self.kind == "original":
            return height, width
        if self.kind == "square":
            return self.side, self.side
        if width > height:
            return max(1, int(height * (self.side / width))), self.side
        return self.side, max(1, int(width * (self.side / height)))

    def of(self, mask: BoolMask, height: int, width: int) -> BoolMask:
        """A mask (h, w) of an image of `height` and `width`, in whatever resolution, on this grid."""
        return resized(mask, *self.size(height, width), corner=self.corner)

    def area(self, mask: BoolMask) -> int:
        """How many pixels a mask (H, W) in the image's own pixels has on this grid, without resizing it.

        Each row and column comes as often as the nearest pixel chooses it, so the area is a sum with these weights.
        """
        if self.kind == "original":
            return int(np.count_nonzero(mask))
        rows, columns = (
            np.bincount(places(old, new, self.corner), minlength=old)
            for old, new in zip(mask.shape, self.size(*mask.shape), strict=True)
        )
        return int((rows.astype(np.float32) @ mask.astype(np.float32)).astype(np.float64) @ columns)


ORIGINAL = Grid("original")


def resized(mask: BoolMask, height: int, width: int, *, corner: bool = False) -> BoolMask:
    """A mask (h, w) as (height, width), each pixel from the nearest one; the same array where the size is the same."""
    if mask.shape == (height, width):
        return mask
    return mask[places(mask.shape[0], height, corner)[:, None], places(mask.shape[1], width, corner)]


@lru_cache(maxsize=256)
def places(old: int, new: int, corner: bool = False) -> NDArray[np.int64]:
    """Which of `old` pixels each of `new` ones takes: OpenCV's rule (`corner`), or Pillow's, with its rounding."""
    if corner:
        return np.minimum((np.arange(new) * (old / new)).astype(np.int64), old - 1)
    numbers = Image.fromarray(np.arange(old, dtype=np.int32)[None])
    taken: NDArray[np.int32] = np.asarray(numbers.resize((new, 1), Image.Resampling.NEAREST))[0]
    return taken.astype(np.int64)
