"""Nano's prompter: a Qwen3-VL of eight million weights, its tokenizer, and the folder that both are saved in."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.nano.codes import (
    CELL,
    CENTRE,
    COORDINATES,
    COVER,
    GRID,
    NUMBERS,
    ONE,
    OWN,
    PLACE,
    SIDE,
    WIDTH,
    place_code,
    table,
)
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
ANSWER_PIECES = ("\n<answer>```json[", "]```</answer>", '], "positive_points": [[', "], [", "]]}")


def thought(category: str) -> str:
    """What is thought of a question that asks for `category`, one token."""
    return f"<think>Looking for {category}.</think>"


def cell_text(cell: int, *, first: bool) -> str:
    """How an instance begins, one token: in which cell its centre is, the cell's own centre in 0..1000.

    Choosing a cell and reading off what is there are two questions; asked one after the other, each is easy.
    """
    row, column = divmod(cell, GRID)
    x, y = ((2 * n + 1) * CELL * 500 // SIDE for n in (column, row))
    return f'{"" if first else ", "}{{"at": [{x}, {y}], '


def opening(category: str) -> str:
    """What follows the cell, one token."""
    return f'"label": "{category}", "bbox_2d": ['


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
    cells = [cell_text(cell, first=first) for first in (True, False) for cell in range(GRID * GRID)]
    whole = [*ROLES, *boilerplate, *ANSWER_PIECES, *numbers, *cells]
    whole += [*CATEGORIES, *map(opening, CATEGORIES), *map(thought, CATEGORIES)]
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
    tokenizer: PreTrainedTokenizerFast, *, eye_depth: int = 6, layers: int = 4
) -> Qwen3VLForConditionalGeneration:
    """Fresh weights, initialised for layers this narrow; number tokens start as the codes of their values."""
    ids = {text: tokenizer.convert_tokens_to_ids(text) for text in SPECIAL}
    text = {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": WIDTH,
        "intermediate_size": 512,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": HEAD,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e10,  # six of 32 pairs tell near positions apart; the others hardly turn and are free for content
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
        _start_words(model.get_input_embeddings().weight, tokenizer)
        for layer in model.model.language_model.layers:
            for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
                projection.weight.mul_(0.2)  # a fresh layer must not drown what the tokens say
                for block in (ASKED, PLACE, OWN):
                    projection.weight[block] = 0.0
        _start_circuits(model.model.language_model.layers)
        model.model.language_model.norm.weight.fill_(
            0.25
        )  # words this long would make a fresh model very sure of itself
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
    show_cells(weight)


def show_cells(weight: torch.Tensor) -> None:
    """Adds to each patch's position the pattern of its cell, which no sines tell: the eye only has to pass it on."""
    side = int(weight.shape[0] ** 0.5)
    across = torch.empty(place_code().shape[1], weight.shape[1])
    torch.nn.init.orthogonal_(across, generator=torch.Generator().manual_seed(0))
    cell = torch.arange(side) // (side // GRID)
    weight += 0.5 * place_code()[(cell[:, None] * GRID + cell).flatten()] @ across


# Numbers of a word that are the words' own: what kind of word it is, and the number that it stands for.
IS_CELL, IS_THOUGHT, IN_ANSWER, MAY_CHOOSE, FOUND = range(OWN.start, OWN.start + 5)
SPOKEN = slice(WIDTH - 16, WIDTH)
ASKED = COVER  # a word's numbers there say which category is asked for; not those of `centre`, or words would be found as cells are


