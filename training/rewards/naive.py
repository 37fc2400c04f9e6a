"""The rewards in the way of the reference code: one pass of the image encoder for each completion, one decoder call for each instance.

It is slow and simple, and there to check and to measure `RewardEngine` against. It rewards the level `semantic` only.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from evals.metrics.overlap import iou, overlap_of
from t2s_agent.mask import Mask, union_of
from t2s_agent.segmenting.segmenter import Segmenter
from training.recipe import Reward
from training.rewards.asked import Asked, Judged
from training.rewards.reading import Read, read_completion
from training.rewards.semantic import mask_reward
from training.rewards.target import target_of


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
    mask = mask_reward(iou(overlap, both_empty=0.0), read, target)
    rewards = {"mask": mask, "valid_json": read.valid_json, "valid_tags": read.valid_tags}
    total = sum(getattr(reward, name) * value for name, value in rewards.items())
    return Judged(rewards, total, mask, read.status, read.kind, read.instances, Mask.of(union))


def _segmented(segmenter: Segmenter, asked: Asked, read: Read) -> NDArray[np.bool_]:
    """The union of the masks (H, W)."""
    [embedding] = segmenter.embed([asked.view])
    masks = [segmenter.decode(embedding, [each]).masks[0] for each in read.instances]
    return union_of(masks, asked.view.height, asked.view.width)
