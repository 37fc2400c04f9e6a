"""The image encoder of a small Sam2Model on the CPU: the embeddings of transformers, up to rounding, in half the time.

transformers (5.23 and before) computes attention weights in each layer that nothing uses, and position codes of the feature maps that
this product does not use. And it cuts the map into windows and puts it together again in each layer. Here positions are in an order
that fits all layers: window by window, and within a window the four positions that are pooled together next to each other, again and
again. So a window is a row of positions, pooling takes the largest of each four, and nothing is moved.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from t2s_agent.threads import SMALL

_POOLED = 4  # positions that become one


class ImageEncoder:
    """The image encoder of a model for which `fits` is true. It reads the model's weights; B pictures have L positions of C channels."""

    def __init__(self, model: Any) -> None:
        self._model, self._trunk = model, model.vision_encoder.backbone
        self._neck, self._decoder = model.vision_encoder.neck, model.mask_decoder
        side, poolings = _side(self._trunk), sum(bool(block.query_stride) for block in self._trunk.blocks)
        self._order = order = _nested(side, self._trunk.blocks[0].window_size, poolings)
        self._raster = [_raster(order, side, level) for level in range(3)]
        with torch.no_grad():
            positions = self._trunk._get_pos_embed((side, side))  # (1, side, side, C)
            self._positions = positions.flatten(1, 2)[:, order].clone()

    def embed(self, pixels: Tensor) -> list[Tensor]:
        """The three maps (B, C, h, w) of `get_image_embeddings`, the finest first, of pixels (B, 3, side, side)."""
        stages = self._stages(pixels)
        maps = self._pyramid(stages)
        return [_in_rows(each, raster) for each, raster in zip(maps, self._raster, strict=True)]

    def _stages(self, pixels: Tensor) -> list[Tensor]:
        """What each stage of the trunk gives (B, L, C)."""
        projection = self._trunk.patch_embed.projection
        patches = projection(pixels.contiguous(memory_format=torch.channels_last))
        x = patches.permute(0, 2, 3, 1).flatten(1, 2)[:, self._order] + self._positions
        found = []
        for number, block in enumerate(self._trunk.blocks):
            x = _block(block, x)
            if number in self._trunk.stage_ends:
                found.append(x)
        return found

    def _pyramid(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """The maps (B, L, C) of the neck that the mask decoder takes, the finest first."""
        neck, top = self._neck, len(stages) - 1
        maps: list[Tensor] = []
        above = None
        for level in range(top, -1, -1):
            own = _pointwise(neck.convs[top - level], stages[level])
            if above is not None and level in neck.fpn_top_down_levels:
                own = own + above.repeat_interleave(_POOLED, 1)
            above = own
            maps.insert(0, own)
        fine, middle, coarse = maps[: self._model.num_feature_levels]
        coarse = coarse + self._model.no_memory_embedding[0]
        return [_pointwise(self._decoder.conv_s0, fine), _pointwise(self._decoder.conv_s1, middle), coarse]


def _in_rows(x: Tensor, raster: Tensor) -> Tensor:
    """(B, L, C) in our order as (B, C, h, w)."""
    side = math.isqrt(len(raster))
    rows: Tensor = x[:, raster].transpose(1, 2).unflatten(2, (side, side))
    return rows


def fits(model: Any) -> bool:
    """Whether `model` is a small Sam2Model on the CPU in float32, whose windows lie within each other without padding."""
    if type(model).__name__ != "Sam2Model" or type(model.vision_encoder.backbone).__name__ != "Sam2HieraDetModel":
        return False
    weights = list(model.parameters())
    small = sum(weight.numel() for weight in weights) < SMALL
    plain = all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights)
    neck = model.config.vision_config
    pointwise = neck.fpn_kernel_size == 1 and neck.fpn_stride == 1 and neck.fpn_padding == 0
    return small and plain and pointwise and model.num_feature_levels == 3 and _nests(model.vision_encoder.backbone)


def _nests(trunk: Any) -> bool:
    """Whether each layer looks at the windows of the layer before it, halved where that one pooled, or at the whole map."""
    side, window = _side(trunk), trunk.blocks[0].window_size
    if window == 0 or side % window:
        return False
    for block in trunk.blocks:
        if block.window_size not in (0, side, window):
            return False
        if block.query_stride:
            if tuple(block.query_stride) != (2, 2) or window % 2 or side % 2:
                return False
            side, window = side // 2, window // 2
    return True


def _side(trunk: Any) -> int:
    """Positions along a side of the finest map."""
    height, width = trunk.config.image_size
    stride = trunk.config.patch_stride[0]
    return int(height) // int(stride) if height == width else 0


def _nested(side: int, window: int, poolings: int) -> Tensor:
    """The places of a map (side * side, row by row) in our order: window by window, fours within fours within a window."""
    y, x = torch.arange(side)[:, None].expand(side, side).flatten(), torch.arange(side).repeat(side)
    inner = window >> poolings
    key = y // window * (side // window) + x // window
    key = (key * inner + (y % window >> poolings)) * inner + (x % window >> poolings)
    for bit in reversed(range(poolings)):
        key = key * _POOLED + (y >> bit & 1) * 2 + (x >> bit & 1)
    return key.argsort()


def _raster(order: Tensor, side: int, level: int) -> Tensor:
    """For each place of the map after `level` poolings, row by row, where it is in our order."""
    first = order[:: _POOLED**level]
    return ((first // side >> level) * (side >> level) + (first % side >> level)).argsort()


def _block(block: Any, x: Tensor) -> Tensor:
    """One layer: (B, L, C) to (B, L, C), or to (B, L / 4, C') where it pools."""
    normed = _norm(block.layer_norm1, x)
    rest = x if block.dim == block.dim_out else _pooled(_linear(block.proj, normed), block)
    x = rest + _attended(block, normed)
    mlp = block.mlp
    return x + _linear(mlp.proj_out, mlp.activation(_linear(mlp.proj_in, _norm(block.layer_norm2, x))))


def _attended(block: Any, x: Tensor) -> Tensor:
    """Attention within each window."""
    attention, heads = block.attn, block.attn.num_attention_heads
    windows = x if block.window_size == 0 else x.reshape(-1, block.window_size**2, x.shape[-1])
    query, key, value = _linear(attention.qkv, windows).chunk(3, -1)
    query, key, value = (
        each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (_pooled(query, block), key, value)
    )
    seen = F.scaled_dot_product_attention(query, key, value, scale=attention.scale)
    return _linear(attention.proj, seen.transpose(1, 2).flatten(2)).reshape(len(x), -1, block.dim_out)


def _pooled(x: Tensor, block: Any) -> Tensor:
    """(B, L, C), in a layer that pools with the largest of each four positions."""
    return x.unflatten(1, (-1, _POOLED)).amax(2) if block.query_stride else x


def _norm(norm: Any, x: Tensor) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(layer: Any, x: Tensor) -> Tensor:
    return F.linear(x, layer.weight, layer.bias)


def _pointwise(convolution: Any, x: Tensor) -> Tensor:
    """A convolution of one position, of positions (B, L, C)."""
    return F.linear(x, convolution.weight.flatten(1), convolution.bias)
