"""Writes questions and answers as token ids: the text that the product writes and parses, without a tokenizer call for each."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from evals.questions import CATEGORIES
from t2s_agent.prompting.style import STYLES, PromptStyle
from training.nano.image_tokens import GRID, NUMBERS, STEP
from training.nano.tokenizer import QUESTION_KINDS, cell_text, label_text, thought, token_id

MOST_INSTANCES = 16  # in one answer in training, 13 tokens each. A longer answer is cut off, without an end token
_MARK = "\x00"


@dataclass(frozen=True, slots=True)
class Targets:
    """The objects that an image's tokens encode: at most one of each category for a cell, in reading order of the cells.

    `category` (N,) indexes CATEGORIES; `numbers` (N, 8) are x1, y1, x2, y2 and two points inside, in 0..1000; `cells` (N,) are the
    cells that encode them; `near` bool (N, 24) says which categories are near each.
    """

    category: NDArray[np.int64]
    numbers: NDArray[np.float64]
    cells: NDArray[np.int64]
    near: NDArray[np.bool_]


def fixed_prompt_texts() -> list[str]:
    """Returns the texts that are the same in each prompt of a style: the system message, and the user's text around the question.

    nano's tokens were made from the styles that ask for no confidence.
    """
    pieces: dict[str, None] = {}
    for style in (each for each in STYLES.values() if not each.confidence):
        pieces[style.system] = None
        for piece in style.user(_MARK).split(_MARK):
            pieces[piece] = None
    return list(pieces)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One question with its answer: `ids` (L,) follow the image. The answer begins at `answer_from`; only the answer has a loss.

    From `gap_at` on, positions are increased by `gap`, as if the answer before were longer.
    """

    ids: Tensor
    answer_from: int
    gap_at: int = 0
    gap: int = 0

    @property
    def thought_only(self) -> "Dialogue":
        """The dialogue up to the thought token: it trains the understanding of the question, which needs no image."""
        return Dialogue(self.ids[: self.answer_from + 1], self.answer_from)


