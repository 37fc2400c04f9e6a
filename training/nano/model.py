"""Builds and saves nano's prompter: a Qwen3-VL of seven and a half million weights with initial weights for its task, and its tokenizer."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from evals.questions import CATEGORIES, QUESTIONS, TELL
from evals.questions.extremes import EXTREMES
from evals.questions.relations import RELATIONS
from training.nano.image_tokens import (
    ANSWER_THRESHOLD,
    CELL,
    CENTRE,
    CENTRE_HEIGHT,
    CODE,
    COLUMN,
    COORDINATE_HEIGHT,
    COORDINATES,
    GRID,
    IS_IMAGE,
    NEAR,
    NEAR_THRESHOLD,
    NUMBERS,
    ONE,
    PLACE,
    PLACE_HEIGHT,
    ROW,
    SIDE,
    WIDTH,
    WORD_NUMBERS,
    line_patterns,
    number_code,
    number_codes,
    place_code,
)

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


QUESTION_KINDS = (*EXTREMES, *RELATIONS)  # of questions that ask for only some objects of a category


def thought(category: str, kind: str | None = None) -> str:
    """Returns the text of the thought, one token, for a question for `category`; `kind` of `QUESTION_KINDS` if it asks for some only."""
    which = f"the {EXTREMES[kind][0]} " if kind in EXTREMES else ""
    where = f" {kind}" if kind in RELATIONS else ""
    return f"<think>Looking for {which}{category}{where}.</think>"


def cell_text(cell: int, *, first: bool) -> str:
    """Returns the text with which an instance begins, one token: the centre of its cell in 0..1000.

    To choose a cell and to read its numbers are two tasks; one after the other, each is easy.
    """
    row, column = divmod(cell, GRID)
    x, y = ((2 * n + 1) * CELL * 500 // SIDE for n in (column, row))
    return f'{"" if first else ", "}{{"at": [{x}, {y}], '


def label_text(category: str) -> str:
    """Returns the text that follows the cell, one token."""
    return f'"label": "{category}", "bbox_2d": ['


HEAD = 96  # width of an attention head of the language model
TOKENS_OF_AN_OBJECT = 12  # from the token of its cell to the token that closes it
_ROTARY_BASE = 1e10

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(fixed_texts: list[str], vocabulary: int = 1600) -> PreTrainedTokenizerFast:
    """Returns a tokenizer: byte-level pieces learned from the question bank, so that each word has tokens, and whole tokens for fixed texts.

    `fixed_texts` are the fixed texts of the paper's prompt (system message, the text before and after the question): one token each, so
    that a long prompt has only a few tokens.
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
    whole = [*ROLES, *fixed_texts, *ANSWER_PIECES, *numbers, *cells]
    whole += [*CATEGORIES, *map(label_text, CATEGORIES), *map(thought, CATEGORIES)]
    whole += [thought(category, kind) for kind in QUESTION_KINDS for category in CATEGORIES]
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


def token_id(tokenizer: PreTrainedTokenizerFast, piece: str) -> int:
    """The id of one token, which the tokenizer types as that of one or of several."""
    found = tokenizer.convert_tokens_to_ids(piece)
    assert isinstance(found, int)
    return found


