"""A mask made small for a picture, in which each region keeps at least one pixel: of the nearest pixel alone, small regions vanish."""

from collections.abc import Iterable, Iterator

import numpy as np

from t2s_agent.regions.mask_blocks import LabelBlock


class SmallLabels:
    """`labels` (H, W) of a mask of `width` x `height` px, each pixel with the id of a region that lies in it, 0 where none does."""

    def __init__(self, width: int, height: int, small_width: int, small_height: int) -> None:
        self._width, self._height = width, height
        self.labels = np.zeros((small_height, small_width), np.int32)

    def seen(self, blocks: Iterable[LabelBlock]) -> Iterator[LabelBlock]:
        """Yields blocks on, and notes the regions in them."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block: LabelBlock) -> None:
        """Notes the regions of a block; of several in one pixel the last one of the block stays."""
        ys, xs = np.nonzero(block.labels)
        height, width = self.labels.shape
        rows = (ys + block.y) * height // self._height
        columns = (xs + block.x) * width // self._width
        self.labels[rows, columns] = block.labels[ys, xs]
