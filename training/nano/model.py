"""Nano's prompter: a Qwen3-VL of eight million weights, its tokenizer, and the folder that both are saved in."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.nano.codes import CENTRE, CODE, COORDINATES, MEANT, NUMBERS, SIDE, WIDTH, table
from training.nano.questions import CATEGORIES, QUESTIONS, TELL

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PAD, END, IMAGE = "<|endoftext|>", "<|im_end|>", "<|image_pad|>"
ROLES = ("system\n", "user\n", "assistant\n")
ANSWER_PIECES = (
    "<think>",
    "</think>",
    "\n<answer>```json[",
    "]```</answer>",
    '], "positive_points": [[',
    "], [",
    "]]}",
    ", ",
)


def opening(category: str) -> str:
    """How an instance of `category` begins, one token: it looks for cells of that category by what it is itself."""
    return f'{{"label": "{category}", "bbox_2d": ['


HEAD = 64  # width of an attention head of the language side

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(boilerplate: list[str], vocabulary: int = 1600) -> PreTrainedTokenizerFast:
    """Byte-level pieces learned from the question bank, so that no word is silent, and whole tokens for what never varies.

    `boilerplate` are the fixed pieces of the paper's prompt (system message, what stands before and after the
    question): one token each, so that a long prompt costs nano a handful of tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = [text for bank in QUESTIONS.values() for text in bank.train]
    texts += [text.lower() for text in texts] + list(TELL) + [f" {name}s {name}" for name in QUESTIONS] * 4
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    numbers = [f"{n}{after}" for after in ("", ",") for n in NUMBERS]
    whole = [*ROLES, *boilerplate, *ANSWER_PIECES, *numbers, *CATEGORIES, *map(opening, CATEGORIES)]
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in whole])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build_model(
    tokenizer: PreTrainedTokenizerFast, *, eye_depth: int = 6, layers: int = 5
) -> Qwen3VLForConditionalGeneration:
    """Fresh weights, initialised for layers this narrow; number tokens start as the codes of their values."""
    ids = {text: tokenizer.convert_tokens_to_ids(text) for text in SPECIAL}
    text = {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": WIDTH,
        "intermediate_size": 768,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": HEAD,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1_000_000.0,
            "mrope_section": [12, 10, 10],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "initializer_range": 0.06,  # about 1 / sqrt(width): 0.02 is meant for layers ten times as wide
    }
    vision = {
        "depth": eye_depth,
        "hidden_size": 192,
        "num_heads": 2,  # few heads: the exponentials of attention cost a head, and 784 patches make them the bulk
        "intermediate_size": 576,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 1,
        "out_hidden_size": WIDTH,
        "num_position_embeddings": (SIDE // 16) ** 2,
        "deepstack_visual_indexes": [],
        "initializer_range": 0.07,
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids[IMAGE],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(do_sample=False, pad_token_id=ids[PAD], eos_token_id=ids[END])
    with torch.no_grad():
        into = torch.empty(table().shape[1], WIDTH)
        nn.init.orthogonal_(into)
        for after in ("", ","):  # a number that ends a pair and one that goes on: alike but for what is learned
            rows = [tokenizer.convert_tokens_to_ids(f"{n}{after}") for n in NUMBERS]
            model.get_input_embeddings().weight[rows] = table() @ into * 0.35 + torch.randn(WIDTH) * 0.02
        # A category's word starts as what the eye writes where it sees one, and half of the heads start by looking for
        # what is like themselves (q = k): a question finds its cells from the first step on.
        for write in (str, opening):
            names = [tokenizer.convert_tokens_to_ids(write(name)) for name in CATEGORIES]
            words = torch.randn(len(CATEGORIES), WIDTH) * 0.02
            words[:, CENTRE][:, : len(CATEGORIES)] += torch.eye(len(CATEGORIES))
            model.get_input_embeddings().weight[names] = words
        for layer in model.model.language_model.layers:
            _look_up(layer.self_attn)
            layer.self_attn.o_proj.weight[:, HEAD * 2 :].mul_(0.2)
            layer.mlp.down_proj.weight.mul_(0.2)  # a fresh layer must not drown what the tokens say
        _smooth_positions(model.model.visual.pos_embed.weight)
        model.model.visual.merger.linear_fc2.weight.mul_(0.1)  # the code's numbers lie in -1..1
    return model


def _smooth_positions(weight: torch.Tensor) -> None:
    """Sines of row and column, so that neighbours start alike and a place can be read off linearly."""
    side = int(weight.shape[0] ** 0.5)
    place = (torch.arange(side) + 0.5) / side
    frequencies = torch.arange(1, weight.shape[1] // 4 + 1) * torch.pi / 2
    wave = place[:, None] * frequencies
    code = torch.cat([wave.sin(), wave.cos()], dim=1) / frequencies.repeat(2).sqrt()
    weight.copy_(torch.cat([code.repeat_interleave(side, 0), code.repeat(side, 1)], dim=1)[:, : weight.shape[1]])


def _look_up(attention: Any) -> None:
    """Sets two heads of an attention to look from a word for a category to the cells of that category and fetch numbers.

    Queries and keys compare the `centre` numbers, placed where rotary positions turn slowly; the first head brings the
    box's four fields, the second those of the two points, into the numbers that the code leaves free and those of the
    points. Without this start, no run of ours found the way from a question to a cell within half an hour.
    """
    slow = [*range(12, 32), *range(44, 64)][: CENTRE.stop - CENTRE.start]
    for head, (fields, into) in enumerate(((0, MEANT), (4, COORDINATES.start + 4 * CODE))):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        source = COORDINATES.start + fields * CODE
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight[rows] = 0
            projection.weight[[head * HEAD + s for s in slow], range(CENTRE.start, CENTRE.stop)] = 1.0
        attention.v_proj.weight[rows] = 0
        attention.v_proj.weight[rows, source : source + HEAD] = torch.eye(HEAD)
        attention.o_proj.weight[:, rows] = 0
        attention.o_proj.weight[into : into + HEAD, rows] = torch.eye(HEAD)


def save(model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The layout of transformers, weights in bfloat16: what the product loads, as it would load a model from the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = model.dtype
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(kept)
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