def build_model(
    tokenizer: PreTrainedTokenizerFast, *, eye_depth: int = 7, layers: int = 4
) -> Qwen3VLForConditionalGeneration:
    """Returns a model with fresh weights, at a scale for narrow layers; number tokens start as the codes of their values."""
    ids = {text: token_id(tokenizer, text) for text in SPECIAL}
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
            "rope_theta": _ROTARY_BASE,  # few of the 48 pairs distinguish near positions; the others hardly rotate and are free for content
            "mrope_section": [16, 16, 16],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "initializer_range": 0.06,  # about 1 / sqrt(width): the default 0.02 is for layers ten times as wide
    }
    vision = {
        "depth": eye_depth,
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
        _start_words(model.model.language_model.embed_tokens.weight, tokenizer)
        for layer in model.model.language_model.layers:
            for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
                projection.weight.zero_()  # a fresh layer must not hide the content of the tokens
        _start_circuits(model.model.language_model.layers)
        model.model.language_model.norm.weight.fill_(
            0.25
        )  # else these long embeddings would give a fresh model very high logits
        _smooth_positions(model.model.visual.pos_embed.weight)
        _start_neighbour_block(model.model.visual.blocks[-1])
        model.model.visual.merger.linear_fc2.weight.mul_(0.1)  # the numbers of the code are in -1..1
        model.model.visual.merger.linear_fc2.bias[IS_IMAGE] = 1.0
    return model


def _smooth_positions(weight: torch.Tensor) -> None:
    """Sets positions to sines of row and column: neighbours start similar, and a position is a linear function."""
    side = int(weight.shape[0] ** 0.5)
    place = (torch.arange(side) + 0.5) / side
    frequencies = torch.arange(1, weight.shape[1] // 4 + 1) * torch.pi / 2
    wave = place[:, None] * frequencies
    code = torch.cat([wave.sin(), wave.cos()], dim=1) / frequencies.repeat(2).sqrt()
    weight.copy_(torch.cat([code.repeat_interleave(side, 0), code.repeat(side, 1)], dim=1)[:, : weight.shape[1]])
    add_cell_patterns(weight)


def _start_neighbour_block(block: Any) -> None:
    """Initialises the last block of the image encoder to average the patches around each patch, which tells what is near."""
    attention = block.attn
    head = attention.qkv.weight.shape[1] // attention.num_heads
    qk = slice(0, 2 * attention.num_heads * head)
    attention.qkv.weight[qk] = 0.0
    attention.qkv.bias[qk] = 0.0
    # rotary pairs with a quarter turn in 3 to 7 patches
    turning = [axis * head // 4 + n for axis in (0, 1) for n in (2, 3, 4)]
    for number, height in enumerate((2.7, 1.9)):
        for part in (0, attention.num_heads):
            rows = torch.tensor(turning) + (part + number) * head
            attention.qkv.bias[rows] = height
    for silent in (attention.proj, block.mlp.linear_fc2):
        silent.weight.zero_()
        silent.bias.zero_()


def add_cell_patterns(weight: torch.Tensor) -> None:
    """Adds the pattern of its cell to each patch's position, so that the image encoder only has to copy it."""
    side = int(weight.shape[0] ** 0.5)
    across = torch.empty(place_code().shape[1], weight.shape[1])
    torch.nn.init.orthogonal_(across, generator=torch.Generator().manual_seed(0))
    cell = torch.arange(side) // (side // GRID)
    weight += 0.5 * place_code()[(cell[:, None] * GRID + cell).flatten()] @ across


# Numbers of a token's embedding that image tokens do not use: the kind of token, and the number that it stands for.
IS_CELL, IS_THOUGHT, IN_ANSWER, MAY_CHOOSE, FOUND, IS_START, SIZE = range(WORD_NUMBERS.start, WORD_NUMBERS.start + 7)
ASKED_EXTREME = slice(SIZE + 1, SIZE + 1 + len(EXTREMES))  # which extreme is asked for, if one is
WRITTEN_NUMBER = slice(WIDTH - 16, WIDTH)
LAST = slice(COORDINATES.start, COORDINATES.start + 32)  # of a token before a choice: row and column of the last cell
LAST_ROW = slice(LAST.start, LAST.start + 16)
LAST_COLUMN = slice(LAST_ROW.stop, LAST.stop)
# The category that is asked for. Not in the numbers of `centre`: attention would find words as it finds cells.
ASKED_CATEGORY = NEAR
LANDMARKS = [CATEGORIES.index(name) for name in RELATIONS.values()]
# The one of LANDMARKS that objects have to be near. These numbers are 0 in cells, else cells would receive them from each other.
ASKED_LANDMARK = slice(WRITTEN_NUMBER.start, WRITTEN_NUMBER.start + len(LANDMARKS))


def _start_words(weight: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """Sets the embeddings of tokens that stand for a part of the code to that code."""

    def ids(pieces: list[str]) -> list[int]:
        return [token_id(tokenizer, piece) for piece in pieces]

    weight[:, WORD_NUMBERS].mul_(0.5)
    weight[:, ASKED_CATEGORY] = 0.0  # a token that names no category and no cell must not look like one
    weight[:, PLACE] = 0.0
    weight[:, ONE] = 1.0
    weight[:, ASKED_EXTREME] = 0.0
    weight[:, IS_IMAGE] = 0.0
    names = torch.eye(CENTRE.stop - CENTRE.start)[: len(CATEGORIES)]
    for write, height in ((str, 1.0), (label_text, 1.0), (thought, 3.0)):
        weight[ids([write(name) for name in CATEGORIES]), ASKED_CATEGORY] = names * height
    weight[ids([thought(name) for name in CATEGORIES]), ASKED_LANDMARK] = 0.0
    for kind in QUESTION_KINDS:
        each = ids([thought(name, kind) for name in CATEGORIES])
        weight[each, ASKED_CATEGORY] = names * 3.0
        weight[each, ASKED_LANDMARK] = 0.0
        if kind in RELATIONS:
            weight[each, ASKED_LANDMARK.start + list(RELATIONS).index(kind)] = 3.0
    for index, kind in enumerate(EXTREMES):
        weight[ids([thought(name, kind) for name in CATEGORIES]), ASKED_EXTREME.start + index] = 3.0
    weight[ids([thought(name, kind) for kind in (None, *QUESTION_KINDS) for name in CATEGORIES]), IS_THOUGHT] = 3.0
    answer = [*ANSWER_PIECES, *map(label_text, CATEGORIES)]
    for after in ("", ","):
        rows = ids([f"{n}{after}" for n in NUMBERS])
        weight[rows, WRITTEN_NUMBER] = number_codes() * 0.5
        answer += [f"{n}{after}" for n in NUMBERS]
    for first in (True, False):
        cells = [cell_text(cell, first=first) for cell in range(GRID * GRID)]
        weight[ids(cells), PLACE] = place_code()
        weight[ids(cells), IS_CELL] = 3.0
        weight[ids(cells), FOUND] = 1.0
        answer += cells
    weight[ids(["]```</answer>"]), FOUND] = -1.0
    weight[ids(answer), IN_ANSWER] = 2.0
    choosing = ids(["\n<answer>```json[", "]]}"])
    weight[choosing, MAY_CHOOSE] = 3.0
    weight[choosing, FOUND] = 3.0
    weight[ids(["<|im_start|>"]), IS_START] = 3.0
    weight[ids(["<|im_start|>"]), COORDINATES] = 0.0  # attention to this token reads nothing
    weight[choosing, LAST] = 0.0
    weight[choosing, ASKED_LANDMARK] = 0.0
    weight[ids(["<|im_start|>"]), ASKED_LANDMARK] = 0.0
    weight[choosing[0], LAST_ROW] = 1.2 * line_patterns()[-1]  # before all rows


_CONTENT_NUMBERS = [
    n for pair in range(47, 13, -1) for n in (pair, pair + 48)
]  # numbers of a head that hardly rotate within an answer
_DISTANCE_PAIRS = range(2, 8)  # pairs that encode the distance to a token, best for up to twelve tokens
_CHOOSING_GAIN = 2.6  # of the heads that choose: the sharpness of their attention
_WEIGHT_SCALE = (
    8.0  # queries and keys are normalised: this scale does not change the attention, it only slows down their training
)


def _start_circuits(layers: Any) -> None:
    """Initialises heads with a task: bring the category, read a cell, remember the last cell, find the next one or the extreme one.

    Without these initial weights no run learned to go from a question to a cell within half an hour. Training can change every weight.
    Because heads are normalised, `ONE` in a key is the baseline that a weak match is compared with.
    """
    for layer in layers:
        layer.self_attn.q_norm.weight.fill_(1.7)
        layer.self_attn.k_norm.weight.fill_(1.7)
    recent = {place: [place] for place in _DISTANCE_PAIRS}
    names = range(len(CATEGORIES))

    asks = _Head(layers[0], 0)
    asks.attend({IN_ANSWER: 1.0}, {IS_THOUGHT: 1.0}, at=0)
    asks.attend(
        {IS_IMAGE: 6.0}, {IS_START: 1.0}, at=-3
    )  # cells attend to the start token: else what is near a cell would look like a question
    asks.baseline(1.0)
    asks.copy_numbers(ASKED_CATEGORY, ASKED_CATEGORY)
    asks.copy_numbers(ASKED_EXTREME, ASKED_EXTREME, at=ASKED_CATEGORY.stop - ASKED_CATEGORY.start)
    asks.copy_numbers(
        ASKED_LANDMARK,
        ASKED_LANDMARK,
        at=ASKED_CATEGORY.stop - ASKED_CATEGORY.start + ASKED_EXTREME.stop - ASKED_EXTREME.start,
    )
    halves = (slice(COORDINATES.start, COORDINATES.start + 64), slice(COORDINATES.start + 64, COORDINATES.stop))
    for index, half in enumerate(halves, 1):  # the token of a cell reads the image token
        reads = _Head(layers[0], index)
        for at, number in enumerate(range(PLACE.start, PLACE.stop)):
            reads.attend({number: 1.0}, {number: 1.0}, at=at)
        reads.attend({}, {IS_CELL: 1.0}, at=-1)
        reads.attend({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)  # there the block holds LAST
        reads.baseline(0.2)
        reads.copy_numbers(half, half)
    _start_steps(layers[0].mlp)
    _start_sizes(layers[0].mlp)
    for index, half in enumerate(halves):  # the tokens that follow read the token of the cell
        reads = _Head(layers[1], index)
        for at in recent:
            reads.attend({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, turning=at)
        reads.attend({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, at=0)
        reads.attend({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)
        reads.baseline(1.0)
        reads.copy_numbers(half, half)
    last = _Head(layers[1], 2)
    for at in range(10):
        turn = TOKENS_OF_AN_OBJECT * _ROTARY_BASE ** (-at / (HEAD // 2))
        last.attend({MAY_CHOOSE: float(np.cos(turn))}, {IS_CELL: 1.0}, turning=at)
        last.attend({MAY_CHOOSE: -float(np.sin(turn))}, {}, turning=at + HEAD // 2)
    last.attend({MAY_CHOOSE: 2.0}, {IS_CELL: 1.0, MAY_CHOOSE: 1.0}, at=0)  # itself, before the first cell
    last.baseline(1.5)
    last.copy_numbers(slice(ROW.start, COLUMN.stop), LAST, 3.0)

    for layer in layers[2:]:
        layer.self_attn.q_norm.weight.fill_(_CHOOSING_GAIN)
        layer.self_attn.k_norm.weight.fill_(_CHOOSING_GAIN)
    here, below, sharp = _Head(layers[2], 2), _Head(layers[2], 3), _Head(layers[3], 3)
    for head, height in ((here, 1.5), (below, 0.9), (sharp, 0.6)):
        for at in names:
            head.attend({ASKED_CATEGORY.start + at: height / _ASKED}, {CENTRE.start + at: 1 / _SHARP}, at=at)
        alone = dict.fromkeys(range(ASKED_EXTREME.start, ASKED_EXTREME.stop), 2 / _EXTREME)
        head.attend({ONE: 6.0, MAY_CHOOSE: -2.0, **alone}, {IS_START: 1.0}, at=-3)  # all other tokens find nothing
        head.attend({}, {IN_ANSWER: 10.0}, at=-1)
        # if a landmark is asked for, cells that are not near it do not match
        for index, n in enumerate(LANDMARKS):
            head.attend(
                {ASKED_LANDMARK.start + index: height / _LANDMARK / 0.8}, {NEAR.start + n: 0.8 / _NEAR}, at=50 + index
            )
        head.attend(
            dict.fromkeys(range(ASKED_LANDMARK.start, ASKED_LANDMARK.stop), -_FAR * height / _LANDMARK),
            {ONE: 1.0},
            at=-5,
        )
    rows, columns = range(20, 34), range(34, 48)
    # further right in the row of the last one
    for n, at in enumerate(rows):
        here.attend(_line(LAST_ROW, n, 1 / _LAST), _line(ROW, n, 1 / PLACE_HEIGHT), at=at)
    for n, at in enumerate(columns):
        here.attend(_line(LAST_COLUMN, n, 1 / 0.7 / _LAST), _beyond(COLUMN, n, 0.35), at=at)
    here.attend({ONE: -1.0}, _along(COLUMN, 0.6), at=48)
    here.fall_back(1.45)
    here.copy_numbers(PLACE, PLACE, 3.0)
    # in the next row that has any
    for n, at in zip(range(-1, GRID - 1), rows, strict=True):
        below.attend(_line(LAST_ROW, n, 1 / 0.7 / _LAST), _beyond(ROW, n, 0.35), at=at)
    below.attend({ONE: -1.0}, _along(ROW, 0.9), at=48)
    below.attend({ONE: -1.0}, _along(COLUMN, 0.1), at=49)
    below.fall_back(0.6)
    below.copy_numbers(PLACE, PLACE, 1.5)
    # the first of the cells that both heads found
    for n, at in enumerate(rows):
        sharp.attend(_line(ROW, n, 1.2 / _FOUND), _line(ROW, n, 1 / PLACE_HEIGHT), at=at)
    for n, at in enumerate(columns):
        sharp.attend(_line(COLUMN, n, 1.2 / _FOUND), _line(COLUMN, n, 1 / PLACE_HEIGHT), at=at)
    sharp.attend({ONE: -1.0}, _along(COLUMN, 0.4), at=48)
    sharp.fall_back(0.4)
    sharp.copy_numbers(PLACE, PLACE, 6.0)
    _start_choice(layers[3])


# Measured values of these numbers in a fresh model at the input of the heads that choose
_ASKED = 10.8  # the category that is asked for
_SHARP = 4.9  # a cell's category, sharpened
_LAST = 1.16  # row and column of the last cell
_FOUND = 2.0  # row and column of the cell that was found first
_EXTREME = 9.0  # the extreme that is asked for
_LANDMARK = 8.6  # the landmark that is asked for
_FAR = 1.0  # the penalty of all cells if a landmark is asked for
_NEAR = 2.7  # what is near a cell
_SIZE = 2.0  # the size in the cell of the largest object


def _start_choice(layer: Any) -> None:
    """Initialises the head that finds the one object of several, and nothing more after it."""
    one = _Head(layer, 2)
    for at in range(len(CATEGORIES)):
        one.attend({ASKED_CATEGORY.start + at: 1.6 / _ASKED}, {CENTRE.start + at: 1 / _SHARP}, at=at)
    measures = {
        "north": _along(ROW, -1.2),
        "south": _along(ROW, 1.2),
        "west": _along(COLUMN, -1.2),
        "east": _along(COLUMN, 1.2),
        "largest": {SIZE: 1.2 / _SIZE},
        "smallest": {SIZE: -1.2 / _SIZE},
    }
    for index, kind in enumerate(EXTREMES):
        one.attend({ASKED_EXTREME.start + index: 1 / _EXTREME}, measures[kind], at=20 + index)
    asked = dict.fromkeys(range(ASKED_EXTREME.start, ASKED_EXTREME.stop), -6 / _EXTREME)
    one.attend(
        {ONE: 12.0, MAY_CHOOSE: -2.0, **asked}, {IS_START: 1.0}, at=-3
    )  # if no extreme is asked for, it finds nothing
    one.attend({}, {IN_ANSWER: 10.0}, at=-1)
    one.fall_back(0.25, 0.7)
    before_all = _line(LAST_ROW, -1, -1.5 / 1.2)
    one.attend(
        {ONE: 1.5, **before_all}, {IS_THOUGHT: 1.0}, at=-4
    )  # after the first object it attends to the thought, which means nothing more
    one.copy_numbers(PLACE, PLACE, 6.0)


class _Head:
    """One attention head of a layer, with all weights 0 until they are set."""

    def __init__(self, layer: Any, index: int) -> None:
        attention = layer.self_attn
        self._rows = slice(index * HEAD, (index + 1) * HEAD)
        self._q, self._k, self._v = (
            p.weight[self._rows] for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        self._o = attention.o_proj.weight[:, self._rows]
        for weight in (self._q, self._k, self._v, self._o):
            weight.zero_()
        self._q[_CONTENT_NUMBERS[-1], ONE] = (
            0.3 * _WEIGHT_SCALE
        )  # a query without a target attends to tokens without a role

    def attend(self, q: dict[int, float], k: dict[int, float], *, at: int = 0, turning: int | None = None) -> None:
        """Lets a token attend to another if the numbers `q` of the first match the numbers `k` of the second."""
        place = _CONTENT_NUMBERS[at] if turning is None else turning
        for weight, wires in ((self._q, q), (self._k, k)):
            for source, height in wires.items():
                weight[place, source] += _WEIGHT_SCALE * height

    def baseline(self, one: float) -> None:
        """Sets the baseline that a match is compared with."""
        self._k[_CONTENT_NUMBERS[-1], ONE] += _WEIGHT_SCALE * one

    def fall_back(self, height: float, loss: float = 0.2) -> None:
        """Lets a token without a match of this height attend to the thought, which counts as not found."""
        self._q[_CONTENT_NUMBERS[-1], ONE] = 0.0
        self._k[_CONTENT_NUMBERS[-1], ONE] = 1.5 * _WEIGHT_SCALE
        self.attend({ONE: height}, {IS_THOUGHT: 1.0}, at=-2)
        self._v[HEAD - 1, IS_THOUGHT] = 1.0
        self._o[FOUND, HEAD - 1] = -loss

    def copy_numbers(self, source: slice, into: slice, gain: float = 1.0, *, at: int = 0) -> None:
        """Copies the numbers `source` of the attended token into `into`; `at` is the first of the head's numbers to use."""
        own = slice(at, at + source.stop - source.start)
        self._v[own, source] = torch.eye(own.stop - at)
        self._o[into, own] = torch.eye(own.stop - at) * gain


def _line(block: slice, line: int, height: float) -> dict[int, float]:
    """Returns weights that give `height` for a block with this line's pattern and 0 for all others."""
    return {block.start + n: height / 16 * float(sign) for n, sign in enumerate(line_patterns()[line])}


def _beyond(block: slice, line: int, height: float) -> dict[int, float]:
    """Returns weights that give `height` for lines beyond this one (-1: for all lines) and minus `height` for the others."""
    return _weighed(block, [height if n > line else -height for n in range(GRID)])


def _along(block: slice, height: float) -> dict[int, float]:
    """Returns weights that give the position of a line, from minus to plus half of `height`."""
    return _weighed(block, [height * (n / (GRID - 1) - 0.5) for n in range(GRID)])


def _weighed(block: slice, heights: list[float]) -> dict[int, float]:
    total = torch.tensor(heights) @ line_patterns()[:GRID] / 16 / PLACE_HEIGHT
    return {block.start + n: float(each) for n, each in enumerate(total)}


def frozen_weights(language: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Returns the output weights of a fresh language model, each with a mask of those that stay 0.

    Only the initialised heads may write places and categories. Else the output of the other parts hides the places early in training,
    before these parts are useful.
    """
    own = torch.zeros(WIDTH, 1, dtype=torch.bool)
    for block in (
        CENTRE,
        PLACE,
        slice(ONE, ONE + 1),
        slice(WORD_NUMBERS.start, FOUND),
        slice(SIZE, ASKED_EXTREME.stop + 1),
    ):
        own[block] = True
    silent = []
    for depth, layer in enumerate(language.layers):
        own[NEAR] = depth == 0  # nothing else may write there before the step on what is near
        silent += [
            (each.weight, own & (each.weight.detach() == 0)) for each in (layer.self_attn.o_proj, layer.mlp.down_proj)
        ]
    return silent


def _start_steps(mlp: Any) -> None:
    """Initialises steps that turn a cell's value for a category, and an object's value for what is near, into 0 or a fixed value."""
    centres = [(CENTRE.start + n, slice(ONE, ONE + 1), 1.0) for n in range(len(CATEGORIES))]
    # only for cells with an object: most cells are near something
    nears = [(NEAR.start + n, CENTRE, 0.4) for n in LANDMARKS]
    steps = [
        (
            each,
            CENTRE_HEIGHT * (ANSWER_THRESHOLD - 0.025),
            CENTRE_HEIGHT * (ANSWER_THRESHOLD + 0.025),
            32.0,
            0.45,
            1.056,
        )
        for each in centres
    ]
    # other tokens have more than 1 there and keep it
    steps += [(each, NEAR_THRESHOLD - 0.05, NEAR_THRESHOLD + 0.05, 64.0, 0.16, 1.0) for each in nears]
    for n, ((place, there, share), low, high, steep, height, back) in enumerate(steps):
        for unit, threshold, sign in ((2 * n, low, 1.0), (2 * n + 1, high, -back)):
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[unit] = 0.0
            mlp.gate_proj.weight[unit, place] = steep
            mlp.gate_proj.weight[unit, ONE] = -steep * threshold
            mlp.up_proj.weight[unit, there] = share
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[place, unit] = height * sign


def _start_sizes(mlp: Any) -> None:
    """Initialises the size of a cell's object from the sides of its box: the sum of their logarithms, as a sum of ramps."""
    value = torch.linspace(0, 1000, 201)
    codes = number_code(value)
    # a linear function from a number's code to the number, regularised for noise in the code
    straight = torch.linalg.solve(codes.T @ codes + 0.5 * torch.eye(CODE), codes.T @ (value / 1000))
    starts = torch.tensor(_RAMPS)
    side = torch.linspace(0.015, 1, 300)
    ramps = nn.functional.silu(_STEEP / _CELL_RMS * (side[:, None] - starts)) / _CELL_RMS
    wanted = _SIZE / 2 * (1 + side.log() / math.log(1 / 0.015))
    heights = torch.linalg.solve(ramps.T @ ramps + 1e-3 * torch.eye(len(starts)), ramps.T @ wanted)
    low, high = (COORDINATES.start + n * CODE for n in (0, 2))
    for axis in range(2):
        for n, (begin, height) in enumerate(zip(_RAMPS, heights, strict=True)):
            unit = mlp.gate_proj.weight.shape[0] - 1 - axis * len(_RAMPS) - n
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[unit] = 0.0
            for at, sign in ((low, -1), (high, 1)):
                place = at + axis * CODE
                mlp.gate_proj.weight[unit, place : place + CODE] = (
                    sign * _STEEP / COORDINATE_HEIGHT / _COORDINATE_GROWTH * straight
                )
            mlp.gate_proj.weight[unit, ONE] = -_STEEP * begin
            mlp.up_proj.weight[unit, ONE] = 1.0
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[SIZE, unit] = height


_RAMPS = (0.0, 0.02, 0.04, 0.07, 0.12, 0.2, 0.35, 0.6)  # start of each ramp, for sides in 0..1
_STEEP = 30.0
_CELL_RMS = 0.97  # measured root mean square of the numbers of a cell with an object
_COORDINATE_GROWTH = 3.4  # measured factor by which box and points have grown, because a cell also reads itself


def save(model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Saves model and tokenizer in the layout of transformers, weights in bfloat16; the product loads it like a model from the hub.

    An answer can begin only with a thought: transformers suppresses all other tokens there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    thoughts = {token_id(tokenizer, thought(name, kind)) for kind in (None, *QUESTION_KINDS) for name in CATEGORIES}
    model.generation_config.begin_suppress_tokens = sorted(
        set(range(model.config.get_text_config().vocab_size)) - thoughts
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
