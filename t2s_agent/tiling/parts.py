"""Connected parts of a mask, and masks grown by some pixels: what the comparison of pieces needs of image processing."""

import numpy as np
from numpy.typing import NDArray

from t2s_agent.mask import Mask, masks_in


def parts_of(mask: Mask) -> list[Mask]:
    """The connected parts of a mask, in row order of their first pixel; pixels that touch at a corner are connected."""
    ys, starts, ends = _runs(mask.pixels)
    if not len(ys):
        return []
    numbers = _connected(ys, starts, ends, mask.width)
    if not numbers.any():
        return [Mask.of(mask.pixels, mask.x, mask.y)]
    labels = np.zeros(mask.pixels.shape, np.int32)
    labels[mask.pixels] = np.repeat(numbers + 1, ends - starts)
    return [part.moved(mask.x, mask.y) for part in masks_in(labels).values()]


def grown(mask: Mask, by: int) -> Mask:
    """The pixels no further than `by` from a mask, along rows, columns and diagonals alike. It can begin left of or above the grid."""
    wide = np.pad(mask.pixels, 2 * by)
    for axis in (0, 1):
        sums = np.cumsum(wide, axis, dtype=np.int32)
        size = 2 * by + 1
        first = np.take(sums, [size - 1], axis)
        rest = np.take(sums, range(size, sums.shape[axis]), axis) - np.take(sums, range(sums.shape[axis] - size), axis)
        wide = np.concatenate([first, rest], axis) > 0
    return Mask(wide, mask.x - by, mask.y - by)


def _runs(pixels: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Runs of true pixels, row by row: row, first column, last column + 1."""
    edges = np.diff(np.pad(pixels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    ys, starts = np.nonzero(edges == 1)
    return ys, starts, np.nonzero(edges == -1)[1]


def _connected(
    ys: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """A number from 0 for each run, equal for connected runs, in the order of their first runs."""
    row = width + 2  # so that the last column of a row and the first of the next do not touch
    low = np.searchsorted(ys * row + ends, (ys + 1) * row + starts, "left")
    high = np.searchsorted(ys * row + starts, (ys + 1) * row + ends, "right")
    counts = np.maximum(high - low, 0)
    above = np.repeat(np.arange(len(ys)), counts)
    below = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    root = np.arange(len(ys))
    while (differ := root[above] != root[below]).any():
        one, other = root[above[differ]], root[below[differ]]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root[root] != root).any():
            root = root[root]
    return np.unique(root, return_inverse=True)[1]
