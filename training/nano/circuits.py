"""Initial weights of nano's language model: attention heads with a task from the start, and which weights only they may use."""

from typing import Any

import numpy as np
import torch

from evals.questions import CATEGORIES
from evals.questions.extremes import EXTREMES
from training.nano.image_tokens import (
    CENTRE,
    COLUMN,
    COORDINATES,
    GRID,
    IS_IMAGE,
    NEAR,
    ONE,
    PLACE,
    PLACE_HEIGHT,
    ROW,
    WIDTH,
    WORD_NUMBERS,
    line_patterns,
)
from training.nano.mlp_circuits import SIZE_HEIGHT, start_sizes, start_steps
from training.nano.word_numbers import (
    ASKED_CATEGORY,
    ASKED_EXTREME,
    ASKED_LANDMARK,
    FOUND,
    IN_ANSWER,
    IS_CELL,
    IS_START,
    IS_THOUGHT,
    LANDMARKS,
    LAST,
    LAST_COLUMN,
    LAST_ROW,
    MAY_CHOOSE,
    SIZE,
)

HEAD = 96  # width of an attention head of the language model
TOKENS_OF_AN_OBJECT = 12  # from the token of its cell to the token that closes it
ROTARY_BASE = 1e10
_CONTENT_NUMBERS = [
    n for pair in range(47, 13, -1) for n in (pair, pair + 48)
]  # numbers of a head that hardly rotate within an answer
_DISTANCE_PAIRS = range(2, 8)  # pairs that encode the distance to a token, best for up to twelve tokens
_CHOOSING_GAIN = 2.6  # of the heads that choose: the sharpness of their attention
_WEIGHT_SCALE = (
    8.0  # queries and keys are normalised: this scale does not change the attention, it only slows down their training
)
# Measured values of these numbers in a fresh model at the input of the heads that choose
_ASKED = 10.8  # the category that is asked for
_SHARP = 4.9  # a cell's category, sharpened
_LAST = 1.16  # row and column of the last cell
_FOUND = 2.0  # row and column of the cell that was found first
_EXTREME = 9.0  # the extreme that is asked for
_LANDMARK = 8.6  # the landmark that is asked for
_FAR = 1.0  # the penalty of all cells if a landmark is asked for
_NEAR = 2.7  # what is near a cell


def start_circuits(layers: Any) -> None:
    """Initialises heads with a task: bring the category, read a cell, remember the last cell, find the next one or the extreme one.

    Without these initial weights no run learned to go from a question to a cell within half an hour. Training can change every weight.
    Because heads are normalised, `ONE` in a key is the baseline that a weak match is compared with.
    """
    for depth, layer in enumerate(layers):
        for norm in (layer.self_attn.q_norm, layer.self_attn.k_norm):
            norm.weight.fill_(1.7 if depth < 2 else _CHOOSING_GAIN)
    _start_question(layers[0])
    _start_reading(layers[0], layers[1])
    start_steps(layers[0].mlp)
    start_sizes(layers[0].mlp)
    _start_last_cell(layers[1])
    _start_next_cell(layers[2], layers[3])
    _start_extreme(layers[3])


def _start_question(layer: Any) -> None:
    """Initialises the head that brings to each place of an answer what is asked for."""
    asks = _Head(layer, 0)
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


def _start_reading(first: Any, second: Any) -> None:
    """Initialises the heads that bring a cell's numbers to the token that names it, then to the tokens that follow."""
    halves = (slice(COORDINATES.start, COORDINATES.start + 64), slice(COORDINATES.start + 64, COORDINATES.stop))
    for index, half in enumerate(halves, 1):  # the token of a cell reads the image token
        reads = _Head(first, index)
        for at, number in enumerate(range(PLACE.start, PLACE.stop)):
            reads.attend({number: 1.0}, {number: 1.0}, at=at)
        reads.attend({}, {IS_CELL: 1.0}, at=-1)
        reads.attend({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)  # there the block holds LAST
        reads.baseline(0.2)
        reads.copy_numbers(half, half)
    for index, half in enumerate(halves):  # the tokens that follow read the token of the cell
        reads = _Head(second, index)
        for at in _DISTANCE_PAIRS:
            reads.attend({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, turning=at)
        reads.attend({IN_ANSWER: 1.0, MAY_CHOOSE: -2 / 3}, {IS_CELL: 1.0}, at=0)
        reads.attend({MAY_CHOOSE: 2.0}, {IS_START: 1.0}, at=-3)
        reads.baseline(1.0)
        reads.copy_numbers(half, half)


def _start_last_cell(layer: Any) -> None:
    """Initialises the head that brings row and column of the last cell to the place where the next one is chosen."""
    last = _Head(layer, 2)
    for at in range(10):
        turn = TOKENS_OF_AN_OBJECT * ROTARY_BASE ** (-at / (HEAD // 2))
        last.attend({MAY_CHOOSE: float(np.cos(turn))}, {IS_CELL: 1.0}, turning=at)
        last.attend({MAY_CHOOSE: -float(np.sin(turn))}, {}, turning=at + HEAD // 2)
    last.attend({MAY_CHOOSE: 2.0}, {IS_CELL: 1.0, MAY_CHOOSE: 1.0}, at=0)  # itself, before the first cell
    last.baseline(1.5)
    last.copy_numbers(slice(ROW.start, COLUMN.stop), LAST, 3.0)


def _start_next_cell(third: Any, fourth: Any) -> None:
    """Initialises the heads that find the next cell in reading order: in the last one's row, or below, and the first of both."""
    here, below, sharp = _Head(third, 2), _Head(third, 3), _Head(fourth, 3)
    for head, height in ((here, 1.5), (below, 0.9), (sharp, 0.6)):
        _look_for_category(head, height)
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


def _look_for_category(head: "_Head", height: float) -> None:
    """Lets a head attend to cells with the category that is asked for, unless one extreme object is asked for."""
    for at in range(len(CATEGORIES)):
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


def _start_extreme(layer: Any) -> None:
    """Initialises the head that finds the one object of several, and nothing more after it."""
    one = _Head(layer, 2)
    for at in range(len(CATEGORIES)):
        one.attend({ASKED_CATEGORY.start + at: 1.6 / _ASKED}, {CENTRE.start + at: 1 / _SHARP}, at=at)
    measures = {
        "north": _along(ROW, -1.2),
        "south": _along(ROW, 1.2),
        "west": _along(COLUMN, -1.2),
        "east": _along(COLUMN, 1.2),
        "largest": {SIZE: 1.2 / SIZE_HEIGHT},
        "smallest": {SIZE: -1.2 / SIZE_HEIGHT},
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
