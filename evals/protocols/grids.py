"""The pixels at which protocols compare masks: the image's own, a square, or a longer side of so many pixels."""

from dataclasses import dataclass
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


ORIGINAL = Grid("original")


def resized(mask: BoolMask, height: int, width: int, *, corner: bool = False) -> BoolMask:
    """A mask (h, w) as (height, width), each pixel from the nearest one; the same array where the size is the same."""
    if mask.shape == (height, width):
        return mask
    if not corner:
        picture = Image.fromarray(mask.view(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
        return np.asarray(picture).view(bool)
    return mask[_corners(mask.shape[0], height)[:, None], _corners(mask.shape[1], width)]


def _corners(old: int, new: int) -> NDArray[np.int64]:
    return np.minimum((np.arange(new) * (old / new)).astype(np.int64), old - 1)
