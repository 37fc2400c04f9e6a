"""Saves nano's prompter as the folder that the product loads."""

import json
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from evals.questions import CATEGORIES
from training.nano.image_tokens import SIDE
from training.nano.tokenizer import QUESTION_KINDS, thought, token_id


def save(
    model: Qwen3VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    begin_with_thought: bool = True,
) -> None:
    """Saves model and tokenizer in the layout of transformers, weights in bfloat16; the product loads it like a model from the hub.

    If an answer can `begin_with_thought` only, transformers suppresses all other tokens there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if begin_with_thought:
        model.generation_config.begin_suppress_tokens = _all_but_thoughts(
            tokenizer, model.config.get_text_config().vocab_size
        )
    kept = model.dtype
    model.to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]  # a decorator loses the types of `to`
    model.to(kept)  # type: ignore[arg-type]  # the same
    tokenizer.save_pretrained(folder)
    processor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": 16,
        "temporal_patch_size": 1,
        "merge_size": 2,
        "size": {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def _all_but_thoughts(tokenizer: PreTrainedTokenizerFast, vocabulary: int) -> list[int]:
    thoughts = {token_id(tokenizer, thought(name, kind)) for kind in (None, *QUESTION_KINDS) for name in CATEGORIES}
    return sorted(set(range(vocabulary)) - thoughts)
