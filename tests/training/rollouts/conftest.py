"""Tiny models of both families, and batches as TRL gives them: prompts padded on the left, completions on the right."""

from dataclasses import dataclass

import pytest
import torch
from tiny_models.data import make_qwen2_5_vl, make_qwen3_vl
from transformers import AutoModelForImageTextToText

FAMILIES = ("qwen2_5_vl", "qwen3_vl")


@dataclass(frozen=True)
class Batch:
    """Rows of tokens with their pictures."""

    ids: torch.Tensor
    mask: torch.Tensor
    pixels: torch.Tensor
    grids: torch.Tensor
    num_images: list[int]

    @property
    def inputs(self):
        """What `generate` takes for these rows as prompts."""
        return {
            "input_ids": self.ids,
            "attention_mask": self.mask,
            "pixel_values": self.pixels,
            "image_grid_thw": self.grids,
        }


class Maker:
    """Makes batches for one tiny model. A prompt is text, pictures by seed and more text; equal seeds are equal prompts."""

    def __init__(self, model) -> None:
        self.model = model
        self.config = model.config

    def picture(self, seed):
        """Patches (N, D) and grid (1, 3) of a picture of 2 x 3 or 3 x 2 merged patches."""
        vision = self.config.vision_config
        grid = torch.tensor([[1, 4, 6] if seed % 2 else [1, 6, 4]])
        width = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        return torch.randn(24, width, generator=torch.Generator().manual_seed(seed)), grid

    def prompt(self, seed, pictures):
        """Tokens: 3 + seed words, 6 image tokens a picture between its marks, 4 words."""
        drawn = torch.Generator().manual_seed(100 + seed)
        words = lambda n: torch.randint(0, 250, (n,), generator=drawn).tolist()  # noqa: E731 - it is a line
        config, tokens = self.config, words(3 + seed)
        for _ in pictures:
            tokens += [
                config.vision_start_token_id,
                *[config.image_token_id] * 6,
                config.vision_end_token_id,
                *words(4),
            ]
        return tokens

    def batch(self, rows, completions=()):
        """`rows`: (seed of the prompt, seeds of its pictures); `completions`: tokens of each row."""
        prompts = [self.prompt(seed, pictures) for seed, pictures in rows]
        width, longest = max(map(len, prompts)), max(map(len, completions), default=0)
        done = completions or [[] for _ in rows]
        pad = self.config.text_config.pad_token_id or 0
        ids = [
            [pad] * (width - len(p)) + p + c + [pad] * (longest - len(c)) for p, c in zip(prompts, done, strict=True)
        ]
        mask = [
            [0] * (width - len(p)) + [1] * (len(p) + len(c)) + [0] * (longest - len(c))
            for p, c in zip(prompts, done, strict=True)
        ]
        seen = [self.picture(seed) for _, pictures in rows for seed in pictures]
        return Batch(
            torch.tensor(ids),
            torch.tensor(mask),
            torch.cat([patches for patches, _ in seen]),
            torch.cat([grid for _, grid in seen]),
            [len(pictures) for _, pictures in rows],
        )


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of the tiny models by family."""
    home = tmp_path_factory.mktemp("models")
    return {"qwen2_5_vl": make_qwen2_5_vl(home / "tiny-25"), "qwen3_vl": make_qwen3_vl(home / "tiny-3")}


@pytest.fixture(params=FAMILIES)
def maker(request, folders):
    """A fresh model of each family, in eval mode."""
    return Maker(AutoModelForImageTextToText.from_pretrained(folders[request.param]).eval())
