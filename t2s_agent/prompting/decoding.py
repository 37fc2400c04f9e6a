"""Writes tokens with a small Qwen3-VL on the CPU in half the time that transformers' `generate` takes, or less.

With a model as small as nano, most of a token's time goes into the steps around the matrix products: transformers makes keys and values
anew for each token and takes over a thousand operations. Here keys and values are stored once, projections of the same input are one
product, and rows that continue the same prompt read its keys and values together. Picture and prompt are still run by transformers.

`generate` decides by the model and the settings: whatever is not known here is left to transformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2s_agent.threads import SMALL

if TYPE_CHECKING:
    from torch import Tensor

ROOM = 128  # tokens by which the store of keys and values grows
_KNOWN = {  # settings that are followed here
    "max_new_tokens",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "suppress_tokens",
    "begin_suppress_tokens",
    "num_return_sequences",
    "eos_token_id",
    "pad_token_id",
    "bos_token_id",  # the prompt has it already
    "max_length",  # max_new_tokens goes before it
    "use_cache",
    "transformers_version",
    "_from_model_config",
}
_NEUTRAL = {  # values of other settings that change nothing, besides None, False and 0
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "typical_p": 1.0,
    "num_beams": 1,
    "num_beam_groups": 1,
    "num_assistant_tokens": 20,
    "num_assistant_tokens_schedule": "constant",
    "assistant_confidence_threshold": 0.4,
    "assistant_lookbehind": 10,
    "target_lookbehind": 10,
}


def generate(model: Any, inputs: dict[str, Any], config: Any) -> list[list[int]]:
    """Returns the new tokens of each row, padded to one length, as `model.generate(**inputs, generation_config=config)` writes them.

    Samples draw from torch's random state in the same order as transformers; their probabilities differ by rounding.
    """
    drawing = Drawing.of(model, config)
    if drawing is None or "image_grid_thw" not in inputs or not is_plain(model):
        width = inputs["input_ids"].shape[1]
        written: list[list[int]] = model.generate(**inputs, generation_config=config)[:, width:].tolist()
        return written
    samples = drawing.samples
    rows = [row for row in range(len(inputs["input_ids"])) for _ in range(samples)]
    return decode(model, prefill(model, inputs), drawing, rows)


def is_plain(model: Any) -> bool:
    """Whether `model` is a small Qwen3-VL on the CPU in float32, with the layers that this module computes and nothing added to them."""
    import torch

    config = model.config
    if config.model_type != "qwen3_vl" or type(model).__name__ != "Qwen3VLForConditionalGeneration":
        return False
    text, weights = config.text_config, list(model.parameters())
    projections = [part for layer in model.model.language_model.layers for part in _projections(layer)]
    return (
        all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights)
        and sum(weight.numel() for weight in weights) < SMALL
        and text.hidden_act == "silu"
        and not text.attention_bias
        and text.rope_parameters["rope_type"] == "default"
        and all(type(part) is torch.nn.Linear and part.bias is None for part in [*projections, model.lm_head])
    )


def _projections(layer: Any) -> list[Any]:
    attention, mlp = layer.self_attn, layer.mlp
    heads = [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
    return [*heads, mlp.gate_proj, mlp.up_proj, mlp.down_proj]


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the next token is chosen; the settings of transformers' GenerationConfig that are followed here."""

    most: int
    ends: tuple[int, ...]
    pad: int
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    samples: int
    sampled: bool
    temperature: float
    top_k: int
    top_p: float

    @classmethod
    def of(cls, model: Any, config: Any) -> "Drawing | None":
        """The settings that `model.generate` would follow with this GenerationConfig, or None if it has others than these."""
        own = {key: value for key, value in model.generation_config.to_dict().items() if value is not None}
        given = own | {key: value for key, value in config.to_dict().items() if value is not None}
        others = {key: value for key, value in given.items() if key not in _KNOWN and value}
        ends, sampled = given.get("eos_token_id"), bool(given.get("do_sample", False))
        unknown = any(_NEUTRAL.get(key) != value for key, value in others.items())
        if unknown or ends is None or not {"max_new_tokens", "pad_token_id"} <= given.keys():
            return None
        return cls(
            given["max_new_tokens"],
            tuple(ends) if isinstance(ends, list) else (ends,),
            given["pad_token_id"],
            tuple(given.get("suppress_tokens") or ()),
            tuple(given.get("begin_suppress_tokens") or ()),
            given.get("num_return_sequences", 1),
            sampled,
            given.get("temperature", 1.0) if sampled else 1.0,
            given.get("top_k", 50) if sampled else 0,
            given.get("top_p", 1.0) if sampled else 1.0,
        )


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


