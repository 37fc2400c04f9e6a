"""Writes tokens with a small Qwen3-VL on the CPU in a small part of the time that transformers' `generate` takes.

Picture and prompt are run by transformers, the tokens after them by `token_steps`.

`generate` decides by the model and the settings: whatever is not known here is left to transformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2s_agent.prompting.guessing import Guesses, forms_of
from t2s_agent.prompting.looking import Looks
from t2s_agent.prompting.token_steps import Prefill, TextWeights, TokenSteps
from t2s_agent.threads import SMALL

if TYPE_CHECKING:
    from torch import Tensor

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


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is kept for the answers of a model that does not change: its weights, laid out, the form of each token, the last pictures."""

    weights: TextWeights
    forms: Sequence[str]
    looks: Looks | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any) -> "Prepared | None":
        """None for a model that is left to transformers."""
        if not is_plain(model):
            return None
        weights = TextWeights.of(model)
        forms = forms_of(tokenizer, len(weights.embedding))
        return cls(weights, forms, Looks(model) if Looks.fit(model) else None)


def generate(model: Any, inputs: dict[str, Any], config: Any, prepared: Prepared | None = None) -> list[list[int]]:
    """Returns the new tokens of each row, padded to one length, as `model.generate(**inputs, generation_config=config)` writes them.

    Samples draw from torch's random state in the same order as transformers; their probabilities differ by rounding.
    `prepared` is the model's; None leaves it to this function whether it knows the model.
    """
    drawing = Drawing.of(model, config)
    if drawing is None or "image_grid_thw" not in inputs or not (prepared or is_plain(model)):
        width = inputs["input_ids"].shape[1]
        written: list[list[int]] = model.generate(**inputs, generation_config=config)[:, width:].tolist()
        return written
    samples = drawing.samples
    rows = [row for row in range(len(inputs["input_ids"])) for _ in range(samples)]
    if prepared and prepared.looks:
        patches, grids = inputs["pixel_values"], inputs["image_grid_thw"]
        inputs = {key: value for key, value in inputs.items() if key != "pixel_values"}
        inputs["mm_encoder_outputs"] = prepared.looks.of(patches, grids)
    return decode(model, prefill(model, inputs), drawing, rows, prepared)


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


def prefill(model: Any, inputs: dict[str, Any]) -> Prefill:
    """Runs pictures and prompts by transformers, as `generate` does: ids and their mask (U, P) are padded on the left."""
    from transformers import DynamicCache

    mask = inputs["attention_mask"]
    cache = DynamicCache(config=model.config)
    output = model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Prefill.of(cache, mask, mask.sum(-1) + model.model.rope_deltas[:, 0], output.logits[:, -1])


def decode(
    model: Any, prompts: Prefill, drawing: Drawing, rows: Sequence[int], prepared: Prepared | None = None
) -> list[list[int]]:
    """Continues the prompts of the numbers `rows` (equal numbers side by side, as many of each); the tokens, padded to one length.

    `prepared` is the model's; without it the weights are laid out anew, which nano takes as long for as for ten tokens.
    """
    import torch

    with torch.inference_mode():
        weights = prepared.weights if prepared else TextWeights.of(model)
        steps = TokenSteps(weights, prompts, len(rows))
        choose = _Chooser(drawing, steps.vocabulary)
        logits = prompts.logits.float()[list(rows)]
        if prepared and len(rows) == 1 and not drawing.sampled:
            return [_decode_guessing(steps, choose, drawing, logits, Guesses(prepared.forms))]
        written: list[list[int]] = []
        open_ = [True] * len(rows)
        while True:
            chosen = choose(logits, first=not written)
            tokens = [token if is_open else drawing.pad for token, is_open in zip(chosen, open_, strict=True)]
            written.append(tokens)
            open_ = [is_open and token not in drawing.ends for token, is_open in zip(tokens, open_, strict=True)]
            if len(written) == drawing.most or not any(open_):
                return [list(row) for row in zip(*written, strict=True)]
            logits = steps.step(tokens)


def _decode_guessing(
    steps: TokenSteps, choose: "_Chooser", drawing: Drawing, logits: "Tensor", guesses: Guesses
) -> list[int]:
    """Continues one prompt greedily. What the form of the answer makes likely is run along, and kept where the model chooses it too."""
    written: list[int] = []
    [token] = choose(logits, first=True)
    while True:
        guessed = guesses.after(token)
        chosen = choose(steps.step([token, *guessed]), first=False)
        right = next((n for n, guess in enumerate(guessed) if guess != chosen[n]), len(guessed))
        steps.forget(len(guessed) - right)
        for kept in (token, *guessed[:right]):
            written.append(kept)
            if kept in drawing.ends or len(written) == drawing.most:
                return written
            guesses.add(kept)
        token = chosen[right]


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

    def __call__(self, logits: "Tensor", *, first: bool) -> list[int]:
        import torch

        scores = logits + (self._first if first else self._always)
        if not self._drawing.sampled:
            greedy: list[int] = scores.argmax(-1).tolist()
            return greedy
        if self._drawing.temperature != 1.0:
            scores = scores / self._drawing.temperature
        for warper in self._warpers:
            scores = warper(None, scores)
        drawn: list[int] = torch.multinomial(scores.softmax(-1), 1).squeeze(1).tolist()
        return drawn
