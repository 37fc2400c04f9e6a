"""A segmenter that crops a View around each object and gives the model the enlarged crop.

All objects then have about the same size for a small model, and the mask has the same resolution for a car as for a stadium.
It needs one pass of the image encoder per object instead of one per View.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from t2s_agent.instance import Instance, Point
from t2s_agent.scene.view import View, Window
from t2s_agent.segmenting.segmenter import DecodesEach, Embedding, Masks, Segmenter

CONTEXT = 1.7  # side of the window divided by the longer side of the box
LEAST_PX = 16  # shortest side of a window
_AT_ONCE = 64  # windows with embeddings in memory at a time
POINTS_PX = 192  # shortest side of a window around points without a box


def window_around(instance: Instance, height: int, width: int, *, context: float = CONTEXT) -> Window:
    """The square window around an instance, moved into a View of `height` x `width` pixels, and clipped where it is larger.

    It is around the box, and also around the points where they are outside of the window: they may correct the box.
    """
    points = [*instance.positive, *instance.negative]
    if not instance.box:
        return _square(points, POINTS_PX, context, height, width)
    corners = [instance.box[:2], instance.box[2:]]
    window = _square(corners, LEAST_PX, context, height, width)
    x, y, w, h = window
    if all(x <= px <= x + w and y <= py <= y + h for px, py in points):
        return window
    return _square(corners + points, LEAST_PX, context, height, width)


def _square(places: Sequence[Point], least: int, context: float, height: int, width: int) -> Window:
    xs, ys = zip(*places, strict=True)
    x1, y1, x2, y2 = min(xs), min(ys), max(xs), max(ys)
    side = max(least, math.ceil(context * max(x2 - x1, y2 - y1)))
    w, h = min(side, width), min(side, height)
    x = min(max(round((x1 + x2 - w) / 2), 0), width - w)
    y = min(max(round((y1 + y2 - h) / 2), 0), height - h)
    return Window(x, y, w, h)


def _part(view: View, window: Window) -> View:
    """The part of a View in a window of its pixels."""
    x, y, w, h = window
    part = np.s_[y : y + h, x : x + w]
    return replace(view, rgb=view.rgb[part], valid=view.valid[part])


class CloseUpSegmenter:
    """Applies another segmenter to one instance at a time."""

    def __init__(self, inner: Segmenter) -> None:
        self.name = inner.name
        self.digest = f"{inner.digest} close-up-1 {CONTEXT} {LEAST_PX} {POINTS_PX}"
        self.threads: int | None = getattr(inner, "threads", None)
        self._inner = inner

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """Embeddings that contain the Views: the crops are known only with the instances."""
        return [
            Embedding(f"close-up-{view.digest()}", view.height, view.width, {"view": view}, view.rgb.nbytes)
            for view in views
        ]

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """The mask of each instance, inside the instance's window."""
        view: View = embedding.features["view"]
        masks, scores = [], np.zeros(len(instances), np.float32)
        margins = np.full((len(instances), 2), np.nan, np.float32)
        for start in range(0, len(instances), _AT_ONCE):
            some = instances[start : start + _AT_ONCE]
            windows = [window_around(instance, view.height, view.width) for instance in some]
            embeddings = self._inner.embed([_part(view, window) for window in windows])
            near = [instance.moved(-window.x, -window.y) for instance, window in zip(some, windows, strict=True)]
            for index, (window, found) in enumerate(zip(windows, self._decoded(embeddings, near), strict=True), start):
                masks.append(found.masks[0].moved(window.x, window.y))
                scores[index] = found.scores[0]
                if found.margins is not None:
                    margins[index] = found.margins[0]
        return Masks(tuple(masks), scores, view.height, view.width, margins)

    def _decoded(self, embeddings: Sequence[Embedding], instances: Sequence[Instance]) -> list[Masks]:
        """The masks of each embedding's instance."""
        if isinstance(self._inner, DecodesEach):
            return self._inner.decode_each(embeddings, instances)
        return [self._inner.decode(near, [instance]) for near, instance in zip(embeddings, instances, strict=True)]
