"""Stores the pixels of one object in a View, cropped to the object's box, and compares and merges such masks.

Full arrays for a View of 1,024 x 1,024 px with 500 objects would need half a gigabyte. For cropped masks, memory and time grow
with the size of the objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STRIP_BYTES = 32 * 2**20  # of labels processed at a time


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """`pixels` is bool (h, w); its upper left pixel is pixel (`x`, `y`) of the View, both at least 0."""

    pixels: NDArray[np.bool_]
    x: int
    y: int

    @classmethod
    def of(cls, pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> "Mask":
        """The mask of an array (h, w) with its upper left pixel at (`x`, `y`), cropped to its true pixels (copied)."""
        rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
        if not len(rows):
            return EMPTY
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        return cls(np.array(pixels[top:bottom, left:right], dtype=bool), x + left, y + top)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 of the array; x2 and y2 are exclusive."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def part(self) -> tuple[slice, slice]:
        """The slices of the mask in an array (H, W) of the View: `array[mask.part]` has the shape of `pixels`."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def __bool__(self) -> bool:
        """Whether it has any pixel."""
        return bool(self.pixels.any())

    def full(self, height: int, width: int) -> NDArray[np.bool_]:
        """The mask as bool (height, width), the View's size."""
        whole = np.zeros((height, width), bool)
        whole[self.part] = self.pixels
        return whole

    def paint(self, labels: NDArray[np.generic], value: int) -> None:
        """Writes `value` at the mask's pixels in an array (H, W) of the View."""
        labels[self.part][self.pixels] = value

    def where(self, area: NDArray[np.bool_]) -> "Mask":
        """The part of the mask inside an area (H, W) of the View."""
        return Mask.of(self.pixels & area[self.part], self.x, self.y)

    def moved(self, dx: int, dy: int) -> "Mask":
        """The mask moved by (dx, dy) pixels."""
        return Mask(self.pixels, self.x + dx, self.y + dy) if self.pixels.size else self

    def shared(self, other: "Mask") -> int:
        """The number of pixels in both masks."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right, bottom = (
            min(self.x + self.width, other.x + other.width),
            min(self.y + self.height, other.y + other.height),
        )
        if left >= right or top >= bottom:
            return 0
        own = self.pixels[top - self.y : bottom - self.y, left - self.x : right - self.x]
        its = other.pixels[top - other.y : bottom - other.y, left - other.x : right - other.x]
        return int(np.count_nonzero(own & its))

    def iou(self, other: "Mask") -> float:
        """Intersection over union; 1.0 for two empty masks."""
        shared = self.shared(other)
        union = self.area + other.area - shared
        return shared / union if union else 1.0


EMPTY = Mask(np.zeros((0, 0), bool), 0, 0)


def union_of(masks: Iterable[Mask], height: int, width: int) -> NDArray[np.bool_]:
    """The union of masks as bool (height, width)."""
    whole = np.zeros((height, width), bool)
    for mask in masks:
        whole[mask.part] |= mask.pixels
    return whole


def joined(masks: Sequence[Mask]) -> Mask:
    """The union of masks as one mask."""
    there = [mask for mask in masks if mask.pixels.size]
    if not there:
        return EMPTY
    corners = np.array([mask.bounds for mask in there])
    left, top = corners[:, :2].min(0).tolist()
    right, bottom = corners[:, 2:].max(0).tolist()
    return Mask(union_of((mask.moved(-left, -top) for mask in there), bottom - top, right - left), left, top)


def boxes_of(labels: NDArray[np.integer]) -> dict[int, tuple[int, int, int, int]]:
    """The box x1, y1, x2, y2 of the pixels of each value above 0 in labels (H, W), in the order of the values, in one pass."""
    height, width = labels.shape
    rows = max(1, _STRIP_BYTES // max(1, width * labels.itemsize))
    found = [_runs(labels[top : top + rows], top) for top in range(0, height, rows)]
    if not found:
        return {}
    values, ys, starts, ends = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(values, kind="stable")
    values, ys, starts, ends = values[order], ys[order], starts[order], ends[order]
    firsts = np.flatnonzero(np.diff(values, prepend=0))  # all values are above 0
    if not len(firsts):
        return {}
    lasts = np.append(firsts[1:], len(values)) - 1
    boxes = np.minimum.reduceat(starts, firsts), ys[firsts], np.maximum.reduceat(ends, firsts), ys[lasts] + 1
    return {
        int(value): (int(x1), int(y1), int(x2), int(y2))
        for value, x1, y1, x2, y2 in zip(values[firsts], *boxes, strict=True)
    }


def _runs(labels: NDArray[np.integer], top: int) -> tuple[NDArray[np.int64], ...]:
    """Runs of one value above 0 in the rows: value, row, first column, last column + 1."""
    height, width = labels.shape
    changes = np.ones((height, width + 1), bool)
    changes[:, 1:-1] = labels[:, 1:] != labels[:, :-1]
    ys, edges = np.nonzero(changes)
    same_row = ys[1:] == ys[:-1]  # between two edges in one row the value is constant
    ys, starts, ends = ys[:-1][same_row], edges[:-1][same_row], edges[1:][same_row]
    values = labels[ys, starts].astype(np.int64)
    kept = values > 0
    return values[kept], ys[kept] + top, starts[kept], ends[kept]


def masks_in(labels: NDArray[np.integer]) -> dict[int, Mask]:
    """The mask of each value above 0 in labels (H, W), in the order of the values."""
    return {value: Mask(labels[y1:y2, x1:x2] == value, x1, y1) for value, (x1, y1, x2, y2) in boxes_of(labels).items()}
