"""Finds what the rows of a batch have in common: equal prompts, and equal pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FAMILIES = ("qwen2_5_vl", "qwen3_vl")  # whose position ids, picture features and caches are known to work as used here


def shares_prompts(model: Any) -> bool:
    """Whether equal prompts of this model can be computed once: one of FAMILIES, all of its layers with full attention.

    Other models generate and score by transformers' and TRL's own way, each row by itself.
    """
    config = model.config
    layers = getattr(config.get_text_config(), "layer_types", None) or ["full_attention"]
    return config.model_type in FAMILIES and set(layers) == {"full_attention"}


def backbone_of(model: Any) -> Any:
    """The model without its head (tower and language model), from inside adapters and wrappers of parallel training."""
    return next(part for part in model.modules() if hasattr(part, "get_rope_index") and hasattr(part, "language_model"))


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The distinct pictures of a batch: patches (N, D) and grid (1, 3) of each, and which ones the rows show, in their order."""

    patches: tuple[Tensor, ...]
    grids: tuple[Tensor, ...]
    rows: tuple[tuple[int, ...], ...]

    def of(self, rows: Sequence[int]) -> list[int]:
        """The numbers of the pictures of `rows`, one row after the other."""
        return [picture for row in rows for picture in self.rows[row]]


def find_pictures(ids: Tensor, patches: Tensor, grids: Tensor, *, image_token: int, merge: int) -> Pictures:
    """The distinct pictures of rows of tokens (B, L), whose pictures follow each other in `patches` and `grids` (n, 3).

    Raises RuntimeError where the image tokens of a row are not those of its pictures: the model would see other pixels.
    """
    sizes = grids.prod(-1).tolist()
    distinct: list[tuple[Tensor, Tensor]] = []
    numbers = [_number(distinct, *each) for each in zip(patches.split(sizes), grids.split(1), strict=True)]
    rows: list[tuple[int, ...]] = []
    at = 0
    for tokens in (ids == image_token).sum(-1).tolist():
        start = at
        while tokens > 0 and at < len(sizes):
            tokens -= sizes[at] // merge**2
            at += 1
        if tokens:
            raise RuntimeError(f"row {len(rows)} has {tokens:+d} image tokens more than its pictures")
        rows.append(tuple(numbers[start:at]))
    if at != len(sizes):
        raise RuntimeError(f"{len(sizes) - at} of {len(sizes)} pictures belong to no row")
    return Pictures(tuple(p for p, _ in distinct), tuple(g for _, g in distinct), tuple(rows))


def _number(distinct: list[tuple[Tensor, Tensor]], patches: Tensor, grid: Tensor) -> int:
    """The number of a picture among the distinct ones, to which a new one is added."""
    for number, (other, its_grid) in enumerate(distinct):
        if torch.equal(grid, its_grid) and torch.equal(patches, other):
            return number
    distinct.append((patches, grid))
    return len(distinct) - 1


@dataclass(frozen=True, slots=True)
class Prompts:
    """The distinct prompts of a batch: `first` row of each (U), and for each row the number of its prompt (B)."""

    first: tuple[int, ...]
    of_row: tuple[int, ...]


def find_prompts(ids: Tensor, mask: Tensor, pictures: Sequence[tuple[int, ...]]) -> Prompts:
    """The distinct prompts among rows of tokens and masks (B, P) that show the pictures of those numbers."""
    known: dict[tuple[object, ...], int] = {}
    first, of_row = [], []
    for row, (tokens, seen) in enumerate(zip(ids.tolist(), mask.tolist(), strict=True)):
        key = (tuple(tokens), tuple(seen), pictures[row])
        if key not in known:
            known[key] = len(known)
            first.append(row)
        of_row.append(known[key])
    return Prompts(tuple(first), tuple(of_row))
