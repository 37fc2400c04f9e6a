"""Questions for images whose objects are annotated by class: what is asked of an image, and which objects answer it.

Every image is asked the same kinds of questions. Words are drawn by a hash of the seed and the image, so they depend neither on
other images nor on their order. nano was trained on the phrasings called "trained"; "held_out" ones it never saw.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evals.questions import CATEGORIES, hinting, naming
from evals.questions.extremes import EXTREMES, extreme, extreme_question
from evals.questions.relations import LANDMARKS, relation_question
from evals.questions.untaught import ASKED
from evals.questions.words import NAMES
from t2s_agent.errors import T2SError

Phrasing = Literal["held_out", "trained"]
KINDS = ("name", "hint", "count", "extreme", "relation", "empty", "untaught")
DEFAULT_KINDS = ("name", "hint", "count", "extreme", "empty", "untaught")
_SAME_ITEM = ("name", "hint", "count")  # these ask for all of a category, in other words
NEAR_PX, FAR_PX = 64, 128  # between edges: nearer is near; where something lies in between, nothing is asked

# fmt: off
_COUNT: dict[Phrasing, tuple[str, ...]] = {
    "held_out": ("Tell me the number of {} here.", "What number of {} can be counted?", "Give me a total of the {}."),
    "trained": ("Count the {}",),
}
_UNTAUGHT = ("Find all {}.", "Where are the {}?", "Could you mark the {}?", "Show me the {}")
_PLAIN = ("Find every {}.", "Which objects are of the kind {}?", "Mark each {} in the image.")  # for classes without phrasings
# fmt: on


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its answer. `wanted` are the places of the objects in the list of its category; none: nothing fits.

    `phrasing` is "trained", "held_out", or "template" where the category has no phrasings of its own. `which` says which objects of
    the category are meant: a key of EXTREMES ("largest") or RELATIONS ("near harbor"), "" for all. `known` is False where the truth
    does not speak of what is asked for.
    """

    text: str
    kind: str
    category: str
    phrasing: str
    wanted: tuple[int, ...] = ()
    which: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Bank:
    """What is asked of each image: which kinds of questions, how many absent and untaught things, in which phrasings."""

    kinds: tuple[str, ...] = DEFAULT_KINDS
    phrasing: Phrasing = "held_out"
    absent: int = 2
    untaught: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(KINDS))
        if any(type(number) is not int or number < 0 for number in (self.absent, self.untaught, self.seed)):
            numbers = f"absent {self.absent}, untaught {self.untaught}, seed {self.seed}"
            raise T2SError("argument_invalid", f"{numbers} are not whole numbers from 0 on", "Give whole numbers")
        if unknown or self.phrasing not in get_args(Phrasing):
            named = ", ".join(unknown) or self.phrasing
            raise T2SError(
                "argument_invalid", f"no questions of {named}", f"Kinds: {', '.join(KINDS)}; held_out or trained"
            )

    def ask(
        self,
        image: str,
        known: Sequence[str],
        boxes: Mapping[str, NDArray[np.float64]],
        size: tuple[int, int],
        near: Callable[[str, str], NDArray[np.bool_] | None] | None = None,
    ) -> Iterator[Question]:
        """The questions for an image of `size` (height, width).

        `known` are the categories that the truth speaks of, `boxes` (N, 4: x1, y1, x2, y2 in pixels) the objects of those that
        are there. `near(category, landmark)` says which objects of one are near one of the other, None where that is not clear.
        """
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{self.seed}|{image}".encode()).digest()[:8], "big"))
        present = [category for category in known if len(boxes.get(category, ()))]
        for category in present:
            everything = tuple(range(len(boxes[category])))
            for kind in ("name", "hint", "count"):
                if kind in self.kinds and (question := self._phrase(kind, category, rng)):
                    yield replace(question, wanted=everything)
        if "extreme" in self.kinds:
            yield from self._extreme(present, boxes, size, rng)
        if "relation" in self.kinds and near:
            yield from self._relation(present, near, rng)
        if "empty" in self.kinds:
            absent = [category for category in known if category not in present]
            for category in rng.permutation(np.array(absent, object))[: self.absent]:
                drawn = self._phrase(("name", "hint")[int(rng.integers(2))], category, rng)
                question = drawn or self._phrase("name", category, rng)
                if question:
                    yield replace(question, kind="empty")
        if "untaught" in self.kinds:
            for thing in rng.permutation(np.array(ASKED, object))[: self.untaught]:
                yield Question(_drawn(_UNTAUGHT, rng).format(thing), "untaught", thing, "template", known=False)

    def _phrase(self, kind: str, category: str, rng: np.random.Generator) -> Question | None:
        """A question that wants nothing yet; None where the category has none of this kind."""
        if category not in CATEGORIES:
            text = _drawn(_PLAIN, rng).format(category)
            return Question(text, kind, category, "template") if kind == "name" else None
        if kind == "count":
            text = _drawn(_COUNT[self.phrasing], rng).format(NAMES[category][0])
            return Question(text, kind, category, self.phrasing)
        module = naming if kind == "name" else hinting
        texts = (module.HELD_OUT if self.phrasing == "held_out" else module.TRAIN)[category]
        return Question(_drawn(texts, rng), kind, category, self.phrasing)

    def _extreme(
        self,
        present: Sequence[str],
        boxes: Mapping[str, NDArray[np.float64]],
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> Iterator[Question]:
        """At most one: the largest, the northernmost and so on, where one stands out."""
        scale = 1000 / np.array([size[1], size[0], size[1], size[0]])
        possible = [
            (category, kind, one)
            for category in present
            if category in CATEGORIES
            for kind in EXTREMES
            if (one := extreme(kind, boxes[category] * scale)) is not None
        ]
        if possible:
            category, kind, one = possible[rng.integers(len(possible))]
            text = extreme_question(category, kind, rng, held_out=self.phrasing == "held_out")
            yield Question(text, "extreme", category, self.phrasing, (one,), which=kind)

    def _relation(
        self, present: Sequence[str], near: Callable[[str, str], NDArray[np.bool_] | None], rng: np.random.Generator
    ) -> Iterator[Question]:
        """At most one: those of a category that are near something, where others are far from it."""
        possible = [
            (category, landmark, which)
            for category in present
            if category in CATEGORIES
            for landmark in LANDMARKS
            if landmark in present and landmark != category
            if (which := near(category, landmark)) is not None
        ]
        if possible:
            category, landmark, which = possible[rng.integers(len(possible))]
            text = relation_question(category, landmark, rng, held_out=self.phrasing == "held_out")
            wanted = tuple(np.flatnonzero(which).tolist())
            yield Question(text, "relation", category, self.phrasing, wanted, which=f"near {landmark}")


def identity(image: str, number: int, question: Question) -> str:
    """The id of a sample: its image, and the place and kind of its question."""
    return f"{image}/{number:02d}-{question.kind}-{question.category.replace(' ', '_')}"


def item_of(image: str, number: int, question: Question) -> dict[str, str | float]:
    """What is asked about, and the place of this wording among those that ask for the same."""
    if question.kind in _SAME_ITEM:
        return {"item": f"{image}/{question.category}", "question_index": _SAME_ITEM.index(question.kind)}
    return {"item": identity(image, number, question), "question_index": 0}


def category_of(name: str) -> str:
    """The name of a class as the question bank writes it: iSAID's Large_Vehicle is "large vehicle"."""
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def _drawn(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
