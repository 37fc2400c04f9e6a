"""Makes tiny random vision-language models, saved in transformers' own layout, as a published checkpoint would be.

Their words are noise; their classes, files and frames are those of production.
"""

from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    InternVLConfig,
    InternVLForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Sam2Config,
    Sam2Model,
)
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SEES, SEEN, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
IMAGE_START, IMAGE_END, CONTEXT = "<img>", "</img>", "<IMG_CONTEXT>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INTERNVL_TEMPLATE = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n")


def make_qwen2_5_vl(folder: Path) -> Path:
    """A Qwen2.5-VL of two layers, 32 wide: patches of 14 px, absolute pixels."""
    tokenizer = _tokenizer()
    config = Qwen2_5_VLConfig(
        text_config=_text(tokenizer, {"mrope_section": [2, 3, 3]}),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        **_token_ids(tokenizer),
    )
    return _save(folder, Qwen2_5_VLForConditionalGeneration, config, tokenizer, patch_size=14)


def make_qwen3_vl(folder: Path) -> Path:
    """A Qwen3-VL of two layers, 32 wide: patches of 16 px, coordinates from 0 to 1000."""
    tokenizer = _tokenizer()
    config = Qwen3VLConfig(
        text_config={**_text(tokenizer, {"mrope_section": [2, 3, 3], "mrope_interleaved": True}), "head_dim": 16},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        **_token_ids(tokenizer),
    )
    return _save(folder, Qwen3VLForConditionalGeneration, config, tokenizer, patch_size=16)


def make_internvl(folder: Path, tile: int = 56) -> Path:
    """An InternVL of two layers, 32 wide, over a Qwen2 of two: tiles of `tile` px in patches of 14, four of them a token."""
    tokenizer = _tokenizer(IMAGE_START, IMAGE_END, CONTEXT)
    tokenizer.chat_template = INTERNVL_TEMPLATE
    text = {**_text(tokenizer, {}), "model_type": "qwen2"}
    config = InternVLConfig(
        text_config=text,
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            "image_size": [tile, tile],
            "patch_size": [14, 14],
        },
        image_token_id=tokenizer.convert_tokens_to_ids(CONTEXT),
        image_seq_length=(tile // 28) ** 2,
    )
    _save_parts(folder, InternVLForConditionalGeneration, config, tokenizer)
    GotOcr2ImageProcessorPil(
        size={"height": tile, "width": tile}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    ).save_pretrained(folder)
    return folder


def make_sam2(folder: Path, side: int = 64) -> Path:
    """A SAM 2.1 of six blocks for pictures of `side` px."""
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [side, side],
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [2, 4],
        "window_positional_embedding_background_size": [7, 7],
    }
    config = Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[side // n, side // n] for n in (4, 8, 16)],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": side, "patch_size": 16},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Sam2Model(config).eval().save_pretrained(folder)
    return folder


def _tokenizer(*more: str) -> PreTrainedTokenizerFast:
    """Bytes, Qwen's control tokens, and the answer's tags as special tokens, which a careless decoder would drop."""
    letters = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = (PAD, START, END, SEES, SEEN, IMAGE, VIDEO, "<answer>", "</answer>", *more)
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PAD, eos_token=END, padding_side="right")
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _text(tokenizer: PreTrainedTokenizerFast, rope: dict[str, object]) -> dict[str, object]:
    return {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, **rope},
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.2,
    }


def _token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    names = {
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": SEES,
        "vision_end_token_id": SEEN,
    }
    return {
        **{name: tokenizer.convert_tokens_to_ids(text) for name, text in names.items()},
        "tie_word_embeddings": True,
    }


def _save(folder: Path, kind: type, config: object, tokenizer: PreTrainedTokenizerFast, *, patch_size: int) -> Path:
    _save_parts(folder, kind, config, tokenizer)
    Qwen2VLImageProcessorPil(patch_size=patch_size).save_pretrained(folder)
    return folder


def _save_parts(folder: Path, kind: type, config: object, tokenizer: PreTrainedTokenizerFast) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config).eval()
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
