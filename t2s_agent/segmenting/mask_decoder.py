"""SAM 2's mask decoder for many prompts about one View: what does not depend on the prompt is computed once a View.

It gives the logits of transformers' Sam2Model (and of SAM 3's tracker) with its weights, up to rounding. Keys, values and queries of
the image are projected once for the first layer. For the other layers, which see another image for each prompt, products are taken
from the side of the few prompt tokens, (q W) x instead of q (W x): a third less work. The image stays in one layout, so that nothing
of its size is copied.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST = 32  # prompts at a time
_CPU_BYTES = 8 * 2**20  # of the prompts' images: beyond a processor's cache, more prompts at a time take longer


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A View's part of the work. L = h * w positions of the coarsest feature map; D channels; H heads of d channels.

    `image` (L, D), and `placed` with the positions added; `first`, what the first layer needs of them;
    `middle` (L, 4, D / 4) and `fine` (L, 4, 4, D / 8), the finer maps by position in the coarsest one, with the bias of the
    convolution whose output they are added to. For prompts about a View each, all but the first layer's have a P before the L.
    """

    image: Tensor
    placed: Tensor
    first: "FirstLayer | None"
    middle: Tensor
    fine: Tensor
    height: int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class FirstLayer:
    """`keys` and `values` (H, L, d) and `queries` (H, d, L) of an image that all prompts see as it is."""

    keys: Tensor
    values: Tensor
    queries: Tensor