def _start_words(weight: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """Words that stand for something of the code start as what the eye writes for it."""

    def ids(pieces: list[str]) -> list[int]:
        return [tokenizer.convert_tokens_to_ids(piece) for piece in pieces]

    weight[:, OWN].mul_(0.5)
    weight[:, ASKED] = 0.0  # a word that names no category and no cell must not seem to
    weight[:, PLACE] = 0.0
    weight[:, ONE] = 1.0
    names = torch.eye(CENTRE.stop - CENTRE.start)[: len(CATEGORIES)]
    for write, height in ((str, 1.0), (opening, 1.0), (thought, 3.0)):
        weight[ids([write(name) for name in CATEGORIES]), ASKED] = names * height
    weight[ids([thought(name) for name in CATEGORIES]), IS_THOUGHT] = 3.0
    answer = [*ANSWER_PIECES, *map(opening, CATEGORIES)]
    for after in ("", ","):
        rows = ids([f"{n}{after}" for n in NUMBERS])
        weight[rows, SPOKEN] = table() * 0.5
        answer += [f"{n}{after}" for n in NUMBERS]
    for first in (True, False):
        cells = [cell_text(cell, first=first) for cell in range(GRID * GRID)]
        weight[ids(cells), PLACE] = place_code()
        weight[ids(cells), IS_CELL] = 3.0
        weight[ids(cells), FOUND] = 1.0
        answer += cells
    weight[ids(["]```</answer>"]), FOUND] = -1.0
    weight[ids(answer), IN_ANSWER] = 2.0
    weight[ids(["\n<answer>```json[", "]]}"]), MAY_CHOOSE] = 3.0


_SLOW = [*range(9, 32), *range(41, 64)]  # numbers of a head whose rotary pairs hardly turn within an answer
_TURNING = range(1, 6)  # pairs that tell how far back a word stands, best within a dozen


def _start_circuits(layers: Any) -> None:
    """Heads that begin with a task: bring the category, find cells, read a cell, remember what was said.

    Without such a start no run of ours found the way from a question to a cell within half an hour. Training goes on from it: every
    weight is free. Queries and keys share a projection (q = k) where like looks for like; `ONE` in a key is what a faint
    match is weighed against, since heads are normalised.
    """

    def head(
        layer: int, index: int, q: dict[int, list[int]], k: dict[int, list[int]], one: float = 0.0, mute: float = 0.0
    ) -> slice:
        attention = layers[layer].self_attn
        rows = slice(index * HEAD, (index + 1) * HEAD)
        for projection, wires in ((attention.q_proj, q), (attention.k_proj, k)):
            projection.weight[rows] = 0
            for source, places in wires.items():
                for place in places:
                    projection.weight[index * HEAD + place, source] = 1.0
        # what has nothing to look for looks at all that is nothing special
        attention.q_proj.weight[index * HEAD + _SLOW[-1], ONE] += 0.3
        attention.k_proj.weight[index * HEAD + _SLOW[-1], ONE] += one
        attention.k_proj.weight[index * HEAD + _SLOW[-1], IN_ANSWER] += mute
        attention.v_proj.weight[rows] = 0
        attention.o_proj.weight[:, rows] = 0
        return rows

    def carry(layer: int, rows: slice, source: slice, into: slice, gain: float = 1.0) -> None:
        width = source.stop - source.start
        attention = layers[layer].self_attn
        attention.v_proj.weight[rows][:width, source] = torch.eye(width)
        attention.o_proj.weight[into, rows.start : rows.start + width] = torch.eye(width) * gain

    asked = {ASKED.start + n: [_SLOW[n]] for n in range(len(CATEGORIES))}
    there = {CENTRE.start + n: [_SLOW[n]] for n in range(len(CATEGORIES))}
    place = {PLACE.start + n: [_SLOW[n]] for n in range(len(_SLOW) - 1)}
    first_half = slice(COORDINATES.start, COORDINATES.start + HEAD)
    second_half = slice(COORDINATES.start + HEAD, COORDINATES.stop)
    recent = [*_TURNING, _SLOW[0]]
    for layer in layers:
        layer.self_attn.q_norm.weight.fill_(1.7)
        layer.self_attn.k_norm.weight.fill_(1.7)
    carry(0, head(0, 0, {IN_ANSWER: [_SLOW[0]]}, {IS_THOUGHT: [_SLOW[0]]}, one=1.0), ASKED, ASKED)
    for index, half in ((1, first_half), (2, second_half)):  # a cell's word reads the cell
        rows = head(0, index, place, {**place, IS_CELL: [_SLOW[-1]]}, one=0.2)
        carry(0, rows, half, half)
    for index, half in ((0, first_half), (1, second_half)):  # all that follows reads the word
        rows = head(1, index, {IN_ANSWER: recent}, {IS_CELL: recent}, one=1.0)
        carry(1, rows, half, half)
    # where nothing was said yet, the answer's own first words are looked at, not all of the image
    said = head(1, 2, {MAY_CHOOSE: [_SLOW[0], _SLOW[1]]}, {IS_CELL: [_SLOW[0]], IN_ANSWER: [_SLOW[1]]}, one=1.0)
    carry(1, said, PLACE, PLACE, gain=-4.0)
    # What is asked for and was not said yet: its place, and whether there is anything at all. Of a place, half of the
    # pattern has to do: a head holds no more. The second look begins from what the first one found.
    half_place = {PLACE.start + n: [_SLOW[20 + n]] for n in range(len(_SLOW) - 21)}
    for layer in (2, 3):
        found = head(layer, 3, asked | half_place, there | half_place, one=1.5, mute=15.0)
        carry(layer, found, PLACE, PLACE)
        attention = layers[layer].self_attn
        attention.v_proj.weight[found.start + HEAD - 1, CENTRE] = 1.0
        attention.o_proj.weight[FOUND, found.start + HEAD - 1] = 1.0


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
