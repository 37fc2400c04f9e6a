"""The one door through which the pipeline segments: embed a View once, decode instances as often as needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.scene.view import View

MaskStack = NDArray[np.bool_]  # (N, H, W)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask an instance, in View pixels, and the segmenter's own estimate of each mask's quality.

    `masks` is bool (N, H, W), `scores` float32 (N,) in 0..1 (nan where the segmenter gives none).
    """

    masks: MaskStack
    scores: NDArray[np.float32]


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
        """All instances in one call. No instances give masks of shape (0, H, W)."""
        ...