def prefill(model: Any, inputs: dict[str, Any]) -> Prefill:
    """Runs pictures and prompts by transformers, as `generate` does: ids and their mask (U, P) are padded on the left."""
    from transformers import DynamicCache

    mask = inputs["attention_mask"]
    cache = DynamicCache(config=model.config)
    output = model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Prefill.of(cache, mask, mask.sum(-1) + model.model.rope_deltas[:, 0], output.logits[:, -1])


def decode(model: Any, prompts: Prefill, drawing: Drawing, rows: Sequence[int]) -> list[list[int]]:
    """Continues the prompts of the numbers `rows` (equal numbers side by side, as many of each); the tokens, padded to one length."""
    import torch

    with torch.inference_mode():
        decoder = _Decoder(model, prompts, len(rows))
        choose = _Chooser(drawing, decoder.vocabulary)
        logits = prompts.logits.float()[list(rows)]
        written: list[Tensor] = []
        open_ = torch.ones(len(rows), dtype=torch.bool)
        ends = torch.tensor(drawing.ends)
        while True:
            tokens = choose(logits, first=not written)
            tokens = torch.where(open_, tokens, drawing.pad)
            written.append(tokens)
            open_ &= ~torch.isin(tokens, ends)
            if len(written) == drawing.most or not open_.any():
                return torch.stack(written, 1).tolist()
            logits = decoder.step(tokens)


class _Chooser:
    """Chooses the next tokens (B) from logits (B, V), with the same steps in the same order as transformers."""

    def __init__(self, drawing: Drawing, vocabulary: int) -> None:
        import torch
        from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

        self._drawing = drawing
        self._always, self._first = torch.zeros(vocabulary), torch.zeros(vocabulary)
        self._always[list(drawing.suppressed)] = -torch.inf
        self._first[list(drawing.suppressed + drawing.suppressed_first)] = -torch.inf
        self._warpers: list[Any] = [TopKLogitsWarper(drawing.top_k)] if drawing.top_k else []
        self._warpers += [TopPLogitsWarper(drawing.top_p)] if drawing.top_p < 1 else []

    def __call__(self, logits: "Tensor", *, first: bool) -> "Tensor":
        import torch

        scores = logits + (self._first if first else self._always)
        if not self._drawing.sampled:
            return scores.argmax(-1)
        if self._drawing.temperature != 1.0:
            scores = scores / self._drawing.temperature
        for warper in self._warpers:
            scores = warper(None, scores)
        return torch.multinomial(scores.softmax(-1), 1).squeeze(1)


