"""Builds nano's prompter: a Qwen3-VL of seven and a half million weights, with initial weights for its task or without.

    python -m training.nano.model --plain --out runs/plain

writes a folder with the usual random weights: no attention head has a task, no weight is held at 0. training.sft and training.grpo
train it as any other checkpoint.
"""

import argparse
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.nano.circuits import HEAD, ROTARY_BASE, start_circuits
from training.nano.dialogue import fixed_prompt_texts
from training.nano.encoder_start import smooth_positions, start_neighbour_block
from training.nano.export import save
from training.nano.image_tokens import IS_IMAGE, SIDE, WIDTH
from training.nano.tokenizer import END, IMAGE, PAD, SPECIAL, build_tokenizer, token_id
from training.nano.word_numbers import start_words


def configuration(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """Returns the shape of the model."""
    ids = {text: token_id(tokenizer, text) for text in SPECIAL}
    text = {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": WIDTH,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": HEAD,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": ROTARY_BASE,  # few of the 48 pairs distinguish near positions; the others hardly rotate and are free for content
            "mrope_section": [16, 16, 16],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "initializer_range": 0.06,  # about 1 / sqrt(width): the default 0.02 is for layers ten times as wide
    }
    vision = {
        "depth": 7,
        "hidden_size": 192,
        "num_heads": 2,  # few heads: the softmax over 784 patches is most of the cost of a head
        "intermediate_size": 576,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 1,
        "out_hidden_size": WIDTH,
        "num_position_embeddings": (SIDE // 16) ** 2,
        "deepstack_visual_indexes": [],
        "initializer_range": 0.07,
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids[IMAGE],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_plain(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLForConditionalGeneration:
    """Returns a model with the class's random weights, at a scale for narrow layers."""
    model = Qwen3VLForConditionalGeneration(configuration(tokenizer))
    pad, end = (token_id(tokenizer, text) for text in (PAD, END))
    model.generation_config = GenerationConfig(do_sample=False, pad_token_id=pad, eos_token_id=end)
    return model


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLForConditionalGeneration:
    """Returns a model with initial weights for its task: heads with a task, and number tokens as the codes of their values."""
    model = build_plain(tokenizer)
    language, visual = model.model.language_model, model.model.visual
    with torch.no_grad():
        start_words(language.embed_tokens.weight, tokenizer)
        for layer in language.layers:
            for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
                projection.weight.zero_()  # a fresh layer must not hide the content of the tokens
        start_circuits(language.layers)
        language.norm.weight.fill_(0.25)  # else these long embeddings would give a fresh model very high logits
        smooth_positions(visual.pos_embed.weight)
        start_neighbour_block(visual.blocks[-1])
        visual.merger.linear_fc2.weight.mul_(0.1)  # the numbers of the code are in -1..1
        visual.merger.linear_fc2.bias[IS_IMAGE] = 1.0
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true", help="the usual random weights, without heads that have a task")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer(fixed_prompt_texts())
    model = build_plain(tokenizer) if options.plain else build_model(tokenizer)
    save(model, tokenizer, options.out, begin_with_thought=not options.plain)


if __name__ == "__main__":
    main()
