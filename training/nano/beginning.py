"""Where every run of nano's prompter begins: the same fresh weights, and a tokenizer that is made once and kept."""

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from t2s_agent.prompting.style import STYLES
from training.nano.dialogue import Writer, boilerplate
from training.nano.model import build_model, build_tokenizer


def start(run: Path) -> tuple[Qwen3VLForConditionalGeneration, PreTrainedTokenizerFast, Writer]:
    """A fresh model and the run's tokenizer."""
    torch.manual_seed(0)
    where = run / "tokenizer"
    if where.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(where)
    else:
        tokenizer = build_tokenizer(boilerplate())
        tokenizer.save_pretrained(where)
    return build_model(tokenizer), tokenizer, Writer(tokenizer, STYLES["box_2_points"])
