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
    where the segmenter gives none); `height` and `width` are the View's.
    """

    masks: tuple[Mask, ...]
    scores: NDArray[np.float32]
    height: int
    width: int

    @classmethod
    def none(cls, height: int, width: int) -> "Masks":
        """The masks of no instances."""
        return cls((), np.zeros(0, np.float32), height, width)


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


def at_once(height: int, width: int) -> int:
    """How many masks to draw at full size (float32) before they are cropped; one at least."""
    return max(1, _FULL_SIZE_BYTES // (4 * height * width))
