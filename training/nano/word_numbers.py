"""Defines the meaning of numbers in the embeddings of words, as image_tokens.py does for cells, and sets the initial embeddings."""

import torch
from transformers import PreTrainedTokenizerFast

from evals.questions import CATEGORIES
from evals.questions.extremes import EXTREMES
from evals.questions.relations import RELATIONS
from training.nano.image_tokens import (
    CENTRE,
    COORDINATES,
    GRID,
    IS_IMAGE,
    NEAR,
    NUMBERS,
    ONE,
    PLACE,
    WIDTH,
    WORD_NUMBERS,
    line_patterns,
    number_codes,
    place_code,
)
from training.nano.tokenizer import ANSWER_PIECES, QUESTION_KINDS, cell_text, label_text, thought, token_id

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


def start_words(weight: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
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
