"""Runs the language model of a small Qwen3-VL on the CPU, one token of each row at a time, with few operations.

A step of a model as small as nano takes less time for its products than for everything around them. So projections of the same input
are one product, and keys and values are written into room that is already there. Logits are those of transformers up to rounding.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2s_agent.prompting.products import Product, product_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

ROOM = 128  # tokens by which the store of keys and values grows


@dataclass(frozen=True, slots=True, eq=False)
class Prefill:
    """Prompts after their run: keys and values (U, H, P, D) of each layer, what may be seen of them (U, P, 1: seen), the position of
    the next token (U), and its logits (U, V).
    """

    keys: "Sequence[Tensor]"
    values: "Sequence[Tensor]"
    mask: "Tensor"
    position: "Tensor"
    logits: "Tensor"

    @classmethod
    def of(cls, cache: Any, mask: "Tensor", position: "Tensor", logits: "Tensor") -> "Prefill":
        """With the keys and values of a cache of transformers."""
        layers = cache.layers
        return cls([layer.keys for layer in layers], [layer.values for layer in layers], mask, position, logits)


@dataclass(frozen=True, slots=True, eq=False)
class _LayerWeights:
    """One layer: products, and the weights of norms. `head_norms` (heads of queries and of keys, D) contain the scale of the scores."""

    qkv: Product
    out: Product
    gate_up: Product
    down: Product
    before: "_Norm"
    after: "_Norm"
    of_heads: "_Norm"
    queries: int
    heads: int
    size: int

    @classmethod
    def of(cls, layer: Any) -> "_LayerWeights":
        attention, mlp = layer.self_attn, layer.mlp
        size, heads = attention.head_dim, attention.k_proj.out_features // attention.head_dim
        queries = attention.q_proj.out_features // size
        scaled = (attention.q_norm.weight * attention.scaling).expand(queries, -1)
        epsilon = attention.q_norm.variance_epsilon
        return cls(
            qkv=product_of(attention.q_proj, attention.k_proj, attention.v_proj),
            out=product_of(attention.o_proj),
            gate_up=product_of(mlp.gate_proj, mlp.up_proj),
            down=product_of(mlp.down_proj),
            before=_Norm.of(layer.input_layernorm),
            after=_Norm.of(layer.post_attention_layernorm),
            of_heads=_Norm.with_weights([scaled, attention.k_norm.weight.expand(heads, -1)], epsilon),
            queries=queries,
            heads=heads,
            size=size,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Norm:
    """A norm by the root of the mean of squares, in less than half the time of torch's `rms_norm`.

    `weight` (..., C) is that of the norm times sqrt(C); `small` is sqrt(C * epsilon).
    """

    weight: "Tensor"
    small: "Tensor"

    @classmethod
    def of(cls, norm: Any) -> "_Norm":
        return cls.with_weights([norm.weight], norm.variance_epsilon)

    @classmethod
    def with_weights(cls, weights: "Sequence[Tensor]", epsilon: float) -> "_Norm":
        import torch

        size = weights[0].shape[-1]
        return cls(torch.cat(list(weights)) * size**0.5, torch.tensor((epsilon * size) ** 0.5))

    def __call__(self, x: "Tensor") -> "Tensor":
        import torch

        normed: Tensor = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot(self.small) * self.weight
        return normed


@dataclass(frozen=True, slots=True, eq=False)
class TextWeights:
    """The weights of a language model, prepared for `TokenSteps`. They are copies: later changes of the model are not seen."""

    layers: "Sequence[_LayerWeights]"
    embedding: "Tensor"  # (V, C)
    norm: _Norm
    head: Product
    frequencies: "Tensor"
    scaling: float

    @classmethod
    def of(cls, model: Any) -> "TextWeights":
        """Those of a model for which `decoding.is_plain` is true."""
        import torch

        text = model.model.language_model
        with torch.no_grad():
            return cls(
                layers=[_LayerWeights.of(layer) for layer in text.layers],
                embedding=text.embed_tokens.weight.detach().clone(),
                norm=_Norm.of(text.norm),
                head=product_of(model.lm_head),
                frequencies=text.rotary_emb.inv_freq,
                scaling=text.rotary_emb.attention_scaling,
            )


class TokenSteps:
    """Continues prompts: B rows are U prompts of as many rows each."""

    def __init__(self, weights: TextWeights, prompts: Prefill, rows: int) -> None:
        import torch

        self._weights, self._rows = weights, rows
        self.vocabulary = len(weights.embedding)
        group = rows // len(prompts.position)
        self._position = prompts.position.repeat_interleave(group)
        padded = prompts.mask == 0
        hidden = torch.zeros(padded.shape).masked_fill(padded, -torch.inf)[:, None, None] if padded.any() else None
        self._stores: list[_OwnPrompts | _SharedPrompts] = [
            _OwnPrompts(keys, values, hidden) if group == 1 else _SharedPrompts(keys, values, hidden, group)
            for keys, values in zip(prompts.keys, prompts.values, strict=True)
        ]
        self._prompt = prompts.mask.shape[1]
        self._at, self._many = 0, 1  # tokens so far, and of this step
        self._hidden: Tensor | None = hidden
        self._later: Tensor | None = None
        self._cos = self._sin = torch.empty(0)
        self._turns = self._cos, self._sin  # of this step's tokens (B or n, 1, D)

    def step(self, tokens: "Sequence[int]") -> "Tensor":
        """Returns the logits (B, V) after these tokens, one for each row; or, with one row, (n, V) after each of its next n tokens."""
        import torch

        self._many = len(tokens) if self._rows == 1 else 1
        while self._at + self._many > len(self._cos):
            self._make_room()
        self._later = self._later_tokens() if self._many > 1 else None
        at = slice(self._at, self._at + self._many)
        self._turns = self._cos[at].flatten(0, 1), self._sin[at].flatten(0, 1)
        x = self._weights.embedding[torch.tensor(tokens)]
        for weights, store in zip(self._weights.layers, self._stores, strict=True):
            x = self._layer(x, weights, store)
        self._at += self._many
        return self._weights.head(self._weights.norm(x))

    def _later_tokens(self) -> "Tensor":
        """-inf where one of this step's n tokens is later than another (r * n, all tokens so far), else 0."""
        import torch
        from torch.nn import functional as F

        among = torch.full((self._many, self._many), -torch.inf).triu(1)
        repeats = self._weights.layers[0].queries // self._weights.layers[0].heads
        later = F.pad(among, (self._prompt + self._at, 0))
        if self._hidden is not None:
            later[:, : self._prompt] += self._hidden[0, 0]
        return later.repeat(repeats, 1)

    def forget(self, count: int) -> None:
        """Takes the last `count` tokens back."""
        self._at -= count

    def _layer(self, x: "Tensor", weights: _LayerWeights, store: "_OwnPrompts | _SharedPrompts") -> "Tensor":
        """x (B, C) after one layer."""
        from torch.nn import functional as F

        qkv = weights.qkv(weights.before(x)).view(len(x), -1, weights.size)
        x = x + weights.out(self._attend(qkv, weights, store))
        gate, up = weights.gate_up(weights.after(x)).chunk(2, -1)
        return x + weights.down(F.silu(gate) * up)

    def _attend(self, qkv: "Tensor", weights: _LayerWeights, store: "_OwnPrompts | _SharedPrompts") -> "Tensor":
        """What tokens, whose heads are (B or n, queries + 2 H, D), take from those before and themselves: (B or n, queries * D)."""
        import torch

        turning = weights.queries + weights.heads
        turned, value = qkv.split([turning, weights.heads], 1)
        turned = weights.of_heads(turned)
        cos, sin = self._turns
        turned = torch.addcmul(turned * cos, turned.roll(weights.size // 2, -1), sin)
        query, key = turned.split([weights.queries, weights.heads], 1)
        if self._many == 1:
            store.keep(self._at, key, value)
            query = query.view(self._rows, weights.heads, -1, weights.size)
            return store.seen(self._at, query).reshape(self._rows, -1)
        for number in range(self._many):
            store.keep(self._at + number, key[number : number + 1], value[number : number + 1])
        grouped = query.unflatten(1, (weights.heads, -1)).permute(1, 2, 0, 3).flatten(1, 2)[None]  # (1, H, r * n, D)
        seen = store.seen(self._at + self._many - 1, grouped, self._later)
        by_token: Tensor = seen[0].unflatten(1, (-1, self._many)).permute(2, 0, 1, 3)
        return by_token.reshape(self._many, -1)

    def _make_room(self) -> None:
        """Room for ROOM more tokens, and their rotations: cosines and signed sines (N, B, 1, D) of all."""
        import torch

        for store in self._stores:
            store.grow()
        at = len(self._cos) + torch.arange(ROOM)
        angles = (self._position + at[:, None])[..., None].float() * self._weights.frequencies
        cos, sin = angles.cos() * self._weights.scaling, angles.sin() * self._weights.scaling
        turns = [torch.cat([cos, cos], -1)[:, :, None], torch.cat([-sin, sin], -1)[:, :, None]]
        self._cos, self._sin = (
            torch.cat([before, more]) if len(before) else more
            for before, more in zip((self._cos, self._sin), turns, strict=True)
        )


class _OwnPrompts:
    """Keys and values of one layer where each row continues a prompt of its own: prompt and new tokens in one store (B, H, N, D)."""

    def __init__(self, keys: "Tensor", values: "Tensor", hidden: "Tensor | None") -> None:
        self._keys, self._values, self._hidden = keys, values, hidden
        self._prompt = keys.shape[2]
        self._places: list[tuple[Tensor, Tensor]] = []

    def grow(self) -> None:
        import torch

        more = self._keys.new_empty(*self._keys.shape[:2], ROOM, self._keys.shape[3])
        self._keys, self._values = torch.cat([self._keys, more], 2), torch.cat([self._values, more], 2)
        if self._hidden is not None:
            self._hidden = torch.cat([self._hidden, self._hidden.new_zeros(*self._hidden.shape[:3], ROOM)], -1)
        new = self._keys[:, :, self._prompt :], self._values[:, :, self._prompt :]
        self._places = list(zip(*(each.unbind(2) for each in new), strict=True))

    def keep(self, at: int, key: "Tensor", value: "Tensor") -> None:
        keys, values = self._places[at]
        keys.copy_(key)
        values.copy_(value)

    def seen(self, at: int, query: "Tensor", later: "Tensor | None" = None) -> "Tensor":
        """What queries (B, H, r, D) take from the prompt and the tokens up to the `at`-th after it; `later` (r, N) is -inf for what is later."""
        from torch.nn import functional as F

        length = self._prompt + at + 1
        keys, values = self._keys.narrow(2, 0, length), self._values.narrow(2, 0, length)
        mask = later if later is not None or self._hidden is None else self._hidden.narrow(3, 0, length)
        return F.scaled_dot_product_attention(query, keys, values, mask, scale=1.0)


class _SharedPrompts:
    """Keys and values of one layer where g rows continue the same prompt, whose keys and values all of them read together."""

    def __init__(self, keys: "Tensor", values: "Tensor", hidden: "Tensor | None", group: int) -> None:
        self._prompt_keys, self._prompt_values = keys.transpose(-1, -2).contiguous(), values.contiguous()
        self._hidden, self._group = hidden, group
        self._keys = self._values = keys.new_empty(group * len(keys), keys.shape[1], 0, keys.shape[3])

    def grow(self) -> None:
        import torch

        more = self._keys.new_empty(*self._keys.shape[:2], ROOM, self._keys.shape[3])
        self._keys, self._values = torch.cat([self._keys, more], 2), torch.cat([self._values, more], 2)

    def keep(self, at: int, key: "Tensor", value: "Tensor") -> None:
        self._keys[:, :, at] = key
        self._values[:, :, at] = value

    def seen(self, at: int, query: "Tensor", _later: "Tensor | None" = None) -> "Tensor":
        """As above; several rows get one token at a time, of which none is later."""
        import torch

        own = query @ self._keys[:, :, : at + 1].transpose(-1, -2)
        before = self._together(query) @ self._prompt_keys
        if self._hidden is not None:
            before = before + self._hidden
        before = self._apart(before)
        weights = torch.cat([before, own], -1).softmax(-1)
        prompt, rest = weights.split([before.shape[-1], at + 1], -1)
        seen: Tensor = self._apart(self._together(prompt) @ self._prompt_values) + rest @ self._values[:, :, : at + 1]
        return seen

    def _together(self, x: "Tensor") -> "Tensor":
        """(B, H, r, N) -> (U, H, g * r, N): the rows of one prompt side by side."""
        rows, heads, repeats, last = x.shape
        x = x.view(rows // self._group, self._group, heads, repeats, last).transpose(1, 2)
        return x.reshape(rows // self._group, heads, self._group * repeats, last)

    def _apart(self, x: "Tensor") -> "Tensor":
        """The inverse of `_together`."""
        prompts, heads, together, last = x.shape
        x = x.view(prompts, heads, self._group, together // self._group, last).transpose(1, 2)
        return x.reshape(prompts * self._group, heads, together // self._group, last)
