"""Draws the masks of instances as tensors on a device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from t2s_agent.instance import Instance
from t2s_agent.scene.view import View
from t2s_agent.segmenting.sam2 import Sam2Segmenter, enlarged
from t2s_agent.segmenting.segmenter import Embedding, Segmenter, at_once


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Masks (n, H, W) bool at the View's size, of the instances with these positions in the list that was asked for."""

    places: list[int]
    masks: Tensor


class Drawer(Protocol):
    """Embeds Views, and draws instances in few masks at a time, so that memory does not grow with their number."""

    device: torch.device

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """One embedding per View."""
        ...

    def draw(self, embedding: Embedding, instances: Sequence[Instance]) -> Iterator[Drawn]:
        """The masks of all instances, each once, in any order."""
        ...


class PlainDrawer:
    """Draws with any segmenter, by its own `decode`."""

    device = torch.device("cpu")

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        return self._segmenter.embed(views)

    def draw(self, embedding: Embedding, instances: Sequence[Instance]) -> Iterator[Drawn]:
        found = self._segmenter.decode(embedding, instances)
        step = at_once(found.height, found.width)
        for start in range(0, len(instances), step):
            places = list(range(start, min(start + step, len(instances))))
            full = np.stack([found.masks[place].full(found.height, found.width) for place in places])
            yield Drawn(places, torch.from_numpy(full))


class LogitsDrawer:
    """Draws with a `Sam2Segmenter` on its device: the product's masks, of which only the numbers of pixels leave the device."""

    def __init__(self, segmenter: Sam2Segmenter) -> None:
        self._segmenter = segmenter
        self.device = segmenter.device

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        return self._segmenter.embed(views)

    def draw(self, embedding: Embedding, instances: Sequence[Instance]) -> Iterator[Drawn]:
        step = at_once(embedding.height, embedding.width)
        for places, logits, _ in self._segmenter.logits(embedding, instances):
            for start in range(0, len(places), step):
                full = enlarged(logits[start : start + step], embedding.height, embedding.width)
                yield Drawn(places[start : start + step], full > 0)


def drawer_for(segmenter: Segmenter) -> Drawer:
    """The fastest way to draw with a segmenter."""
    return LogitsDrawer(segmenter) if isinstance(segmenter, Sam2Segmenter) else PlainDrawer(segmenter)
