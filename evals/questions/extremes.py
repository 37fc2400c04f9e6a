"""Makes questions for one object of several of a category: the largest, the northernmost.

`extreme` measures which object it is; there is no question if the answer is not clear.
"""

import numpy as np
from numpy.typing import NDArray

from evals.questions.words import SINGULAR

# fmt: off
EXTREMES: dict[str, tuple[str, ...]] = {  # words between "the" and the name
    "north": ("northernmost", "most northern", "topmost", "uppermost"),
    "south": ("southernmost", "most southern", "bottommost", "lowest"),
    "west": ("westernmost", "most western", "leftmost"),
    "east": ("easternmost", "most eastern", "rightmost"),
    "largest": ("largest", "biggest", "most extensive"),
    "smallest": ("smallest", "tiniest", "least extensive"),
}
_CLAUSES: dict[str, tuple[str, ...]] = {  # words after the name
    "north": ("furthest north", "farthest to the north", "closest to the top", "nearest the upper edge"),
    "south": ("furthest south", "farthest to the south", "closest to the bottom", "nearest the lower edge"),
    "west": ("furthest west", "farthest to the west", "furthest to the left", "nearest the left edge"),
    "east": ("furthest east", "farthest to the east", "furthest to the right", "nearest the right edge"),
    "largest": ("that is larger than all others", "with the greatest area", "that takes up most space"),
    "smallest": ("that is smaller than all others", "with the least area", "that takes up least space"),
}
_BEFORE = (
    "the {} {}", "Find the {} {}.", "Where is the {} {}?", "Show me the {} {}", "Only the {} {}, please.",
    "Which is the {} {}?", "Mark just the {} {}.", "{} {}", "Could you show me the {} {}", "Would you mark the {} {}?", "I need the {} {}",
    "Highlight the {} {}", "Locate the {} {}.", "Please find the {} {}", "Do you see the {} {}?", "Draw the {} {}", "Segment the {} {}.",
    "I am looking for the {} {}", "Give me the {} {} in this picture", "What is the {} {} here?", "Can you find the {} {}?",
)
_AFTER = (
    "the {} {}", "Find the {} {}.", "Which {} is {}?", "Show the {} {}", "I want the {} {}.", "Could you mark the {} {}?", "Locate the {} {}",
    "Which {} lies {}?", "Do you see the {} {}?", "Please find the {} {}", "Is there a {} {}?", "Highlight the {} {}.", "What about the {} {}?",
    "the one {} {}", "Draw the {} {} in this picture", "Mark only the {} {}.",
)
_BEFORE_HELD_OUT = ("Pick out the {} {}.", "Can you outline the {} {}?")
_AFTER_HELD_OUT = ("Pick out the {} {}.", "Where do you see the {} {}?")
# fmt: on


def extreme_question(category: str, kind: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """Returns a question for the `kind` of EXTREMES among the objects of a category."""
    names = [category, *(name.split(" ", 1)[1] for name in SINGULAR[category] if name.startswith(("a ", "an ")))]
    name = names[0] if held_out else names[int(rng.integers(len(names)))]
    if rng.random() < 0.6:
        before, words = _BEFORE_HELD_OUT if held_out else _BEFORE, EXTREMES[kind]
        return _drawn(before, rng).format(_drawn(words, rng), name)
    after, clauses = _AFTER_HELD_OUT if held_out else _AFTER, _CLAUSES[kind]
    return _drawn(after, rng).format(name, _drawn(clauses, rng))


def _drawn(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]


def extreme(kind: str, numbers: NDArray[np.float64]) -> int | None:
    """Returns which row of `numbers` (N, 4 or more: a box in 0..1000) is the extreme; None if another one is close to it.

    North is up. A box has to be larger by 30 %, or its centre further in the direction by 40 of 1000.
    """
    if len(numbers) < 2:
        return None
    box = numbers[:, :4]
    middle = (box[:, :2] + box[:, 2:]) / 2
    size = np.log(np.prod(np.maximum(box[:, 2:] - box[:, :2], 1), axis=1))
    measure, gap = {
        "north": (-middle[:, 1], 40.0),
        "south": (middle[:, 1], 40.0),
        "west": (-middle[:, 0], 40.0),
        "east": (middle[:, 0], 40.0),
        "largest": (size, float(np.log(1.3))),
        "smallest": (-size, float(np.log(1.3))),
    }[kind]
    order = np.argsort(-measure)
    return int(order[0]) if measure[order[0]] - measure[order[1]] >= gap else None
