"""Starts runs of nano's prompter: from fresh weights and a stored tokenizer, from exported weights, or from those of another run."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from t2s_agent.prompting.style import STYLES
from training.nano import checkpoints
from training.nano.dialogue import Writer, fixed_prompt_texts
from training.nano.model import build_model
from training.nano.tokenizer import build_tokenizer

EYE, LANGUAGE = "eye.pt", "state.pt"  # the files of runs


def start(
    run: Path, begin: Path | None = None
) -> tuple[Qwen3VLForConditionalGeneration, PreTrainedTokenizerFast, Writer]:
    """Returns a fresh model, the run's tokenizer, and its writer of dialogues.

    A run without a tokenizer gets that of the folder `begin` (an exported one, or another run's), or a new one.
    """
    torch.manual_seed(0)
    where = run / "tokenizer"
    if not where.exists():
        tokenizer_of(begin).save_pretrained(where)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(where)
    return build_model(tokenizer), tokenizer, Writer(tokenizer, STYLES["box_2_points"])


def tokenizer_of(folder: Path | None) -> PreTrainedTokenizerFast:
    """Returns the tokenizer of a run or of an exported folder; a new one without a folder."""
    if folder is None:
        return build_tokenizer(fixed_prompt_texts())
    own = folder / "tokenizer"
    found: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(own if own.exists() else folder)
    return found


def visual_of(folder: Path) -> dict[str, Tensor]:
    """Returns the image encoder's weights, of a run of `eye` or of an exported folder."""
    if (folder / EYE).exists():
        return checkpoints.load(folder / EYE).weights
    return dict(_exported(folder).model.visual.state_dict())


def language_of(folder: Path) -> dict[str, Tensor]:
    """Returns the language model's weights, of a run of `language` or of an exported folder."""
    if (folder / LANGUAGE).exists():
        return checkpoints.load(folder / LANGUAGE).weights
    return dict(_exported(folder).model.language_model.state_dict())


def _exported(folder: Path) -> Qwen3VLForConditionalGeneration:
    return Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
