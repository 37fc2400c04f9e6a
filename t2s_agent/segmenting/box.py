"""The trivial segmenter: what is in the box is the mask. The baseline that every other one has to beat."""

from collections.abc import Sequence

import numpy as np

from t2s_agent.instance import Instance
from t2s_agent.scene.view import View
from t2s_agent.segmenting.segmenter import Embedding, Masks

POINT_RADIUS_PX = 5.0  # of the disc that stands for a point where there is no box


class BoxSegmenter:
    """Fills boxes; an instance of points alone becomes a small disc around each positive point."""

    name = "box"
    digest = "box-1"

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """Nothing but the size of each View."""
        return [Embedding(f"box-{view.digest()}", view.height, view.width, {}, 0) for view in views]

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """Pixels whose centres lie in the box, or within five pixels of a point. Scores are nan: it has no opinion."""
        x = np.arange(embedding.width) + 0.5
        y = (np.arange(embedding.height) + 0.5)[:, None]
        masks = np.zeros((len(instances), embedding.height, embedding.width), bool)
        for mask, instance in zip(masks, instances, strict=True):
            if instance.box:
                x1, y1, x2, y2 = instance.box
                mask |= (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
            else:
                for px, py in instance.positive:
                    mask |= (x - px) ** 2 + (y - py) ** 2 <= POINT_RADIUS_PX**2
        return Masks(masks, np.full(len(instances), np.nan, np.float32))
