"""Initial weights of nano's image encoder: smooth positions that carry each cell's pattern, and a block that averages neighbours."""

from typing import Any

import torch

from training.nano.image_tokens import GRID, place_code


def smooth_positions(weight: torch.Tensor) -> None:
    """Sets positions to sines of row and column: neighbours start similar, and a position is a linear function."""
    side = int(weight.shape[0] ** 0.5)
    place = (torch.arange(side) + 0.5) / side
    frequencies = torch.arange(1, weight.shape[1] // 4 + 1) * torch.pi / 2
    wave = place[:, None] * frequencies
    code = torch.cat([wave.sin(), wave.cos()], dim=1) / frequencies.repeat(2).sqrt()
    weight.copy_(torch.cat([code.repeat_interleave(side, 0), code.repeat(side, 1)], dim=1)[:, : weight.shape[1]])
    _add_cell_patterns(weight)


def start_neighbour_block(block: Any) -> None:
    """Initialises the last block of the image encoder to average the patches around each patch, which tells what is near."""
    attention = block.attn
    head = attention.qkv.weight.shape[1] // attention.num_heads
    qk = slice(0, 2 * attention.num_heads * head)
    attention.qkv.weight[qk] = 0.0
    attention.qkv.bias[qk] = 0.0
    # rotary pairs with a quarter turn in 3 to 7 patches
    turning = [axis * head // 4 + n for axis in (0, 1) for n in (2, 3, 4)]
    for number, height in enumerate((2.7, 1.9)):
        for part in (0, attention.num_heads):
            rows = torch.tensor(turning) + (part + number) * head
            attention.qkv.bias[rows] = height
    for silent in (attention.proj, block.mlp.linear_fc2):
        silent.weight.zero_()
        silent.bias.zero_()


def _add_cell_patterns(weight: torch.Tensor) -> None:
    """Adds the pattern of its cell to each patch's position, so that the image encoder only has to copy it."""
    side = int(weight.shape[0] ** 0.5)
    across = torch.empty(place_code().shape[1], weight.shape[1])
    torch.nn.init.orthogonal_(across, generator=torch.Generator().manual_seed(0))
    cell = torch.arange(side) // (side // GRID)
    weight += 0.5 * place_code()[(cell[:, None] * GRID + cell).flatten()] @ across
