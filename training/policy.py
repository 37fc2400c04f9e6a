"""Opens the model that is trained, by its recipe: weights, adapters, what is frozen, and its processor."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers.utils.import_utils import is_flash_attn_2_available

from t2s_agent.accelerator import Device
from t2s_agent.errors import T2SError
from t2s_agent.models import nano_folder
from t2s_agent.prompting.checkpoint import Checkpoint, open_checkpoint
from training import recipe
from training.processor import Processor


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A policy ready for a trainer: `model` may be a PeftModel, `checkpoint.model` is the model without adapters around it.

    `folder` is where the start weights lie; a reference model is loaded from there. `family` is config.json's `model_type`.
    """

    model: Any
    processor: Processor
    checkpoint: Checkpoint
    name: str
    folder: Path
    family: str


def open_policy(policy: recipe.Policy, *, device: Device = "auto") -> Opened:
    """Opens a hub name, a folder, or `nano`, this package's own. `device` auto is this process's accelerator.

    Raises `model_unavailable` for what cannot be loaded, and `argument_invalid` for a square that patches do not fill.
    """
    where = str(PartialState().device) if device == "auto" else device
    name = str(nano_folder("prompter")) if policy.name == "nano" else policy.name
    require_loadable(policy, Path(name).expanduser())
    checkpoint = open_checkpoint(
        name,
        device=where,
        dtype=policy.dtype,
        square=policy.square,
        revision=policy.revision,
        attention=policy.attention,
    )
    checkpoint = replace(checkpoint, name=policy.name)
    if policy.freeze_vision:
        for part in vision_of(checkpoint.model):
            part.requires_grad_(False)
    model = _with_adapters(checkpoint.model, policy.lora) if policy.lora else checkpoint.model
    family = str(checkpoint.model.config.model_type)
    return Opened(model, Processor.of(checkpoint), checkpoint, policy.name, checkpoint.folder, family)


def vision_of(model: Any) -> list[nn.Module]:
    """The vision tower of a model without adapters around it, and what projects its features into the language model."""
    inner = model.model
    return [inner.visual] if hasattr(inner, "visual") else [inner.vision_tower, inner.multi_modal_projector]


def require_loadable(policy: recipe.Policy, folder: Path) -> None:
    """Raises `model_unavailable` for an attention that is not installed, and for a folder that holds adapters only."""
    if policy.attention == "flash_attention_2" and not is_flash_attn_2_available():
        raise T2SError(
            "model_unavailable",
            "flash-attention 2 is not installed here",
            "Install flash-attn, or policy.attention=sdpa",
        )
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise T2SError(
            "model_unavailable",
            f"{policy.name} holds adapters, not a model",
            "Merge them first: python -m training.export",
        )


def _with_adapters(model: Any, lora: recipe.Lora) -> Any:
    """Wraps a model so that every linear layer of its language model, and of its tower if asked, has an adapter.

    The layers are named in full: short names put adapters into the tower of Qwen2.5-VL and none into that of Qwen3-VL.
    """
    parts = [r"model\.language_model\.layers\..+"]
    if lora.vision:
        parts.append(r"model\.(visual|vision_tower|multi_modal_projector)\..+")
    pattern = "|".join(parts)
    chosen = [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear) and re.fullmatch(pattern, name)
    ]
    if not chosen:
        raise T2SError("model_unavailable", "no linear layer was found for adapters", "Train without policy.lora")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=chosen,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
