"""Writes answers made from the truth in nano's own form: each object with its cell, its label, and numbers in steps of ten.

Nano's tokenizer has whole tokens for these pieces, and only for them: another form would be spelled in bytes that it never saw.
Its image encoder finds at most one object of a category in a cell, so an answer names the largest of each cell, in reading order.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from evals.datasets import Truth
from evals.questions import CATEGORIES
from t2s_agent.errors import T2SError
from t2s_agent.mask import Mask
from training.interior import parts_of
from training.nano.image_tokens import NUMBERS, SIDE, STEP, cell_of
from training.nano.pack import LAND, SMALLEST_PART_PX, SMALLEST_PX, inside_points
from training.nano.tokenizer import ANSWER_PIECES, END, QUESTION_KINDS, cell_text, label_text, thought

SMALLEST_BUILDING_PX = 100  # smallest part of a mask of buildings without instances
_BEGIN, _STOP, _POINTS, _NEXT, _CLOSE = ANSWER_PIECES


def writes_like_nano(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer has the pieces of nano's answers as whole tokens."""
    known = tokenizer.get_vocab()
    return all(piece in known for piece in (_BEGIN, label_text(CATEGORIES[0]), cell_text(0, first=True)))


def nano_answer(truth: Truth, facts: Mapping[str, object], *, most: int) -> str:
    """The answer to a question with this truth, with the end token; `facts` are the sample's metadata.

    `category` has to be one that nano knows; `which` says which objects of it are meant. An answer with more than `most` objects is
    cut after them, without an end, so that nano learns neither to stop there nor to leave some out.
    """
    category = str(facts.get("category"))
    if category not in CATEGORIES:
        what = f"nano has no word for the category {category}"
        raise T2SError("argument_invalid", what, f"Ask for one of {', '.join(CATEGORIES)}")
    which = str(facts.get("which", ""))
    pieces = [thought(category, which if which in QUESTION_KINDS else None), _BEGIN]
    named = list(_named(objects_for(truth, category), truth.mask.shape))
    for number, (cell, numbers) in enumerate(named[:most]):
        pieces += [cell_text(cell, first=number == 0), label_text(category), _numbers(numbers)]
    return "".join(pieces if len(named) > most else [*pieces, _STOP, END])


def objects_for(truth: Truth, category: str) -> list[Mask]:
    """The objects that nano is taught, largest first: those of its training data's sizes (training.nano.pack), at any size of View."""
    height, width = truth.mask.shape
    if truth.instances is not None:
        found, least = list(truth.instances), SMALLEST_PX
    else:
        found, least = parts_of(truth.mask), SMALLEST_PART_PX if category in LAND else SMALLEST_BUILDING_PX
    return sorted(
        (mask for mask in found if mask.area * SIDE * SIDE >= least * height * width), key=lambda mask: -mask.area
    )


def _named(masks: Sequence[Mask], size: tuple[int, ...]) -> Iterator[tuple[int, list[int]]]:
    """Cell and eight numbers in 0..1000 of the first mask in each cell, in reading order."""
    scale = 1000 / np.array([size[1], size[0]] * 4)
    first: dict[int, list[int]] = {}
    for mask in masks:
        points = np.array(inside_points(mask.pixels)) + (mask.x, mask.y) * 2
        numbers = np.array([*mask.bounds, *points]) * scale
        first.setdefault(int(cell_of(numbers[None, :4])[0]), _rounded(numbers))
    return iter(sorted(first.items()))


def _rounded(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
    """The nearest numbers that nano can write; a box keeps an extent."""
    steps = np.clip(np.round(numbers / STEP), 0, len(NUMBERS) - 1).astype(int)
    for low, high in ((0, 2), (1, 3)):
        if steps[low] == steps[high]:
            steps[low] = min(steps[low], len(NUMBERS) - 2)
            steps[high] = steps[low] + 1
    return [int(step) * STEP for step in steps]


def _numbers(numbers: Sequence[int]) -> str:
    x1, y1, x2, y2, ax, ay, bx, by = numbers
    return f"{x1},{y1},{x2},{y2}{_POINTS}{ax},{ay}{_NEXT}{bx},{by}{_CLOSE}"
