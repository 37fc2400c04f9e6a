"""The questions nano is taught and tested with, by the category that answers them.

About three in five name the category (`questions_naming`), the others only hint at it (`questions_hinting`), as EarthReason's do.
"""

from dataclasses import dataclass

import numpy as np

from training.nano import questions_hinting as hinting
from training.nano import questions_naming as naming

CATEGORIES: tuple[str, ...] = (  # the order is part of packed imagery and of trained weights
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

TELL: tuple[str, ...] = (  # answered by a list of what is present
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
    """All phrasings of one category's question; `held_out` ones are never trained on."""

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
    """A question for `category`, each equally likely; KeyError for a category that is none of CATEGORIES."""
    bank = QUESTIONS[category]
    phrasings = bank.held_out if held_out else bank.train
    return phrasings[rng.integers(len(phrasings))]
