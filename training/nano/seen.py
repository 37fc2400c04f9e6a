"""What the trained eye sees of packed imagery, kept: stage three trains the language side on it without an eye's cost.

python -m training.nano.seen --data runs/data/procedural --eye runs/eye --out runs/seen
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.nano.beginning import start
from training.nano.codes import GRID, WIDTH
from training.nano.dialogue import Targets
from training.nano.eye import Packed, Sample, centred, pixels_of, sample_of, see, zoomed


class Seen:
    """Folders of kept tokens, drawn from in proportion to what they hold."""

    def __init__(self, folders: list[Path]) -> None:
        self._tokens = [np.load(folder / "tokens.npy", mmap_mode="r") for folder in folders]
        self._objects = [np.load(folder / "objects.npy") for folder in folders]
        self._first = [
            np.searchsorted(o[:, 0], np.arange(len(t) + 1)) for o, t in zip(self._objects, self._tokens, strict=True)
        ]
        self._known = [np.unique(o[:, 1]).astype(int) for o in self._objects]
        sizes = np.array([len(t) for t in self._tokens], float)
        self._shares = sizes / sizes.sum()

    def batch_of(self, rng: np.random.Generator, size: int) -> tuple[list[Targets], Tensor, Tensor]:
        """As `lookup.batch_of`, of all cells: objects, tokens (size, 196, 256), cells (size, 196)."""
        targets, tokens = [], []
        for chosen in rng.choice(len(self._tokens), size, p=self._shares):
            index = int(rng.integers(len(self._tokens[chosen])))
            first = self._first[chosen]
            rows = self._objects[chosen][first[index] : first[index + 1]]
            targets.append(Targets(rows[:, 1].astype(int), rows[:, 2:].astype(float), self._known[chosen]))
            tokens.append(self._tokens[chosen][index])
        cells = torch.arange(GRID * GRID).expand(size, -1)
        return targets, torch.from_numpy(np.stack(tokens).astype(np.float32)), cells


def targets_of(sample: Sample) -> Targets:
    """The objects that can be asked for: one a cell, the largest, in reading order."""
    _, things = centred(sample)
    return Targets(sample.category[things], sample.numbers[things])


@torch.inference_mode()
def keep(visual: Any, packed: Packed, out: Path, *, images: int, turns: int, seed: int = 0) -> None:
    """Writes tokens.npy float16 (N, 196, 256) and objects.npy (M, 10): sample, category, numbers.

    Each of the first `images` is looked at `turns` times, each time turned or flipped and tinted at random.
    """
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    count = min(images, len(packed.images)) * turns
    tokens = np.lib.format.open_memmap(out / "tokens.npy", "w+", np.float16, (count, GRID * GRID, WIDTH))
    rows = []
    for begin in range(0, count, 8):
        indexes = range(begin, min(begin + 8, count))
        samples = [sample_of(packed, i // turns, int(rng.integers(8))) for i in indexes]
        samples = [zoomed(s, float(rng.uniform(1, 1.6)), *rng.random(2)) if rng.random() < 0.25 else s for s in samples]
        with torch.autocast("cpu", torch.bfloat16):
            seen = see(visual, pixels_of(samples, rng, 0, 0, GRID))
        tokens[begin : begin + len(samples)] = seen.float().numpy()
        for index, sample in zip(indexes, samples, strict=True):
            targets = targets_of(sample)
            rows += [[index, c, *n] for c, n in zip(targets.category, targets.numbers, strict=True)]
    np.save(out / "objects.npy", np.array(rows, np.float32).reshape(-1, 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--eye", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, _, _ = start(options.eye)
    visual = model.model.visual
    visual.load_state_dict(torch.load(options.eye / "eye.pt", weights_only=False)["visual"])
    keep(visual.eval(), Packed.load(options.data), options.out, images=options.images, turns=options.turns)


if __name__ == "__main__":
    main()
