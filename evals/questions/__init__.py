"""Holds questions for each category: those that nano is trained with, and held-out ones to measure it.

About three in five name the category (`naming`), the others only hint at it (`hinting`), like those of EarthReason.
Training also composes questions from phrases about a category (`words`), and simplifies the text of all questions at random.
"""

import re
from dataclasses import dataclass

import numpy as np

from evals.questions import hinting as hinting
from evals.questions import naming as naming
from evals.questions import words as word_bank

CATEGORIES: tuple[str, ...] = (  # packed imagery and trained weights depend on the order
    "ship",
    "storage tank",
    "baseball diamond",
    "tennis court",
    "basketball court",
    "ground track field",
    "bridge",
    "large vehicle",
    "small vehicle",
    "helicopter",
    "swimming pool",
    "roundabout",
    "soccer ball field",
    "plane",
    "harbor",
    "building",
    "water",
    "vegetation",
    "road",
    "bare land",
)

TELL: tuple[str, ...] = (  # the answer is a list of what is present
    "What is in this image?",
    "Describe the scene.",
    "What can be seen here?",
    "Tell me about this place.",
    "Which kinds of objects are there?",
    "what do you see?",
    "List everything that you recognise.",
    "Give me an overview of the image.",
    "What does this picture show?",
    "Is there anything of interest?",
    "Name all categories that are present.",
    "Summarise what is on the ground.",
)


@dataclass(frozen=True)
class Bank:
    """All phrasings for one category; `held_out` ones are never used in training."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


QUESTIONS: dict[str, Bank] = {
    category: Bank(
        train=naming.TRAIN[category] + hinting.TRAIN[category],
        held_out=naming.HELD_OUT[category] + hinting.HELD_OUT[category],
    )
    for category in CATEGORIES
}


def pick(category: str, rng: np.random.Generator, held_out: bool = False) -> str:
    """Returns a random question for `category`; raises KeyError for a category that is not in CATEGORIES."""
    bank = QUESTIONS[category]
    phrasings = bank.held_out if held_out else bank.train
    return phrasings[rng.integers(len(phrasings))]


_FRAMES: tuple[tuple[dict[str, tuple[str, ...]], tuple[str, ...]], ...] = (
    (
        word_bank.NAMES,
        (
            "{}", "Find all {}.", "Where are the {}?", "Are there any {} here?", "Mark the {}.", "Show me the {}",
            "Segment the {}.", "I am looking for {}.", "Which of these are {}?", "Count the {}", "Outline any {}, please.",
            "Can you see {}?", "every one of the {}", "Do you recognise {} in this picture?", "Locate {}.",
            "the {} in this image", "Highlight {}", "I need a mask of the {}.",
        ),
    ),
    (
        word_bank.SINGULAR,
        (
            "{}", "Is there {}?", "Find {}.", "Can you spot {} anywhere?", "I am looking for {}.", "Show me {}",
            "Where could I see {}?", "Which object is {}?", "Point out {}.",
        ),
    ),
    (
        word_bank.ACTIVITIES,
        (
            "Where could someone {}?", "Where can people {}?", "Where would one {}?", "a place to {}",
            "I want to {}. Where?", "Find somewhere to {}.", "Where do people go to {}?", "Show the spot where you can {}",
            "Which area would let us {}?", "Could anybody {} here, and where?",
        ),
    ),
    (
        word_bank.PARTS,
        ("Which objects have {}?", "something with {}", "What has {}?", "Find whatever has {}.", "things with {}",
         "Show me what has {}", "Look for {}."),
    ),
    (word_bank.HINTS, ("{}",)),
    (word_bank.LOOKS, ("{}", "Find {}.", "Do you see {}?", "Show me {}", "I can make out {}. Mark it.", "What is it that looks like {}?")),
)  # fmt: skip
_WEIGHTS = (0.25, 0.1, 0.2, 0.12, 0.25, 0.08)


def composed(category: str, rng: np.random.Generator) -> str:
    """Returns a question for `category` composed from phrases of `words`."""
    pieces, frames = _FRAMES[rng.choice(len(_FRAMES), p=_WEIGHTS)]
    piece = pieces[category][rng.integers(len(pieces[category]))]
    return frames[rng.integers(len(frames))].format(piece)


def simplified(question: str, rng: np.random.Generator) -> str:
    """Returns the question as people may type it: at random without one word, without capitals, or without its last mark."""
    words = question.split()
    if len(words) > 4 and rng.random() < 0.25:
        del words[rng.integers(len(words))]
    question = " ".join(words)
    if rng.random() < 0.25:
        question = question.lower()
    if rng.random() < 0.25:
        question = question.rstrip("?.!")
    return question


def training_question(category: str, rng: np.random.Generator) -> str:
    """Returns a random training question, from the bank or composed, often simplified, never a held-out one."""
    while True:
        question = simplified(composed(category, rng) if rng.random() < 0.55 else pick(category, rng), rng)
        if _bare(question) not in _HELD_OUT:
            return question


def _bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


_HELD_OUT = {_bare(text) for bank in QUESTIONS.values() for text in bank.held_out}
