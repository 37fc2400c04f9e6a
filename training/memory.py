"""Estimates the memory of a run before its models are loaded, and refuses one that certainly does not fit.

Bytes on one device, with P the weights, T those that are trained, b the bytes of a weight (2 for bfloat16, 4 for float32):

| part | bytes | why |
|---|---|---|
| weights | P b | with FSDP the trained ones take 4 bytes: accelerate turns them into float32 |
| gradients | T b | they have the weights' type |
| optimizer | 2 T b; with DeepSpeed 12 T | AdamW's two moments have the weights' type; DeepSpeed keeps them and a copy of the weights in float32 |
| reference | P b | a second copy, where beta > 0 and there are no adapters: with adapters it is the model without them |
| keys and values | R L 2 d n b | R rows that are generated at once, L tokens each, d = key-value heads x head size, n layers |
| activations | S L (n h + w) b | S sequences at once; with checkpointing each layer keeps its input (h wide), and one layer at a time its inside |
| | S L n w b | without checkpointing every layer keeps its inside; w = 4 h + 4 d + 3 i for attention and an MLP i wide |

ZeRO-1 divides the optimizer by the number of processes, ZeRO-2 the gradients too, ZeRO-3 and FSDP all four of the first parts. What is
offloaded is not counted. Keys and values, and activations, are not there at the same time, so the larger counts.

L is prompt and answer: at most `rollout.max_new_tokens`, certainly one. Only what is certain can refuse a run: all gradients are there
when the activations are gone, so the larger of the two counts. The estimate with full answers, which the plan shows, may be too high
(answers are shorter, prompts of a group are computed once), and leaves out logits (they are computed in parts), the segmenter and
buffers of libraries.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.prompting.checkpoint import family_of
from t2s_agent.weights import model_folder
from training.card import square_of
from training.policy import require_loadable, vision_of
from training.recipe import Recipe

_BYTES = {"float32": 4, "bfloat16": 2}
_TEXT_TOKENS = 200  # of system message and question, about; only in the estimate
_SERVED_SIDE = 1024  # px, the longest side of a View
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides its memory: weights in all, those of the vision tower, and the sizes of its language model."""

    weights: int
    vision: int
    hidden: int
    inside: int  # w above: what a layer keeps of one token for its backward pass, in numbers
    key_value: int  # d above
    layers: int
    linear: int  # sum of inputs and outputs of the language model's linear layers: an adapter has rank times as many weights
    pixels_a_token: int  # the side in px that one image token covers

    @classmethod
    def of(cls, folder: Path) -> "Shape":
        """The shape of a checkpoint, from its config.json. Nothing is loaded."""
        config = AutoConfig.from_pretrained(folder)
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config)
        text = config.text_config
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        key_value = text.num_key_value_heads * head
        language = model.model.language_model
        linear = [each for each in language.modules() if isinstance(each, torch.nn.Linear)]
        return cls(
            weights=_count(model),
            vision=sum(_count(part) for part in vision_of(model)),
            hidden=text.hidden_size,
            inside=4 * text.hidden_size + 4 * key_value + 3 * text.intermediate_size,
            key_value=key_value,
            layers=text.num_hidden_layers,
            linear=sum(each.in_features + each.out_features for each in linear),
            pixels_a_token=_pixels_a_token(config),
        )


