"""Questions and answers as token ids: the same text that the product writes and parses, assembled without a tokenizer's pace."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from t2s_agent.prompting.style import STYLES, PromptStyle
from training.nano.codes import GRID, NUMBERS, STEP
from training.nano.model import opening
from training.nano.questions import CATEGORIES

MOST_INSTANCES = 16  # in one answer; 13 tokens each
_MARK = "\x00"


@dataclass(frozen=True, slots=True)
class Targets:
    """The objects of an image that can be asked for, in reading order of their cells.

    `category` (N,) indexes CATEGORIES; `numbers` (N, 8) are x1, y1, x2, y2 and two points inside, in 0..1000.
    """

    category: NDArray[np.int64]
    numbers: NDArray[np.float64]


def boilerplate() -> list[str]:
    """What never varies in a prompt of each style: the system message, and the user's text around the question."""
    pieces: dict[str, None] = {}
    for style in STYLES.values():
        pieces[style.system] = None
        for piece in style.user(_MARK).split(_MARK):
            pieces[piece] = None
    return list(pieces)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One question with its answer: `ids` (L,) with one image token, and where the answer (which alone is trained) begins."""

    ids: Tensor
    answer_from: int


class Writer:
    """Writes dialogues in the words of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> None:
        self.tokenizer = tokenizer
        self.style = style
        before, after = style.user(_MARK).split(_MARK)
        self._head = self._ids(
            f"<|im_start|>system\n{style.system}<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{before}"
        )
        self._tail = self._ids(f"{after}<|im_end|>\n<|im_start|>assistant\n")
        self.image_from = self._head.index(tokenizer.convert_tokens_to_ids("<|image_pad|>"))
        self._number = [tokenizer.convert_tokens_to_ids(f"{n}") for n in NUMBERS]
        self._number_comma = [tokenizer.convert_tokens_to_ids(f"{n},") for n in NUMBERS]
        self.number_ids = torch.tensor([self._number, self._number_comma])
        self._questions: dict[str, list[int]] = {}
        pieces = (
            '], "positive_points": [[',
            "], [",
            "]]}",
            ", ",
            "\n<answer>```json[",
            "]```</answer>",
        )
        self._points, self._next, self._close, self._between, self._begin, self._end = (
            tokenizer.convert_tokens_to_ids(piece) for piece in pieces
        )
        self._open = {name: tokenizer.convert_tokens_to_ids(opening(name)) for name in CATEGORIES}
        self.opening_ids = torch.tensor(list(self._open.values()))
        self._stop = tokenizer.convert_tokens_to_ids("<|im_end|>")

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _cached(self, text: str) -> list[int]:
        if text not in self._questions:
            self._questions[text] = self._ids(text)
        return self._questions[text]

    def thinking(self, category: str) -> str:
        return f"<think>Looking for {category}.</think>"

    def prompt(self, question: str) -> list[int]:
        return [*self._head, *self._cached(question), *self._tail]

    def write(self, question: str, category: str, numbers: Sequence[Sequence[float]]) -> Dialogue:
        """The dialogue in which `question` is understood as `category` and answered with one instance a row of `numbers`."""
        prompt = self.prompt(question)
        ids = [*self._cached(self.thinking(category)), self._begin]
        for index, row in enumerate(numbers[:MOST_INSTANCES]):
            x1, y1, x2, y2, ax, ay, bx, by = (round(min(max(n, 0), 1000) / STEP) for n in row)
            first, last = self._number_comma, self._number
            if index:
                ids.append(self._between)
            ids += [self._open[category], first[x1], first[y1], first[x2], last[y2], self._points]
            ids += [first[ax], last[ay], self._next, first[bx], last[by], self._close]
        ids += [self._end, self._stop]
        return Dialogue(torch.tensor(prompt + ids), len(prompt))


def positions(length: int, image_from: int, cells: Tensor) -> Tensor:
    """Qwen3-VL's three rows of positions (3, B, length) for sequences whose only image begins at `image_from`.

    `cells` (B, K) are the cells that the K image tokens show; all of them, or (in training only) a part.
    """
    count = cells.shape[1]
    place = torch.arange(length).repeat(3, len(cells), 1)
    place[0, :, image_from : image_from + count] = image_from
    place[1, :, image_from : image_from + count] = image_from + cells // GRID
    place[2, :, image_from : image_from + count] = image_from + cells % GRID
    place[:, :, image_from + count :] += GRID - count
    return place


def ask(targets: Targets, rng: np.random.Generator, *, absent_share: float = 0.25) -> tuple[str, NDArray[np.float64]]:
    """Draws a category to ask for, absent with `absent_share`, and the numbers of its objects (N, 8)."""
    present = np.unique(targets.category)
    if len(present) == 0 or rng.random() < absent_share:
        absent = np.setdiff1d(np.arange(len(CATEGORIES)), present)
        return CATEGORIES[rng.choice(absent)], np.zeros((0, 8))
    wanted = rng.choice(present)
    return CATEGORIES[wanted], targets.numbers[targets.category == wanted]