class MaskDecoder:
    """The mask decoder of a model in eval mode. P prompts have T tokens each."""

    def __init__(self, model: Any) -> None:
        self._no_mask = model.prompt_encoder.no_mask_embed.weight
        self._decoder, self._transformer = model.mask_decoder, model.mask_decoder.transformer
        with torch.no_grad():
            self._positions = model.get_image_wide_positional_embeddings()[0].flatten(1).T.to(model.dtype).contiguous()

    @property
    def at_once(self) -> int:
        """How many prompts to decode at a time."""
        own = self._positions
        return _MOST if own.device.type != "cpu" else min(_MOST, max(1, _CPU_BYTES // (own.nbytes)))

    def prepare(self, maps: list[Tensor]) -> Prepared:
        """The View's part, from the three maps of `get_image_embeddings`: (1, C, h, w) each, the finest first."""
        each = self.prepare_each(maps)
        image, placed = each.image[0], each.placed[0]
        layer = self._transformer.layers[0]
        asked, asking = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
        first = FirstLayer(
            keys=_heads(asked, asked.k_proj(placed)).contiguous(),
            values=_heads(asked, asked.v_proj(image)).contiguous(),
            queries=_heads(asking, asking.q_proj(placed)).transpose(1, 2).contiguous(),
        )
        return replace(each, image=image, placed=placed, first=first, middle=each.middle[0], fine=each.fine[0])

    def prepare_each(self, maps: list[Tensor]) -> Prepared:
        """The part of P Views with one prompt each, from maps (P, C, h, w)."""
        fine, middle, coarse = maps
        height, width = coarse.shape[2:]
        image = (coarse.flatten(2).transpose(1, 2) + self._no_mask).contiguous()
        return Prepared(
            image=image,
            placed=image + self._positions,
            first=None,
            middle=_by_position(middle, height, width)[:, :, 0] + self._decoder.upscale_conv1.bias,
            fine=_by_position(fine, height, width) + self._decoder.upscale_conv2.bias,
            height=height,
            width=width,
        )

    def logits(self, prepared: Prepared, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits (P, 4h, 4w) of prompts (P, T, D), and estimates of the masks' IoU (P,)."""
        decoder = self._decoder
        own = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens, image = self._attend(prepared, torch.cat([own.expand(len(prompts), -1, -1), prompts], 1))
        masks = self._masks(prepared, image, tokens[:, 2 : 2 + decoder.num_mask_tokens])
        quality = decoder.iou_prediction_head(tokens[:, 1])
        if decoder.dynamic_multimask_via_stability:
            chosen, scores = decoder._dynamic_multimask_via_stability(masks[None, ..., None], quality[None])
            masks, quality = chosen[0, ..., 0], scores[0]
        return _in_rows(masks[:, 0], prepared.height, prepared.width), quality[:, 0]

    def _attend(self, prepared: Prepared, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """The transformer: the tokens (P, T, D) and each prompt's image (P, L, D) after it."""
        tokens, image, placed = prompts, prepared.image, prepared.placed
        for number, layer in enumerate(self._transformer.layers):
            cached = prepared.first if number == 0 else None
            tokens = layer.layer_norm1(_to_each_other(layer, tokens, prompts))
            seen = _seen(layer.cross_attn_token_to_image, tokens + prompts, image, placed, cached)
            tokens = layer.layer_norm2(tokens + seen)
            tokens = layer.layer_norm3(tokens + layer.mlp(tokens))
            attention = layer.cross_attn_image_to_token
            scores = _scores(attention, tokens + prompts, placed, cached)
            image = layer.layer_norm4(_told(attention, image, scores, tokens))
            placed = image + self._positions
        final = self._transformer.final_attn_token_to_image
        seen = _seen(final, tokens + prompts, image, placed, None)
        return self._transformer.layer_norm_final_attn(tokens + seen), image

    def _masks(self, prepared: Prepared, image: Tensor, mask_tokens: Tensor) -> Tensor:
        """The logits of all mask tokens by position (P, M, L * 16)."""
        decoder, norm = self._decoder, self._decoder.upscale_layer_norm
        middle = _upscaled(decoder.upscale_conv1, image).add_(prepared.middle)
        middle = F.gelu(F.layer_norm(middle, norm.normalized_shape, norm.weight, norm.bias, norm.eps))
        fine = F.gelu(_upscaled(decoder.upscale_conv2, middle).add_(prepared.fine))
        weights = [mlp(mask_tokens[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        return torch.stack(weights, 1) @ fine.flatten(1, 3).transpose(1, 2)


def _to_each_other(layer: Any, tokens: Tensor, prompts: Tensor) -> Tensor:
    """Tokens (P, T, D) after attending to each other; the first layer replaces them."""
    if layer.skip_first_layer_pe:
        own: Tensor = layer.self_attn(tokens[None], tokens[None], tokens[None])[0][0]
        return own
    placed = (tokens + prompts)[None]
    added: Tensor = layer.self_attn(placed, placed, tokens[None])[0][0]
    return tokens + added


def _seen(attention: Any, asking: Tensor, image: Tensor, placed: Tensor, cached: FirstLayer | None) -> Tensor:
    """What tokens (P, T, D) take from the image: from the cached keys and values, or each prompt from its own (P, L, D)."""
    query: Tensor = attention.q_proj(asking)
    if cached:
        one = _heads(attention, query.flatten(0, 1))  # the tokens of all prompts ask the same image
        seen = F.scaled_dot_product_attention(
            one[None], cached.keys[None], cached.values[None], scale=attention.scaling
        )
        found: Tensor = attention.o_proj(seen[0].transpose(0, 1).reshape(query.shape))
        return found
    # the bias of the keys adds the same to all scores of a token: it changes nothing
    asked = _heads(attention, query * attention.scaling) @ _by_head(attention, attention.k_proj.weight)  # (P, H, T, D)
    shares = (asked.flatten(1, 2) @ placed.transpose(1, 2)).softmax(-1)
    taken = (shares @ image).unflatten(1, (attention.num_attention_heads, -1))
    seen = taken @ _by_head(attention, attention.v_proj.weight).transpose(1, 2)  # (P, H, T, d)
    own: Tensor = attention.o_proj(seen.transpose(1, 2).flatten(2) + attention.v_proj.bias)
    return own


def _scores(attention: Any, asked: Tensor, placed: Tensor, cached: FirstLayer | None) -> Tensor:
    """How much each position of the image asks for each token (P, T, D), before the softmax: (P, H, T, L)."""
    key: Tensor = attention.k_proj(asked) * attention.scaling
    if cached:
        scores: Tensor = _heads(attention, key.flatten(0, 1)) @ cached.queries  # (H, P * T, L)
        return scores.view(len(scores), len(asked), -1, scores.shape[-1]).transpose(0, 1)
    keys = _heads(attention, key)  # (P, H, T, d)
    weight = (keys @ _by_head(attention, attention.q_proj.weight)).flatten(1, 2)  # (P, H * T, D)
    bias = (keys @ attention.q_proj.bias.unflatten(0, (attention.num_attention_heads, -1, 1))).flatten(1, 2)
    scores = torch.baddbmm(bias, weight, placed.transpose(1, 2))
    return scores.view(len(scores), attention.num_attention_heads, -1, scores.shape[-1])


def _told(attention: Any, image: Tensor, scores: Tensor, tokens: Tensor) -> Tensor:
    """Each prompt's image (P, L, D), to which each position adds what it takes from the tokens by its scores (P, H, T, L)."""
    shares = scores.softmax(2).flatten(1, 2).transpose(1, 2)  # (P, L, H * T)
    value = _heads(attention, attention.v_proj(tokens))
    output = attention.o_proj.weight.T.unflatten(0, (attention.num_attention_heads, -1))  # (H, d, D)
    bias = attention.o_proj.bias / attention.num_attention_heads  # the shares of a head add up to 1
    return torch.baddbmm(image.expand(len(tokens), -1, -1), shares, (value @ output + bias).flatten(1, 2))


def _heads(attention: Any, projected: Tensor) -> Tensor:
    """(..., N, H * d) as (..., H, N, d)."""
    split: Tensor = projected.unflatten(-1, (attention.num_attention_heads, -1))
    return split.transpose(-2, -3)


def _by_head(attention: Any, weight: Tensor) -> Tensor:
    """The weight (H * d, D) of a projection as (H, d, D)."""
    return weight.view(attention.num_attention_heads, -1, weight.shape[-1])


def _upscaled(conv: Any, maps: Tensor) -> Tensor:
    """A transposed convolution of stride 2 of positions (..., C): its 2 x 2 outputs (..., 4, C'), row by row, without the bias."""
    weight = conv.weight.permute(0, 2, 3, 1).flatten(1)
    upscaled: Tensor = (maps @ weight).view(*maps.shape[:-1], 4, -1)
    return upscaled


def _by_position(finer: Tensor, height: int, width: int) -> Tensor:
    """Maps (P, C, 2h, 2w) or (P, C, 4h, 4w) by position in the (h, w) map: (P, h * w, 1, 4, C) or (P, h * w, 4, 4, C), in the order of
    `_upscaled`.
    """
    twice = finer.shape[2] // (2 * height)  # 1 or 2
    cut: Tensor = finer.reshape(len(finer), -1, height, twice, 2, width, twice, 2)
    return cut.permute(0, 2, 5, 3, 6, 4, 7, 1).reshape(len(finer), height * width, twice * twice, 4, -1)


def _in_rows(masks: Tensor, height: int, width: int) -> Tensor:
    """Masks by position (P, L * 16) as (P, 4h, 4w): the inverse of the order of `_by_position`."""
    cut: Tensor = masks.view(-1, height, width, 2, 2, 2, 2)
    return cut.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, 4 * height, 4 * width)
