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
        """Notes the regions of a block; of several in one pixel the last one by id stays."""
        tall, wide = block.labels.shape
        height, width = self.labels.shape
        rows = (np.arange(tall) + block.y) * height // self._height
        columns = (np.arange(wide) + block.x) * width // self._width
        first_rows, first_columns = (np.flatnonzero(np.diff(each, prepend=-1)) for each in (rows, columns))
        largest = np.maximum.reduceat(np.maximum.reduceat(block.labels, first_rows, axis=0), first_columns, axis=1)
        part = np.ix_(rows[first_rows], columns[first_columns])
        self.labels[part] = np.maximum(self.labels[part], largest)
