"""Defines the interface of segmenters: embed a View once, decode instances any number of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.scene.view import View

_FULL_SIZE_BYTES = 64 * 2**20  # most bytes of logits at the View's size in memory at a time


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask per instance, in View pixels, with the segmenter's estimate of its quality.

    `masks` are N cropped masks, empty where the segmenter found nothing; `scores` is float32 (N,) in 0..1 (nan where the
    segmenter gives none); `height` and `width` are the View's. `margins` is float32 (N, 2): how many View pixels the mask
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
    """A View encoded by a segmenter: a value, not a state of the model.

    `key` identifies pixels, weights and preprocessing; `height` and `width` are the View's; `features` are the
    segmenter's arrays by name; `nbytes` is their size.
    """

    key: str
    height: int
    width: int
    features: dict[str, Any]
    nbytes: int


class Segmenter(Protocol):
    """Converts instances to masks. `digest` identifies the weights."""

    name: str
    digest: str

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """One embedding per View: the slow part, which needs no prompt."""
        ...

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """The masks of all instances; no masks for no instances."""
        ...


@runtime_checkable
class DecodesEach(Protocol):
    """A segmenter that decodes one instance of each of many embeddings together."""

    def decode_each(self, embeddings: Sequence[Embedding], instances: Sequence[Instance]) -> list[Masks]:
        """The masks of each pair, as `decode` gives them."""
        ...


SURER, LESS_SURE = 1.0, -1.0  # logits of `Masks.margins`


def at_once(height: int, width: int) -> int:
    """The number of masks to compute at full size (float32) before they are cropped; at least one."""
    return max(1, _FULL_SIZE_BYTES // (4 * height * width))
