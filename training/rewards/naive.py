"""The rewards in the way of the reference code: one pass of the image encoder for each completion, one decoder call for each instance.

It is slow and simple, and there to check and to measure `RewardEngine` against. It rewards the union of masks, each pixel alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from evals.metrics.overlap import iou, overlap_of
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask, union_of
from t2s_agent.scene.view import View
from t2s_agent.segmenting.sam2 import Sam2Segmenter
from t2s_agent.segmenting.segmenter import Embedding, Masks, Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, Judged
from training.rewards.reading import Read, read_completion
from training.rewards.semantic import mask_reward
from training.rewards.target import target_of


class TransformersSegmenter:
    """A Sam2Model with transformers' own decoder, one call for each instance; embeddings are those of `embedder`, of the same model."""

    def __init__(self, model: Any, embedder: Sam2Segmenter) -> None:
        self.name, self.digest = embedder.name, embedder.digest
        self._model, self._embedder = model, embedder
        self._side = model.prompt_encoder.input_image_size

    def embed(self, views: Sequence[View]) -> list[Embedding]:
        """As often as `embedder` does: each time, where its cache has no memory."""
        return self._embedder.embed(views)

    def decode(self, embedding: Embedding, instances: Sequence[Instance]) -> Masks:
        """The masks; scores are nan."""
        masks = tuple(Mask.of(self._drawn(embedding, each)) for each in instances)
        return Masks(masks, np.full(len(masks), np.nan, np.float32), embedding.height, embedding.width)

    def _drawn(self, embedding: Embedding, instance: Instance) -> NDArray[np.bool_]:
        device, kind = self._model.device, self._model.dtype
        own = instance.scaled(self._side / embedding.width, self._side / embedding.height)
        given: dict[str, Any] = {}
        if own.positive or own.negative:
            labels = [1] * len(own.positive) + [0] * len(own.negative)
            given["input_points"] = torch.tensor([[[*own.positive, *own.negative]]], dtype=kind, device=device)
            given["input_labels"] = torch.tensor([[labels]], device=device)
        if own.box:
            given["input_boxes"] = torch.tensor([[own.box]], dtype=kind, device=device)
        with torch.inference_mode():
            maps = [embedding.features[f"level{i}"].to(device, kind) for i in range(len(embedding.features))]
            out = self._model(image_embeddings=maps, multimask_output=False, **given)
            size = (embedding.height, embedding.width)
            full = F.interpolate(out.pred_masks[0, :, :1].float(), size=size, mode="bilinear", align_corners=False)
        drawn: NDArray[np.bool_] = (full[0, 0] > 0).cpu().numpy()
        return drawn


def judge_naively(
    segmenter: Segmenter, reward: Reward, asked: Sequence[Asked], completions: Sequence[str]
) -> list[Judged]:
    """As `RewardEngine.judge`. The segmenter's cache has to have no memory (`max_bytes` 0), else it embeds an image once."""
    return [_judged(segmenter, reward, *each) for each in zip(asked, completions, strict=True)]


def _judged(segmenter: Segmenter, reward: Reward, asked: Asked, completion: str) -> Judged:
    read = read_completion(asked, completion, reward)
    target = target_of(asked, torch.device("cpu"))
    union = _segmented(segmenter, asked, read)
    overlap = overlap_of(union & target.counted.numpy(), target.mask.numpy())
    mask = mask_reward(iou(overlap, both_empty=0.0), nothing_said=read.nothing_said, target=target)
    rewards = {"mask": mask, "valid_json": read.valid_json, "valid_tags": read.valid_tags}
    total = sum(getattr(reward, name) * value for name, value in rewards.items())
    return Judged(rewards, total, mask, read.status, read.kind, read.instances, Mask.of(union))


def _segmented(segmenter: Segmenter, asked: Asked, read: Read) -> NDArray[np.bool_]:
    """The union of the masks (H, W)."""
    [embedding] = segmenter.embed([asked.view])
    masks = [segmenter.decode(embedding, [each]).masks[0] for each in read.instances]
    return union_of(masks, asked.view.height, asked.view.width)
