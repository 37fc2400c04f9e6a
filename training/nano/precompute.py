"""Stores the image encoder's tokens of packed imagery, so that the language model can be trained without its cost.

The truth is not stored: the language model learns to write what the tokens encode (`image_tokens.read_out`). What they should have
encoded cannot be learned from them.

python -m training.nano.precompute --data runs/data/procedural --eye runs/eye --out runs/seen
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.nano.dialogue import Targets
from training.nano.eye import encode_image
from training.nano.image_tokens import GRID, WIDTH
from training.nano.imagery import ImageCrop, Packed, crop_pixels, vary_colours
from training.nano.model import build_model
from training.nano.synthetic_tokens import targets_of
from training.nano.warm_start import tokenizer_of, visual_of


class StoredTokens:
    """Folders of stored tokens, sampled in proportion to their size."""

    def __init__(self, folders: list[Path]) -> None:
        self._tokens = [np.load(folder / "tokens.npy", mmap_mode="r") for folder in folders]
        sizes = np.array([len(t) for t in self._tokens], float)
        self._shares = sizes / sizes.sum()

    def draw_batch(self, rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
        """As `synthetic_tokens.draw_batch`: what the tokens say, 64 to 196 of the tokens (size, K, 256) and the cells of these (size, K)."""
        shown = int(
            rng.choice([64, 112, GRID * GRID], p=[0.35, 0.3, 0.35])
        )  # fewer tokens are cheaper and train as well
        targets, tokens, cells = [], [], []
        for chosen in rng.choice(len(self._tokens), size, p=self._shares):
            part = np.sort(rng.permutation(GRID * GRID)[:shown])
            index = int(rng.integers(len(self._tokens[chosen])))
            each = torch.from_numpy(self._tokens[chosen][index][part].astype(np.float32))
            targets.append(targets_of(each, part))
            tokens.append(each)
            cells.append(torch.from_numpy(part))
        return targets, torch.stack(tokens), torch.stack(cells)


@torch.inference_mode()
def store_tokens(visual: Any, packed: Packed, out: Path, *, images: int, turns: int, seed: int = 0) -> None:
    """Writes tokens.npy, float16 (N, 196, 256).

    Each of the first `images` is encoded `turns` times, each time with a random rotation or flip, crop and colours.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    count = min(images, len(packed.images)) * turns
    tokens = np.lib.format.open_memmap(out / "tokens.npy", "w+", np.float16, (count, GRID * GRID, WIDTH))
    for begin in range(0, count, 8):
        indexes = range(begin, min(begin + 8, count))
        shown = torch.from_numpy(np.stack([packed.images[i // turns] for i in indexes]))
        parts = [ImageCrop.draw(rng, zoomed=0.25, most=1.6) for _ in indexes]
        with torch.autocast("cpu", torch.bfloat16):
            seen = encode_image(visual, vary_colours(crop_pixels(shown, parts), generator))
        tokens[begin : begin + len(shown)] = seen.float().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--eye", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    visual = build_model(tokenizer_of(None)).model.visual
    visual.load_state_dict(visual_of(options.eye))
    store_tokens(visual.eval(), Packed.load(options.data), options.out, images=options.images, turns=options.turns)


if __name__ == "__main__":
    main()
