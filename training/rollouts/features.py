"""Runs the vision tower once for each distinct picture and hands its features to the rows that show it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.rollouts.sharing import Pictures


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What the tower says about the distinct pictures of a batch; with gradients where the tower is trained."""

    output: Any

    def of(self, pictures: Sequence[int]) -> dict[str, Any] | None:
        """The argument `mm_encoder_outputs` for rows that show the pictures of these numbers; None for no pictures."""
        if not pictures:
            return None
        chosen = type(self.output)(**self.output)
        chosen.pooler_output = [self.output.pooler_output[number] for number in pictures]
        if (deep := getattr(self.output, "deepstack_features", None)) is not None:
            chosen.deepstack_features = [[level[number] for number in pictures] for level in deep]
        return {"image": chosen}


def look(backbone: Any, pictures: Pictures) -> Features:
    """The features of all distinct pictures; a frozen tower runs without gradients."""
    trained = any(weight.requires_grad for weight in backbone.visual.parameters())
    with contextlib.nullcontext() if trained else torch.no_grad():
        patches, grids = torch.cat(pictures.patches), torch.cat(pictures.grids)
        return Features(backbone.get_image_features(patches, grids, return_dict=True))
