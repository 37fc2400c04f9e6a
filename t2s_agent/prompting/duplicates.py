"""Removes instances that repeat the same object, without preferring wide boxes over tight ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Box, Instance

_NAMED = 5  # instances in a warning


def box_iou(a: Box, b: Box) -> float:
    """Returns the intersection over union of two boxes; 0.0 if they do not overlap."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _ious(box: Box, others: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `box_iou`, of one box with many: `others` is n x 4."""
    x1, y1, x2, y2 = others.T
    width = np.maximum(0.0, np.minimum(box[2], x2) - np.maximum(box[0], x1))
    height = np.maximum(0.0, np.minimum(box[3], y2) - np.maximum(box[1], y1))
    shared = width * height
    together = (box[2] - box[0]) * (box[3] - box[1]) + (x2 - x1) * (y2 - y1) - shared
    share: NDArray[np.float64] = np.divide(shared, together, out=np.zeros_like(shared), where=shared > 0)
    return share


def without_duplicates(
    instances: Sequence[Instance], threshold: float = 0.7
) -> tuple[tuple[Instance, ...], tuple[str, ...]]:
    """The instances to keep, in their order, and a warning for each one that others repeat.

    Of two boxes that overlap by more than `threshold` IoU the one with the better score stays, and without scores the
    one that came first: neither the larger nor the smaller. (The paper's code keeps the larger above 0.5, so that one
    loose box deletes a good one.) Instances of points alone are never left out.
    """
    order = sorted(range(len(instances)), key=lambda i: (-(instances[i].score or 0.0), i))
    kept: list[int] = []
    repeats: dict[int, list[int]] = {}
    boxes = np.zeros((len(instances), 4))  # of those in `kept`; without a box, one of no size
    for index in order:
        box = instances[index].box
        twins = np.flatnonzero(_ious(box, boxes[: len(kept)]) > threshold).tolist() if box else []
        if twins:
            repeats.setdefault(kept[twins[0]], []).append(index)
        else:
            boxes[len(kept)] = box or 0.0
            kept.append(index)
    warnings = (_left_out(twin, left_out) for twin, left_out in repeats.items())
    return tuple(instances[i] for i in sorted(kept)), tuple(warnings)


def _left_out(twin: int, left_out: Sequence[int]) -> str:
    """Returns one warning for all, because a model in a loop repeats an object until its text ends."""
    if len(left_out) == 1:
        return f"instance {left_out[0] + 1} repeats instance {twin + 1} and is left out"
    named = ", ".join(str(index + 1) for index in left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    return f"instances {named}{more} repeat instance {twin + 1} and are left out"
