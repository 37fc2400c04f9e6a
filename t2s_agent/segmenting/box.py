"""A baseline segmenter: the mask is the filled box."""

import math
from collections.abc import Sequence

import numpy as np

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.scene.view import View
from t2s_agent.segmenting.segmenter import Embedding, Masks

POINT_RADIUS_PX = 5.0  # radius of the disc around a point of an instance without a box


class BoxSegmenter:
    """Fills boxes; an instance with only points becomes a small disc around each positive point."""

    name = "box"
    digest = "box-1"

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """Embeddings that contain only the size of each View."""
        return [Embedding(f"box-{view.digest()}", view.height, view.width, {}, 0) for view in views]

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """The pixels with their centres in the box, or within five pixels of a point. Scores are nan: there is no estimate."""
        height, width = embedding.height, embedding.width
        masks = tuple(
            _filled(each.box, height, width) if each.box else _discs(each.positive, height, width) for each in instances
        )
        return Masks(masks, np.full(len(instances), np.nan, np.float32), height, width)


def _filled(box: Box, height: int, width: int) -> Mask:
    # the first pixel whose centre is not left of x1 is number ceil(x1 - 0.5)
    (x1, x2), (y1, y2) = (
        (min(max(0, math.ceil(low - 0.5)), size), min(max(0, math.ceil(high - 0.5)), size))
        for low, high, size in ((box[0], box[2], width), (box[1], box[3], height))
    )
    return Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1) if x1 < x2 and y1 < y2 else EMPTY


def _discs(points: Sequence[Point], height: int, width: int) -> Mask:
    """The pixels within the radius of any of the points."""
    reach = math.ceil(POINT_RADIUS_PX)
    left = max(0, math.floor(min(x for x, _ in points)) - reach)
    top = max(0, math.floor(min(y for _, y in points)) - reach)
    right = min(width, math.ceil(max(x for x, _ in points)) + reach)
    bottom = min(height, math.ceil(max(y for _, y in points)) + reach)
    x = np.arange(left, max(left, right)) + 0.5
    y = (np.arange(top, max(top, bottom)) + 0.5)[:, None]
    inside = np.zeros((len(y), len(x)), bool)
    for px, py in points:
        inside |= (x - px) ** 2 + (y - py) ** 2 <= POINT_RADIUS_PX**2
    return Mask.of(inside, left, top)