class Writer:
    """Writes dialogues in the tokens of one tokenizer. `head` (H,) comes before each question; its token `image_from` is the image."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, style: PromptStyle) -> None:
        self.tokenizer = tokenizer
        self.style = style
        before, after = style.user(_MARK).split(_MARK)
        head = self._ids(
            f"<|im_start|>system\n{style.system}<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{before}"
        )
        self.head = torch.tensor(head)
        self._tail = self._ids(f"{after}<|im_end|>\n<|im_start|>assistant\n")
        self.image_from = head.index(self._id("<|image_pad|>"))
        self._number = [self._id(f"{n}") for n in NUMBERS]
        self._number_comma = [self._id(f"{n},") for n in NUMBERS]
        self.number_ids = torch.tensor([self._number, self._number_comma])
        self._questions: dict[str, list[int]] = {}
        self._points, self._next, self._close = map(self._id, ('], "positive_points": [[', "], [", "]]}"))
        self._begin, self.end_id, self._stop = map(self._id, ("\n<answer>```json[", "]```</answer>", "<|im_end|>"))
        self._open = [self._id(label_text(name)) for name in CATEGORIES]
        self._thought = {
            kind: [self._id(thought(name, kind)) for name in CATEGORIES] for kind in (None, *QUESTION_KINDS)
        }
        self.opening_ids = torch.tensor(self._open)
        self.thought_ids = torch.tensor(list(self._thought.values()))  # those without a kind first
        cells = [[self._id(cell_text(cell, first=first)) for cell in range(GRID * GRID)] for first in (True, False)]
        self.cell_ids = torch.tensor(cells)
        self._cell = cells

    def _id(self, piece: str) -> int:
        return token_id(self.tokenizer, piece)

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _cached(self, text: str) -> list[int]:
        if text not in self._questions:
            self._questions[text] = self._ids(text)
        return self._questions[text]

    def write(
        self, question: str, category: int, targets: Targets, asked: NDArray[np.int64], kind: str | None = None
    ) -> Dialogue:
        """Returns the dialogue in which `question` asks for `category` and the targets `asked` (N,) are the answer, in this order.

        At most the first `MOST_INSTANCES` are written. `kind`, one of QUESTION_KINDS, if the question asks for some of them only.
        """
        ids = [*self._cached(question), *self._tail]
        answer_from = len(ids)
        ids += [self._thought[kind][category], self._begin]
        steps = np.clip(np.round(targets.numbers[asked] / STEP), 0, len(NUMBERS) - 1).astype(int)
        first, last = self._number_comma, self._number
        for index, (x1, y1, x2, y2, ax, ay, bx, by) in enumerate(steps[:MOST_INSTANCES]):
            ids += [self._cell[min(index, 1)][targets.cells[asked[index]]], self._open[category]]
            ids += [first[x1], first[y1], first[x2], last[y2], self._points]
            ids += [first[ax], last[ay], self._next, first[bx], last[by], self._close]
        if len(steps) <= MOST_INSTANCES:
            ids += [self.end_id, self._stop]
        return Dialogue(torch.tensor(ids), answer_from)

    def with_gap(self, dialogue: Dialogue, rng: np.random.Generator, *, most: int = 1200) -> Dialogue:
        """Returns the dialogue with a gap in its positions after one object: trains long answers at the cost of short ones."""
        closed = torch.nonzero(dialogue.ids == self._close)[:, 0]
        if not len(closed):
            return dialogue
        return replace(dialogue, gap_at=int(rng.choice(closed)) + 1, gap=int(rng.integers(most)))


@dataclass(frozen=True, slots=True)
class SequenceBatch:
    """Dialogues about images, as the language model takes them: a row is an image followed by its dialogues.

    `ids` (B, L); `places` (3, B, L), Qwen3-VL's three kinds of positions; `mask` bool (B, 1, L, L): a dialogue attends to the image and
    itself. `image` is the range of the image's tokens. `at` (M, 2) are row and column of the token before each answer token, `wanted`
    (M,) these tokens.
    """

    ids: Tensor
    places: Tensor
    mask: Tensor
    image: slice
    at: Tensor
    wanted: Tensor


def build_sequences(writer: Writer, cells: Tensor, written: list[list[Dialogue]]) -> SequenceBatch:
    """Returns one row an image with its dialogues. `cells` (B, K) are the cells of the K image tokens (in training sometimes not all)."""
    count = cells.shape[1]
    head, start = writer.head, writer.image_from
    prefix = len(head) - 1 + count
    longest = prefix + max(sum(len(d.ids) for d in row) for row in written)
    ids = torch.zeros(len(written), longest, dtype=torch.long)
    places = torch.zeros(3, len(written), longest, dtype=torch.long)
    part = torch.full((len(written), longest), -1)
    ids[:, :start], ids[:, start + count : prefix] = head[:start], head[start + 1 :]
    ids[:, start : start + count] = head[start]
    part[:, :prefix] = 0
    places[:, :, :start] = torch.arange(start)
    places[:, :, start : start + count] = start
    places[1, :, start : start + count] += cells // GRID
    places[2, :, start : start + count] += cells % GRID
    places[:, :, start + count : prefix] = torch.arange(prefix - start - count) + start + GRID
    after = start + GRID + prefix - start - count
    at: list[tuple[int, int]] = []
    wanted: list[int] = []
    for row, dialogues in enumerate(written):
        begin = prefix
        for number, dialogue in enumerate(dialogues, 1):
            end = begin + len(dialogue.ids)
            ids[row, begin:end] = dialogue.ids
            along = torch.arange(len(dialogue.ids))
            places[:, row, begin:end] = along + after + dialogue.gap * (along >= dialogue.gap_at)
            part[row, begin:end] = number
            for place in range(dialogue.answer_from, len(dialogue.ids)):
                at.append((row, begin + place - 1))
                wanted.append(int(dialogue.ids[place]))
            begin = end
    order = torch.arange(longest)
    seen = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
    mask = (seen & (order[None, :] <= order[:, None]))[:, None]
    return SequenceBatch(ids, places, mask, slice(start, start + count), torch.tensor(at), torch.tensor(wanted))


def draw_question(
    targets: Targets, rng: np.random.Generator, *, absent_share: float = 0.25
) -> tuple[int, NDArray[np.int64]]:
    """Returns a random category and the targets (N,) that answer a question for it; with `absent_share`, a category without targets."""
    present = np.unique(targets.category)
    absent = np.setdiff1d(np.arange(len(CATEGORIES)), present)
    if len(present) == 0 or (len(absent) and rng.random() < absent_share):
        return int(rng.choice(absent)), np.zeros(0, np.int64)
    wanted = int(rng.choice(present))
    return wanted, np.flatnonzero(targets.category == wanted)
