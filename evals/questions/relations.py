"""Makes questions for the objects of a category that are near another category: the ships near the harbour.

Nano's image encoder writes what is near (`training.nano.image_tokens.NEAR`).
"""

import numpy as np

from evals.questions.words import NAMES, SINGULAR

LANDMARKS = (  # categories that objects can be near; trained weights depend on the order
    "harbor",
    "building",
    "water",
    "road",
    "vegetation",
    "bridge",
    "plane",
    "swimming pool",
    "large vehicle",
    "storage tank",
)
RELATIONS = {f"near {name}": name for name in LANDMARKS}

# fmt: off
_BETWEEN = (
    "near", "close to", "next to", "beside", "by", "not far from", "around", "near to", "in the neighbourhood of", "in the vicinity of",
    "adjacent to", "nearby", "within reach of", "at", "alongside", "a short way from",
)
_BEFORE = (
    "", "", "", "the", "the", "Find", "Find the", "Find all", "Show", "Show me all", "Show me the", "Only", "Only the", "Where are", "Where are the",
    "Mark", "Mark the", "Mark every one of the", "Which are the", "Are there", "Are there any", "I need the", "I want all", "Give me the", "Highlight the",
    "Locate the", "Please find the", "Could you show me the", "Would you mark all", "Can you find", "Detect", "Segment the", "Draw the", "Trace all",
    "Look for", "I am looking for the", "List the", "Do you see any", "Do you see the", "Get me the", "What about the", "Choose the", "Take all",
)
_WHO = (
    "", "", "", "", "that are", "which are", "that stand", "which stand", "standing", "located", "situated", "right", "directly", "that one finds",
    "which can be found", "that you see", "which sit", "built", "being", "placed", "that happen to be", "that there are", "which we have",
)
_AFTER = ("", "", "", ".", ".", "?", ", please", ", please.", " here", " in this picture", " in the image?")
_FRAMES_HELD_OUT = ("Pick out the {} {}.", "Can you outline the {} that lie {}?")
# fmt: on


def relation_question(category: str, landmark: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """Returns a question for the objects of a category that are near one of LANDMARKS."""
    if held_out:
        return _drawn(_FRAMES_HELD_OUT, rng).format(NAMES[category][0], f"{_drawn(_BETWEEN, rng)} the {landmark}")
    one = _drawn(SINGULAR[landmark], rng)
    landmarks = (one, f"the {one.split(' ', 1)[1]}", f"the {landmark}", _drawn(NAMES[landmark], rng))
    parts = (_drawn(_BEFORE, rng), _drawn(NAMES[category], rng), _drawn(_WHO, rng), _drawn(_BETWEEN, rng))
    return " ".join(part for part in (*parts, _drawn(landmarks, rng)) if part) + _drawn(_AFTER, rng)


def _drawn(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]
