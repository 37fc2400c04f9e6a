"""Nano's prompter: a Qwen3-VL of seven and a half million weights, its tokenizer, and the folder that both are saved in."""

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
from evals.questions.choosing import EXTREMES
from evals.questions.relating import RELATIONS
from training.nano.image_tokens import (
    ANSWERED,
    CELL,
    CENTRE,
    CODE,
    COLUMN,
    COORDINATES,
    GRID,
    LOUD,
    NEAR,
    NUMBERS,
    ONE,
    OWN,
    PLACE,
    PLACE_HEIGHT,
    ROW,
    SHOWN,
    SIDE,
    SOFT,
    SURELY,
    WIDTH,
    lines,
    number_code,
    place_code,
    table,
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


KINDS = (*EXTREMES, *RELATIONS)  # of questions that ask for some of a category only


def thought(category: str, kind: str | None = None) -> str:
    """What is thought of a question that asks for `category`, or for those of it that a kind of `KINDS` says; one token."""
    which = f"the {EXTREMES[kind][0]} " if kind in EXTREMES else ""
    where = f" {kind}" if kind in RELATIONS else ""
    return f"<think>Looking for {which}{category}{where}.</think>"


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


HEAD = 96  # width of an attention head of the language side
AN_OBJECT = 12  # tokens from the cell that an object begins with to the one that closes it
_THETA = 1e10

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
    whole += [thought(category, kind) for kind in KINDS for category in CATEGORIES]
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
    """Fresh weights, initialised for layers this narrow; number tokens start as the codes of their values."""
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
            "rope_theta": _THETA,  # few of 48 pairs tell near positions apart; the others hardly turn and are free for content
            "mrope_section": [16, 16, 16],
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
        _start_words(model.model.language_model.embed_tokens.weight, tokenizer)
        for layer in model.model.language_model.layers:
            for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
                projection.weight.zero_()  # a fresh layer must not drown what the tokens say
        _start_circuits(model.model.language_model.layers)
        model.model.language_model.norm.weight.fill_(
            0.25
        )  # words this long would make a fresh model very sure of itself
        _smooth_positions(model.model.visual.pos_embed.weight)
        _look_around(model.model.visual.blocks[-1])
        model.model.visual.merger.linear_fc2.weight.mul_(0.1)  # the code's numbers lie in -1..1
        model.model.visual.merger.linear_fc2.bias[SHOWN] = 1.0
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


def _look_around(block: Any) -> None:
    """Lets the eye's last block begin as a look at the patches around each: what is near is known only after what is where."""
    attention = block.attn
    head = attention.qkv.weight.shape[1] // attention.num_heads
    qk = slice(0, 2 * attention.num_heads * head)
    attention.qkv.weight[qk] = 0.0
    attention.qkv.bias[qk] = 0.0
    # pairs whose quarter turns are 3 to 7 patches
    turning = [axis * head // 4 + n for axis in (0, 1) for n in (2, 3, 4)]
    for number, height in enumerate((2.7, 1.9)):
        for part in (0, attention.num_heads):
            rows = torch.tensor(turning) + (part + number) * head
            attention.qkv.bias[rows] = height
    for silent in (attention.proj, block.mlp.linear_fc2):
        silent.weight.zero_()
        silent.bias.zero_()


def show_cells(weight: torch.Tensor) -> None:
    """Adds to each patch's position the pattern of its cell, which no sines tell: the eye only has to pass it on."""
    side = int(weight.shape[0] ** 0.5)
    across = torch.empty(place_code().shape[1], weight.shape[1])
    torch.nn.init.orthogonal_(across, generator=torch.Generator().manual_seed(0))
    cell = torch.arange(side) // (side // GRID)
    weight += 0.5 * place_code()[(cell[:, None] * GRID + cell).flatten()] @ across


# Numbers of a word that are the words' own: what kind of word it is, and the number that it stands for.
IS_CELL, IS_THOUGHT, IN_ANSWER, MAY_CHOOSE, FOUND, IS_START, SIZE = range(OWN.start, OWN.start + 7)
WHICH = slice(SIZE + 1, SIZE + 1 + len(EXTREMES))  # which of several is asked for, if one is
SPOKEN = slice(WIDTH - 16, WIDTH)
LAST = slice(COORDINATES.start, COORDINATES.start + 32)  # of a word that may choose: row and column that were said last
LAST_ROW = slice(LAST.start, LAST.start + 16)
LAST_COLUMN = slice(LAST_ROW.stop, LAST.stop)
# A word's numbers there say which category is asked for; not those of `centre`, or words would be found as cells are.
ASKED = NEAR
LANDMARKS = [CATEGORIES.index(name) for name in RELATIONS.values()]
# What those asked for have to be near, one of LANDMARKS: numbers that are 0 in cells, or cells would be told of each other.
BESIDE = slice(SPOKEN.start, SPOKEN.start + len(LANDMARKS))


def _start_words(weight: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """Words that stand for something of the code start as what the eye writes for it."""

    def ids(pieces: list[str]) -> list[int]:
        return [token_id(tokenizer, piece) for piece in pieces]

    weight[:, OWN].mul_(0.5)
    weight[:, ASKED] = 0.0  # a word that names no category and no cell must not seem to
    weight[:, PLACE] = 0.0
    weight[:, ONE] = 1.0
    weight[:, WHICH] = 0.0
    weight[:, SHOWN] = 0.0
    names = torch.eye(CENTRE.stop - CENTRE.start)[: len(CATEGORIES)]
    for write, height in ((str, 1.0), (opening, 1.0), (thought, 3.0)):
        weight[ids([write(name) for name in CATEGORIES]), ASKED] = names * height
    weight[ids([thought(name) for name in CATEGORIES]), BESIDE] = 0.0
    for kind in KINDS:
        each = ids([thought(name, kind) for name in CATEGORIES])
        weight[each, ASKED] = names * 3.0
        weight[each, BESIDE] = 0.0
        if kind in RELATIONS:
            weight[each, BESIDE.start + list(RELATIONS).index(kind)] = 3.0
    for index, kind in enumerate(EXTREMES):
        weight[ids([thought(name, kind) for name in CATEGORIES]), WHICH.start + index] = 3.0
    weight[ids([thought(name, kind) for kind in (None, *KINDS) for name in CATEGORIES]), IS_THOUGHT] = 3.0
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
    choosing = ids(["\n<answer>```json[", "]]}"])
    weight[choosing, MAY_CHOOSE] = 3.0
    weight[choosing, FOUND] = 3.0
    weight[ids(["<|im_start|>"]), IS_START] = 3.0
    weight[ids(["<|im_start|>"]), COORDINATES] = 0.0  # who looks at it reads nothing
    weight[choosing, LAST] = 0.0
    weight[choosing, BESIDE] = 0.0
    weight[ids(["<|im_start|>"]), BESIDE] = 0.0
    weight[choosing[0], LAST_ROW] = 1.2 * lines()[-1]  # before all rows


_SLOW = [
    n for pair in range(47, 13, -1) for n in (pair, pair + 48)
]  # numbers of a head that hardly turn within an answer
_TURNING = range(2, 8)  # pairs that tell how far back a word stands, best within a dozen
_SURE = 2.6  # of the heads that choose: how sharply they look
_FIRM = (
    8.0  # queries and keys are normalised: this does not say how loud they are, but how slowly training changes them
)


def _start_circuits(layers: Any) -> None:
    """Heads that begin with a task: bring the category, read a cell, remember the last one, find the next one or the one of several.

    Without such a start no run of ours found the way from a question to a cell within half an hour. Training goes on from it: every
    weight is free. `ONE` in a key is what a faint match is weighed against, since heads are normalised.
    """
    for layer in layers:
        layer.self_attn.q_norm.weight.fill_(1.7)
        layer.self_attn.k_norm.weight.fill_(1.7)
    recent = {place: [place] for place in _TURNING}
    names = range(len(CATEGORIES))

    asks = _Head(layers[0], 0)
    asks.look({IN_ANSWER: 1.0}, {IS_THOUGHT: 1.0}, at=0)
    asks.look({SHOWN: 6.0}, {IS_START: 1.0}, at=-3)  # cells are told nothing: what is near one is no question
    asks.against(1.0)
    asks.carry(ASKED, ASKED)
    asks.carry(WHICH, WHICH, at=ASKED.stop - ASKED.start)
    asks.carry(BESIDE, BESIDE, at=ASKED.stop - ASKED.start + WHICH.stop - WHICH.start)
    halves = (slice(COORDINATES.start, COORDINATES.start + 64), slice(COORDINATES.start + 64, COORDINATES.stop))
    for index, half in enumerate(halves, 1):  # a cell's word reads the cell
        reads = _Head(layers[0], index)
        for at, number in enumerate(range(PLACE.start, PLACE.stop)):
            reads.look({number: 1.0}, {number: 1.0}, at=at)
        reads.look({}, {IS_CELL: 1.0}, at=-1)
        reads.look({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)  # there the block is LAST's
        reads.against(0.2)
        reads.carry(half, half)
    _sharpen(layers[0].mlp)
    _measure(layers[0].mlp)
    for index, half in enumerate(halves):  # all that follows reads the word
        reads = _Head(layers[1], index)
        for at in recent:
            reads.look({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, turning=at)
        reads.look({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, at=0)
        reads.look({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)
        reads.against(1.0)
        reads.carry(half, half)
    last = _Head(layers[1], 2)
    for at in range(10):
        turn = AN_OBJECT * _THETA ** (-at / (HEAD // 2))
        last.look({MAY_CHOOSE: float(np.cos(turn))}, {IS_CELL: 1.0}, turning=at)
        last.look({MAY_CHOOSE: -float(np.sin(turn))}, {}, turning=at + HEAD // 2)
    last.look({MAY_CHOOSE: 2.0}, {IS_CELL: 1.0, MAY_CHOOSE: 1.0}, at=0)  # itself, where nothing was said yet
    last.against(1.5)
    last.carry(slice(ROW.start, COLUMN.stop), LAST, 3.0)

    for layer in layers[2:]:
        layer.self_attn.q_norm.weight.fill_(_SURE)
        layer.self_attn.k_norm.weight.fill_(_SURE)
    here, below, sharp = _Head(layers[2], 2), _Head(layers[2], 3), _Head(layers[3], 3)
    for head, height in ((here, 1.5), (below, 0.9), (sharp, 0.6)):
        for at in names:
            head.look({ASKED.start + at: height / _ASKED}, {CENTRE.start + at: 1 / _SHARP}, at=at)
        alone = dict.fromkeys(range(WHICH.start, WHICH.stop), 2 / _WHICH)
        head.look({ONE: 6.0, MAY_CHOOSE: -2.0, **alone}, {IS_START: 1.0}, at=-3)  # nobody else finds anything
        head.look({}, {IN_ANSWER: 10.0}, at=-1)
        # where something has to be near, what is not near it is no match
        for index, n in enumerate(LANDMARKS):
            head.look({BESIDE.start + index: height / _BESIDE / 0.8}, {NEAR.start + n: 0.8 / _NEAR}, at=50 + index)
        head.look(dict.fromkeys(range(BESIDE.start, BESIDE.stop), -_FAR * height / _BESIDE), {ONE: 1.0}, at=-5)
    rows, columns = range(20, 34), range(34, 48)
    # further right in the row of the last one
    for n, at in enumerate(rows):
        here.look(_line(LAST_ROW, n, 1 / _LAST), _line(ROW, n, 1 / PLACE_HEIGHT), at=at)
    for n, at in enumerate(columns):
        here.look(_line(LAST_COLUMN, n, 1 / 0.7 / _LAST), _beyond(COLUMN, n, 0.35), at=at)
    here.look({ONE: -1.0}, _along(COLUMN, 0.6), at=48)
    here.nothing(1.45)
    here.carry(PLACE, PLACE, 3.0)
    # in the next row that has any
    for n, at in zip(range(-1, GRID - 1), rows, strict=True):
        below.look(_line(LAST_ROW, n, 1 / 0.7 / _LAST), _beyond(ROW, n, 0.35), at=at)
    below.look({ONE: -1.0}, _along(ROW, 0.9), at=48)
    below.look({ONE: -1.0}, _along(COLUMN, 0.1), at=49)
    below.nothing(0.6)
    below.carry(PLACE, PLACE, 1.5)
    # of what both found, the first
    for n, at in enumerate(rows):
        sharp.look(_line(ROW, n, 1.2 / _FOUND), _line(ROW, n, 1 / PLACE_HEIGHT), at=at)
    for n, at in enumerate(columns):
        sharp.look(_line(COLUMN, n, 1.2 / _FOUND), _line(COLUMN, n, 1 / PLACE_HEIGHT), at=at)
    sharp.look({ONE: -1.0}, _along(COLUMN, 0.4), at=48)
    sharp.nothing(0.4)
    sharp.carry(PLACE, PLACE, 6.0)
    _start_choice(layers[3])


# How high these stand in a fresh model where the heads that choose read them, measured
_ASKED = 10.8  # the category that is asked for
_SHARP = 4.9  # a cell's category, sharpened
_LAST = 1.16  # row and column of the last cell
_FOUND = 2.0  # row and column of what was found first
_WHICH = 9.0  # the kind that is asked for
_BESIDE = 8.6  # what has to be near
_FAR = 1.0  # what is taken off where something has to be near
_NEAR = 2.7  # what is near a cell
_SIZE = 2.0  # the largest cell's


def _start_choice(layer: Any) -> None:
    """A head that finds, where one of several is asked for, the one; and nothing more once it was said."""
    one = _Head(layer, 2)
    for at in range(len(CATEGORIES)):
        one.look({ASKED.start + at: 1.6 / _ASKED}, {CENTRE.start + at: 1 / _SHARP}, at=at)
    measures = {
        "north": _along(ROW, -1.2),
        "south": _along(ROW, 1.2),
        "west": _along(COLUMN, -1.2),
        "east": _along(COLUMN, 1.2),
        "largest": {SIZE: 1.2 / _SIZE},
        "smallest": {SIZE: -1.2 / _SIZE},
    }
    for index, kind in enumerate(EXTREMES):
        one.look({WHICH.start + index: 1 / _WHICH}, measures[kind], at=20 + index)
    asked = dict.fromkeys(range(WHICH.start, WHICH.stop), -6 / _WHICH)
    one.look({ONE: 12.0, MAY_CHOOSE: -2.0, **asked}, {IS_START: 1.0}, at=-3)  # otherwise it finds nothing
    one.look({}, {IN_ANSWER: 10.0}, at=-1)
    one.nothing(0.25, 0.7)
    before_all = _line(LAST_ROW, -1, -1.5 / 1.2)
    one.look({ONE: 1.5, **before_all}, {IS_THOUGHT: 1.0}, at=-4)  # once it was said, the thought: that is, nothing more
    one.carry(PLACE, PLACE, 6.0)


class _Head:
    """One attention head of a layer, silent until it is wired."""

    def __init__(self, layer: Any, index: int) -> None:
        attention = layer.self_attn
        self._rows = slice(index * HEAD, (index + 1) * HEAD)
        self._q, self._k, self._v = (
            p.weight[self._rows] for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        self._o = attention.o_proj.weight[:, self._rows]
        for weight in (self._q, self._k, self._v, self._o):
            weight.zero_()
        self._q[_SLOW[-1], ONE] = 0.3 * _FIRM  # what has nothing to look for looks at all that is nothing special

    def look(self, q: dict[int, float], k: dict[int, float], *, at: int = 0, turning: int | None = None) -> None:
        """Where the numbers `q` of a word and `k` of another are alike, the first looks at the second."""
        place = _SLOW[at] if turning is None else turning
        for weight, wires in ((self._q, q), (self._k, k)):
            for source, height in wires.items():
                weight[place, source] += _FIRM * height

    def against(self, one: float) -> None:
        """What a match is weighed against."""
        self._k[_SLOW[-1], ONE] += _FIRM * one

    def nothing(self, height: float, loss: float = 0.2) -> None:
        """Where there is no match of this height, the thought is looked at, and it counts as not found."""
        self._q[_SLOW[-1], ONE] = 0.0
        self._k[_SLOW[-1], ONE] = 1.5 * _FIRM
        self.look({ONE: height}, {IS_THOUGHT: 1.0}, at=-2)
        self._v[HEAD - 1, IS_THOUGHT] = 1.0
        self._o[FOUND, HEAD - 1] = -loss

    def carry(self, source: slice, into: slice, gain: float = 1.0, *, at: int = 0) -> None:
        """Writes the numbers `source` of what is looked at into those of who looks; `at` are the head's own for it."""
        own = slice(at, at + source.stop - source.start)
        self._v[own, source] = torch.eye(own.stop - at)
        self._o[into, own] = torch.eye(own.stop - at) * gain


def _line(block: slice, line: int, height: float) -> dict[int, float]:
    """Reads `height` off a block that holds this line's pattern, 0 off all others."""
    return {block.start + n: height / 16 * float(sign) for n, sign in enumerate(lines()[line])}


def _beyond(block: slice, line: int, height: float) -> dict[int, float]:
    """Reads `height` off lines beyond this one (-1: beyond none), minus that off the others."""
    return _weighed(block, [height if n > line else -height for n in range(GRID)])


def _along(block: slice, height: float) -> dict[int, float]:
    """Reads how far along a line is, from minus to plus half of `height`."""
    return _weighed(block, [height * (n / (GRID - 1) - 0.5) for n in range(GRID)])


def _weighed(block: slice, heights: list[float]) -> dict[int, float]:
    total = torch.tensor(heights) @ lines()[:GRID] / 16 / PLACE_HEIGHT
    return {block.start + n: float(each) for n, each in enumerate(total)}


def silent_of(language: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The weights of a fresh language side that write, each with which of them stay 0: none but the circuits say where or what.

    Without it, what the other parts write while they are learning drowns the places before they are of any use.
    """
    own = torch.zeros(WIDTH, 1, dtype=torch.bool)
    for block in (CENTRE, PLACE, slice(ONE, ONE + 1), slice(OWN.start, FOUND), slice(SIZE, WHICH.stop + 1)):
        own[block] = True
    silent = []
    for depth, layer in enumerate(language.layers):
        own[NEAR] = depth == 0  # a cell is told nothing more before what is near it was sharpened
        silent += [
            (each.weight, own & (each.weight.detach() == 0)) for each in (layer.self_attn.o_proj, layer.mlp.down_proj)
        ]
    return silent


def _sharpen(mlp: Any) -> None:
    """What a cell says of a category, and an object of what is near it, becomes surely nothing or surely something: a step."""
    centres = [(CENTRE.start + n, slice(ONE, ONE + 1), 1.0) for n in range(len(CATEGORIES))]
    # of cells with an object only: most cells are near something
    nears = [(NEAR.start + n, CENTRE, 0.4) for n in LANDMARKS]
    steps = [(each, LOUD * (ANSWERED - 0.025), LOUD * (ANSWERED + 0.025), 32.0, 0.45, 1.056) for each in centres]
    # words have more than 1 there and keep it
    steps += [(each, SURELY - 0.05, SURELY + 0.05, 64.0, 0.16, 1.0) for each in nears]
    for n, ((place, there, share), low, high, steep, height, back) in enumerate(steps):
        for unit, threshold, sign in ((2 * n, low, 1.0), (2 * n + 1, high, -back)):
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[unit] = 0.0
            mlp.gate_proj.weight[unit, place] = steep
            mlp.gate_proj.weight[unit, ONE] = -steep * threshold
            mlp.up_proj.weight[unit, there] = share
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[place, unit] = height * sign


def _measure(mlp: Any) -> None:
    """How large what a cell says is, from the sides of its box: the sum of their logarithms, by a sum of ramps."""
    value = torch.linspace(0, 1000, 201)
    codes = number_code(value)
    # reads a number off its code, as evenly as noise in the code allows
    straight = torch.linalg.solve(codes.T @ codes + 0.5 * torch.eye(CODE), codes.T @ (value / 1000))
    starts = torch.tensor(_RAMPS)
    side = torch.linspace(0.015, 1, 300)
    ramps = nn.functional.silu(_STEEP / _LENGTH * (side[:, None] - starts)) / _LENGTH
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
                mlp.gate_proj.weight[unit, place : place + CODE] = sign * _STEEP / SOFT / _ECHO * straight
            mlp.gate_proj.weight[unit, ONE] = -_STEEP * begin
            mlp.up_proj.weight[unit, ONE] = 1.0
            mlp.down_proj.weight[:, unit] = 0.0
            mlp.down_proj.weight[SIZE, unit] = height


_RAMPS = (0.0, 0.02, 0.04, 0.07, 0.12, 0.2, 0.35, 0.6)  # where they begin, of sides in 0..1
_STEEP = 30.0
_LENGTH = 0.97  # of the numbers of a cell that says something, root of the mean square, measured
_ECHO = 3.4  # how much louder box and points have become, since a cell reads itself, measured


def save(model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The layout of transformers, weights in bfloat16: what the product loads, as it would load a model from the hub.

    An answer can begin with nothing but a thought: transformers keeps the other words back there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    thoughts = {token_id(tokenizer, thought(name, kind)) for kind in (None, *KINDS) for name in CATEGORIES}
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
