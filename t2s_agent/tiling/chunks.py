"""Puts objects into groups of a bounded number, those that may touch together, so that they can be simplified together."""

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

MOST = 2_000


def chunks(boxes: NDArray[np.float64], most: int = MOST) -> Iterator[NDArray[np.intp]]:
    """The positions of boxes (N, 4: x1, y1, x2, y2) in groups of about `most`, each position once.

    Boxes that meet, also through others, are in one group, unless they are more than `most`: then they are cut. The groups depend on
    the boxes and their order only.
    """
    waiting: list[NDArray[np.intp]] = []
    size = 0
    for component in _components(boxes):
        for start in range(0, len(component), most):
            part = component[start : start + most]
            if waiting and size + len(part) > most:
                yield np.concatenate(waiting)
                waiting, size = [], 0
            waiting.append(part)
            size += len(part)
    if waiting:
        yield np.concatenate(waiting)


def _components(boxes: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Groups of boxes that meet, in the order of their first members, each in ascending order."""
    if not len(boxes):
        return []
    shapes = shapely.box(*boxes.T)
    parents = list(range(len(boxes)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    for one, other in zip(*(each.tolist() for each in shapely.STRtree(shapes).query(shapes)), strict=True):
        first, second = sorted((root(one), root(other)))
        parents[second] = first
    roots = np.array([root(at) for at in range(len(boxes))])
    order = np.argsort(roots, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)