@dataclass(frozen=True, slots=True)
class Sharing:
    """How processes divide the model: `weights`, `gradients`, `optimizer` are the number of parts of each; 0: not on the device."""

    weights: int = 1
    gradients: int = 1
    optimizer: int = 1
    deepspeed: bool = False
    fsdp: bool = False

    @property
    def keeps_float32(self) -> bool:
        """Whether the optimizer works on weights in float32, whatever the model's type is."""
        return self.deepspeed or self.fsdp

    @classmethod
    def of_environment(cls, processes: int, variables: Mapping[str, str] = os.environ) -> "Sharing":
        """As `accelerate launch` announces it."""
        if variables.get("ACCELERATE_USE_FSDP") == "true":
            parts = 0 if variables.get("FSDP_OFFLOAD_PARAMS") == "true" else processes
            return cls(parts, parts, parts, fsdp=True)
        if variables.get("ACCELERATE_USE_DEEPSPEED") != "true":
            return cls()
        stage = int(variables.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3"))  # not announced: by a file of its own
        away = {
            part
            for part in ("PARAM", "OPTIMIZER")
            if variables.get(f"ACCELERATE_DEEPSPEED_OFFLOAD_{part}_DEVICE", "none") != "none"
            or "ACCELERATE_DEEPSPEED_CONFIG_FILE" in variables
        }
        return cls(
            weights=0 if "PARAM" in away else processes if stage == 3 else 1,
            gradients=0 if "OPTIMIZER" in away else processes if stage >= 2 else 1,
            optimizer=0 if "OPTIMIZER" in away else processes if stage >= 1 else 1,
            deepspeed=True,
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by part on one device. `certain` is what the run needs whatever is written, `full` with answers of full length."""

    weights: int
    gradients: int
    optimizer: int
    reference: int
    prompts: int  # keys and values or activations, whichever is more, with answers of one token
    answers: int  # the same with answers of full length

    @property
    def certain(self) -> int:
        return self.weights + self.reference + self.optimizer + max(self.gradients, self.prompts)

    @property
    def full(self) -> int:
        return self.weights + self.reference + self.optimizer + self.gradients + self.answers

    def __str__(self) -> str:
        names = ("weights", "gradients", "optimizer", "reference", "answers")
        parts = ", ".join(f"{name} {getattr(self, name) / _GIB:.1f}" for name in names if getattr(self, name))
        return f"memory a process: about {self.full / _GIB:.1f} GiB with answers of full length ({parts})"


def estimate(
    recipe: Recipe, shape: Shape, processes: int = 1, sharing: Sharing | None = None, *, supervised: bool = False
) -> Memory:
    """The memory of a run on each device; see above for the formulas. `supervised`: without reference and rollouts."""
    sharing, size = sharing or Sharing(), _BYTES[recipe.policy.dtype]
    if supervised:
        recipe = recipe.model_copy(
            update={
                "objective": recipe.objective.model_copy(update={"beta": 0.0}),
                "rollout": recipe.rollout.model_copy(update={"group": 1}),
            }
        )
    trained = _trained(recipe, shape)
    moving = 4 if sharing.fsdp or recipe.policy.lora else size  # peft's adapters are float32
    frozen = shape.weights - (0 if recipe.policy.lora else trained)
    return Memory(
        weights=_part(frozen * size + (0 if recipe.policy.lora else trained * moving), sharing.weights),
        gradients=_part(trained * moving, sharing.gradients),
        optimizer=_part(trained * (12 if sharing.deepspeed else 2 * moving), sharing.optimizer),
        reference=_part(shape.weights * size, sharing.weights) if _has_reference(recipe) else 0,
        prompts=_moving(recipe, shape, processes, 1, certain=True),
        answers=_moving(recipe, shape, processes, recipe.rollout.max_new_tokens, certain=False),
    )


def _moving(recipe: Recipe, shape: Shape, processes: int, answer: int, *, certain: bool) -> int:
    """Keys and values, or activations, whichever is more.

    What is certain counts the picture of one sequence only: the prompts of a group may be computed once.
    """
    size, prompt = _BYTES[recipe.policy.dtype], _picture_tokens(recipe, shape) + (0 if certain else _TEXT_TOKENS)
    rows = 1 if certain else max(1, recipe.optimizer.prompts * recipe.rollout.group // processes)
    at_once = 1 if certain else recipe.optimizer.per_device
    generated = 0 if recipe.rollout.engine == "vllm" else rows * (prompt + answer) * 2 * shape.key_value * shape.layers
    if recipe.optimizer.gradient_checkpointing:
        kept = shape.layers * shape.hidden + shape.inside
    else:
        kept = shape.layers * shape.inside
    # of what a layer keeps some libraries need less, so nothing of its inside is certain
    activations = at_once * (prompt + answer) * (shape.layers * shape.hidden if certain else kept)
    return max(generated, activations) * size


def require_memory(recipe: Recipe, *, processes: int = 1, supervised: bool = False, free: int | None = None) -> Memory:
    """Returns the estimate. Raises `model_unavailable`, with the ways out, where the certain part is more than is free.

    A folder that holds no model of a known type is refused, too, as `model_unavailable`.
    `free` are bytes on this process's device, by default as measured now.
    """
    name = recipe.policy.name
    folder = nano_folder("prompter") if name == "nano" else model_folder(name, recipe.policy.revision)
    require_loadable(recipe.policy, folder)
    family_of(name, folder)
    sharing = Sharing.of_environment(processes)
    memory = estimate(recipe, Shape.of(folder), processes, sharing, supervised=supervised)
    there = free_bytes() if free is None else free
    if memory.certain > there:
        raise T2SError(
            "model_unavailable",
            f"the run needs at least {memory.certain / _GIB:.1f} GiB a process and {there / _GIB:.1f} are free: {memory}",
            _ways_out(recipe),
        )
    return memory


def free_bytes() -> int:
    """The free memory of this process's GPU; without one, this process's share of the machine's or container's memory."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info(int(os.environ.get("LOCAL_RANK", "0")))[0])
    limit = Path("/sys/fs/cgroup/memory.max")
    words = limit.read_text(encoding="ascii").strip() if limit.is_file() else "max"
    there = int(psutil.virtual_memory().available)
    return (there if words == "max" else min(there, int(words))) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _ways_out(recipe: Recipe) -> str:
    ways = []
    if recipe.policy.lora is None:
        ways.append("train adapters (policy.lora.rank=32)")
    if recipe.policy.dtype == "float32":
        ways.append("policy.dtype=bfloat16")
    if not recipe.optimizer.gradient_checkpointing:
        ways.append("optimizer.gradient_checkpointing=true")
    if _has_reference(recipe):
        ways.append("objective.beta=0, which needs no reference")
    ways.append("more processes with ZeRO-3 or FSDP (training/recipes/accelerate)")
    return "Ways out: " + "; ".join(ways)


def _has_reference(recipe: Recipe) -> bool:
    return recipe.objective.beta > 0 and recipe.policy.lora is None


def _trained(recipe: Recipe, shape: Shape) -> int:
    if recipe.policy.lora is not None:
        return recipe.policy.lora.rank * shape.linear
    return shape.weights - (shape.vision if recipe.policy.freeze_vision else 0)


def _picture_tokens(recipe: Recipe, shape: Shape) -> int:
    """The image tokens of a square; of Views that keep their shape none is certain, so 1 stands for them."""
    side = square_of(recipe)
    return (side // shape.pixels_a_token) ** 2 if side else 1


def _part(size: int, parts: int) -> int:
    return size // parts if parts else 0


def _count(part: torch.nn.Module) -> int:
    return sum(each.numel() for each in part.parameters())


def _pixels_a_token(config: Any) -> int:
    vision = config.vision_config
    patch, merge = vision.patch_size, getattr(vision, "spatial_merge_size", None)
    if merge is None:  # InternVL: a factor below 1 along each side
        patch, merge = patch[0] if isinstance(patch, list | tuple) else patch, round(1 / config.downsample_ratio)
    return int(patch * merge)