class _Layer:
    """One layer: its weights side by side, the prompts' keys and values, and room for those of the tokens written so far.

    B rows are U prompts of g rows each; H is the number of heads of keys and values, r of heads of queries for each of them.
    """

    def __init__(self, layer: Any, keys: "Tensor", values: "Tensor", rows: int) -> None:
        import torch

        attention, mlp = layer.self_attn, layer.mlp
        self.norms = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        self.epsilon = layer.input_layernorm.variance_epsilon
        self.qkv = _columns(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = _columns(attention.o_proj)
        self.gate_up, self.down = _columns(mlp.gate_proj, mlp.up_proj), _columns(mlp.down_proj)
        self.prompt_keys = (keys * attention.scaling).transpose(-1, -2).contiguous()  # (U, H, D, P)
        self.prompt_values = values.contiguous()
        prompts, self.heads, _, self.size = keys.shape
        self.queries = attention.q_proj.out_features // self.size
        head_norms = [attention.q_norm.weight.expand(self.queries, -1), attention.k_norm.weight.expand(self.heads, -1)]
        self.head_norms = torch.cat(head_norms)
        self.scaling = attention.scaling
        self.group = rows // prompts
        self.keys = keys.new_empty(rows, self.heads, 0, self.size)
        self.values = self.keys

    def grow(self) -> None:
        """Makes room for ROOM more tokens."""
        import torch

        more = self.keys.new_empty(*self.keys.shape[:2], ROOM, self.size)
        self.keys, self.values = torch.cat([self.keys, more], 2), torch.cat([self.values, more], 2)

    def step(self, x: "Tensor", at: int, cos: "Tensor", sin: "Tensor", hidden: "Tensor | None") -> "Tensor":
        """Runs one token of each row, x (B, C), the `at`-th after the prompt; `hidden` (U, 1, 1, P) is -inf for padding."""
        from torch.nn import functional as F

        attended = self._attend(F.rms_norm(x, x.shape[-1:], self.norms[0], self.epsilon), at, cos, sin, hidden)
        x = x + attended @ self.out
        gate, up = (F.rms_norm(x, x.shape[-1:], self.norms[1], self.epsilon) @ self.gate_up).chunk(2, -1)
        return x + (F.silu(gate) * up) @ self.down

    def _attend(self, x: "Tensor", at: int, cos: "Tensor", sin: "Tensor", hidden: "Tensor | None") -> "Tensor":
        import torch
        from torch.nn import functional as F

        rows, width = x.shape[0], self.size
        heads = (x @ self.qkv).view(rows, -1, width)
        turned, value = heads.split([self.queries + self.heads, self.heads], 1)
        turned = F.rms_norm(turned, (width,), None, self.epsilon) * self.head_norms
        turned = turned * cos + turned.roll(width // 2, -1) * sin
        self.keys[:, :, at] = turned[:, self.queries :]
        self.values[:, :, at] = value
        query = turned[:, : self.queries].view(rows, self.heads, -1, width)  # (B, H, r, D)
        own = (query * self.scaling) @ self.keys[:, :, : at + 1].transpose(-1, -2)
        before = self._together(query) @ self.prompt_keys
        if hidden is not None:
            before = before + hidden
        before = self._apart(before)
        weights = torch.cat([before, own], -1).softmax(-1)
        prompt, rest = weights.split([before.shape[-1], at + 1], -1)
        seen: Tensor = self._apart(self._together(prompt) @ self.prompt_values) + rest @ self.values[:, :, : at + 1]
        return seen.reshape(rows, -1)

    def _together(self, x: "Tensor") -> "Tensor":
        """(B, H, r, N) -> (U, H, g * r, N): the rows of one prompt side by side."""
        if self.group == 1:
            return x
        rows, heads, repeats, last = x.shape
        x = x.view(rows // self.group, self.group, heads, repeats, last).transpose(1, 2)
        return x.reshape(rows // self.group, heads, self.group * repeats, last)

    def _apart(self, x: "Tensor") -> "Tensor":
        """The inverse of `_together`."""
        if self.group == 1:
            return x
        prompts, heads, together, last = x.shape
        x = x.view(prompts, heads, self.group, together // self.group, last).transpose(1, 2)
        return x.reshape(prompts * self.group, heads, together // self.group, last)


def _columns(*projections: Any) -> "Tensor":
    """Their weights as one matrix (in, out): a product with few rows takes little more than half the time of one with (out, in)."""
    import torch

    return torch.cat([projection.weight for projection in projections]).t().contiguous()


class _Decoder:
    """The language model, one token of each row at a time."""

    def __init__(self, model: Any, prompts: Prefill, rows: int) -> None:
        import torch

        text = model.model.language_model
        self._layers = [_Layer(*each, rows) for each in zip(text.layers, prompts.keys, prompts.values, strict=True)]
        self._embedding, self._head = text.embed_tokens.weight, _columns(model.lm_head)
        self._norm, self._epsilon = text.norm.weight, text.norm.variance_epsilon
        self.vocabulary = self._head.shape[1]
        self._frequencies = text.rotary_emb.inv_freq
        self._scaling = text.rotary_emb.attention_scaling
        self._position = prompts.position.repeat_interleave(rows // len(prompts.position))
        padded = prompts.mask == 0
        self._hidden = (
            torch.zeros(padded.shape).masked_fill(padded, -torch.inf)[:, None, None] if padded.any() else None
        )
        self._at = 0
        self._cos = self._sin = torch.empty(0)

    def step(self, tokens: "Tensor") -> "Tensor":
        """Returns the logits (B, V) after these tokens (B)."""
        from torch.nn import functional as F

        within = self._at % ROOM
        if within == 0:
            self._make_room()
        x = F.embedding(tokens, self._embedding)
        for layer in self._layers:
            x = layer.step(x, self._at, self._cos[within], self._sin[within], self._hidden)
        self._at += 1
        logits: Tensor = F.rms_norm(x, x.shape[-1:], self._norm, self._epsilon) @ self._head
        return logits

    def _make_room(self) -> None:
        """Room for ROOM more tokens, and their rotations: cosines and signed sines (ROOM, B, 1, D)."""
        import torch

        for layer in self._layers:
            layer.grow()
        at = self._at + torch.arange(ROOM)
        angles = (self._position + at[:, None])[..., None].float() * self._frequencies
        cos, sin = angles.cos() * self._scaling, angles.sin() * self._scaling
        self._cos, self._sin = torch.cat([cos, cos], -1)[:, :, None], torch.cat([-sin, sin], -1)[:, :, None]
