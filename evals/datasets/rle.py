"""COCO's ways to write a mask: run lengths, as numbers or as text, and polygons.

Runs are read and checked here, and polygons before pycocotools draws them: code in C is given no lengths that do not fit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from evals.datasets.problems import BrokenSample
from evals.datasets.sample import TruthMask

_FIRST = 48  # the character that stands for 0
_MORE, _SIGN, _BITS = 0x20, 0x10, 0x1F
_MOST_DIGITS = 7  # of 5 bits each: enough for 2 ** 34 pixels


def decoded(segmentation: Any, height: int, width: int, where: str) -> TruthMask:
    """The mask (H, W) of a segmentation; BrokenSample (named `where`) if it is not one that fits an image of this size.

    A list that holds run lengths (as in RRSIS-D) stands for their union, a list of lists of numbers for polygons.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, height, width, where)
    if isinstance(segmentation, list) and segmentation:
        if all(isinstance(each, dict) for each in segmentation):
            masks = [_from_runs(each, height, width, where) for each in segmentation]
            return np.asarray(np.any(masks, axis=0))
        if all(isinstance(each, list) for each in segmentation):
            return _from_polygons(segmentation, height, width, where)
    raise BrokenSample("broken", where, "has no segmentation that is run lengths or polygons")


def _from_runs(segmentation: dict[str, Any], height: int, width: int, where: str) -> TruthMask:
    size = segmentation.get("size")
    if size != [height, width]:
        raise BrokenSample("broken", where, f"its run lengths are for {size}, the image is {[height, width]}")
    runs = runs_of(segmentation.get("counts"), where)
    if int(runs.sum()) != height * width:
        raise BrokenSample("broken", where, f"its run lengths add up to {int(runs.sum())} px of {height * width}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.asarray(flat.reshape(width, height).T)


def runs_of(counts: Any, where: str) -> NDArray[np.int64]:
    """Run lengths (N,), first of what is outside, from numbers or from COCO's text."""
    if isinstance(counts, str | bytes):
        return _from_text(counts.encode() if isinstance(counts, str) else counts, where)
    if isinstance(counts, list) and all(type(run) is int and 0 <= run < 2**40 for run in counts):
        return np.array(counts, np.int64)
    raise BrokenSample("broken", where, "its run lengths are neither text nor whole numbers")


def _from_text(text: bytes, where: str) -> NDArray[np.int64]:
    """Numbers of 5 bits a character, lowest first; from the fourth on each is the difference to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = character - _FIRST
        if not 0 <= digit < 2 * _MORE or shift >= 5 * _MOST_DIGITS:
            raise BrokenSample("broken", where, "its run lengths are not COCO's text")
        value |= (digit & _BITS) << shift
        shift += 5
        if digit & _MORE:
            continue
        if digit & _SIGN:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        if runs[-1] < 0:
            raise BrokenSample("broken", where, "has a run of negative length")
        value = shift = 0
    if shift:
        raise BrokenSample("broken", where, "its run lengths end in the middle of a number")
    return np.array(runs, np.int64)


def _from_polygons(polygons: Sequence[Any], height: int, width: int, where: str) -> TruthMask:
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2 or not all(type(number) in (int, float) for number in polygon):
            raise BrokenSample("broken", where, "has a polygon that is not at least three pairs of numbers")
        x, y = np.array(polygon, float).reshape(-1, 2).T
        near = (-width <= x) & (x <= 2 * width) & (-height <= y) & (y <= 2 * height)  # NaN is not
        if not near.all():
            raise BrokenSample("broken", where, "has a polygon far outside of its image")
    runs = coco_mask.frPyObjects([[float(number) for number in polygon] for polygon in polygons], height, width)
    return _from_runs(dict(coco_mask.merge(runs)), height, width, where)
