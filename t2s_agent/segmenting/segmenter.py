"""The one door through which the pipeline segments: embed a View once, decode instances as often as needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.scene.view import View

_FULL_SIZE_BYTES = 64 * 2**20  # of logits at the View's size that a segmenter holds at a time


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask an instance, in View pixels, and the segmenter's own estimate of each mask's quality.

    `masks` are N, each cropped to its own box and empty where the segmenter saw nothing; `scores` is float32 (N,) in 0..1 (nan
    where the segmenter gives none); `height` and `width` are the View's. `margins` is float32 (N, 2): how many View pixels the mask
    would have where it were drawn at a logit of 1 (surer) and of -1 (less sure) and not of 0; None where there are no logits.
    """

    masks: tuple[Mask, ...]
    scores: NDArray[np.float32]
    height: int
    width: int
    margins: NDArray[np.float32] | None = None

    @classmethod
    def none(cls, height: int, width: int) -> "Masks":
        """The masks of no instances."""
        return cls((), np.zeros(0, np.float32), height, width)

    @property
    def softness(self) -> NDArray[np.float32]:
        """Of each mask the share of its area that its soft edge takes, float32 (N,): 0 for a hard edge; nan where it is not known."""
        areas = np.array([mask.area for mask in self.masks], np.float32)
        if self.margins is None:
            return np.full(len(areas), np.nan, np.float32)
        known = np.where(areas > 0, areas, np.nan).astype(np.float32)
        return (self.margins[:, 1] - self.margins[:, 0]) / known


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A View as a segmenter sees it: a value that one holds, not a state of the model.

    `key` identifies pixels, weights and preprocessing; `height` and `width` are the View's; `features` are the
    segmenter's own arrays by name; `nbytes` is what they occupy.
    """

    key: str
    height: int
    width: int
    features: dict[str, Any]
    nbytes: int


class Segmenter(Protocol):
    """Anything that turns instances into masks. `digest` identifies the weights."""

    name: str
    digest: str

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """The part that is costly and needs no prompt: one embedding a View."""
        ...

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """All instances in one call. No instances give no masks."""
        ...


SURER, LESS_SURE = 1.0, -1.0  # logits of `Masks.margins`


def at_once(height: int, width: int) -> int:
    """How many masks to draw at full size (float32) before they are cropped; one at least."""
    return max(1, _FULL_SIZE_BYTES // (4 * height * width))
