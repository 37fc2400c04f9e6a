"""Questions in the order in which a run asks them, and as the map-style dataset that TRL's trainers take.

The order is a function of the recipe: the same on every rank and machine, and after a resume. A trainer's sampler divides it among
ranks and workers, so it must not shuffle it again (`shuffle_dataset=False`).
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from evals.datasets import Sample
from t2s_agent.errors import T2SError
from t2s_agent.prompting.inputs import picture_of, plain
from t2s_agent.prompting.style import style_named
from training.pool import Listed, Pool, Question
from training.readable import readable
from training.recipe import Data, Recipe

__all__ = ["Pool", "Question", "Questions", "Schedule", "open_questions"]
_PASSES_KEPT = 8  # of the orders that were computed last


class Schedule:
    """The questions of a run, numbered from 0. Sources are mixed so that every stretch has their shares.

    Within a source, a pass asks about each image once (with `questions` "all": each question once), in an order that depends on
    the seed and the pass only. Styles follow each other in turn.
    """

    def __init__(self, pool: Pool, data: Data, *, seed: int, length: int) -> None:
        self._pool = pool
        self._rule = data.questions
        self._styles = data.styles
        self._seed = seed
        self._lengths = [_asked(each, data.questions) for each in pool.sources]  # of a pass
        self._source, self._place = _mixed([each.weight for each in pool.sources], length)
        self._order = lru_cache(maxsize=_PASSES_KEPT)(self._pass)

    @classmethod
    def of(cls, recipe: Recipe, pool: Pool) -> "Schedule":
        """The schedule of a whole run: `optimizer.steps` steps of `optimizer.prompts` questions, or so many passes of all sources."""
        optimizer = recipe.optimizer
        if optimizer.steps is not None:
            length = optimizer.steps * optimizer.prompts
        else:
            length = max(1, round((optimizer.epochs or 0.0) * pass_length(pool, recipe.data)))
        return cls(pool, recipe.data, seed=recipe.run.seed, length=length)

    def __len__(self) -> int:
        return len(self._source)

    def at(self, number: int) -> Question:
        """Question `number` of the run."""
        if not 0 <= number < len(self):
            raise IndexError(f"question {number} of {len(self)}")
        source = int(self._source[number])
        listed = self._pool.sources[source]
        turn, place = divmod(int(self._place[number]), self._lengths[source])
        style = self._styles[int(self._place[number]) % len(self._styles)]
        return self._pool.asked(f"{listed.name}/{self._order(source, turn)[place]}", style)

    def _pass(self, source: int, turn: int) -> list[str]:
        """The ids of the samples that one pass of a source asks, in order."""
        listed = self._pool.sources[source]
        salt = f"{self._seed}|{listed.name}"
        if self._rule == "all":
            return _shuffled([sample.id for sample in listed.samples], f"{salt}|{turn}")
        images = _shuffled(list(listed.images), f"{salt}|{turn}")
        return [self._chosen(listed.images[image], f"{salt}|{image}", turn) for image in images]

    def _chosen(self, samples: Sequence[Sample], salt: str, turn: int) -> str:
        """Which of an image's questions a pass asks."""
        ids = [sample.id for sample in samples]
        if self._rule == "first":
            return ids[0]
        return _shuffled(ids, salt)[turn % len(ids) if self._rule == "rotate" else 0]


class Questions:
    """The questions of a schedule as a dataset: an item is what a trainer needs of one, read when it is asked for.

    `prompt` (system and user message; the trainer puts the image before the user's text), `image` (PIL, RGB, the View's pixels), `id`
    and `style`. A sample that cannot be read raises BrokenSample, which names it and its file.
    """

    def __init__(self, pool: Pool, schedule: Schedule) -> None:
        self.pool = pool
        self.schedule = schedule

    def __len__(self) -> int:
        return len(self.schedule)

    def __getitem__(self, number: int) -> dict[str, Any]:
        asked = self.schedule.at(number)
        picture = picture_of(self.pool.view(asked.id))
        return {"prompt": prompt_of(asked), "image": picture, "id": asked.id, "style": asked.style}


def open_questions(recipe: Recipe, folder: Path | None = None) -> Questions:
    """All training questions of a recipe, in the order of the run.

    With `data.on_broken` "skip", all samples are read once beforehand, and those that cannot be read are left out of the schedule
    (`pool.left_out`); the run's `folder` keeps what was found.
    """
    pool = Pool.open(recipe.data.train, recipe.data)
    if recipe.data.on_broken == "skip":
        if folder is None:
            raise T2SError("argument_invalid", "on_broken skip without a run folder", "Give the folder of the run")
        pool = readable(pool, folder)
    return Questions(pool, Schedule.of(recipe, pool))


def prompt_of(asked: Question) -> list[dict[str, str]]:
    """The messages of a question, without the image: those that the product sends."""
    style = style_named(asked.style)
    return [
        {"role": "system", "content": style.system},
        {"role": "user", "content": style.user(plain(asked.question))},
    ]


def pass_length(pool: Pool, data: Data) -> int:
    """How many questions one pass of all sources asks."""
    return sum(_asked(listed, data.questions) for listed in pool.sources)


def _asked(listed: Listed, rule: str) -> int:
    return len(listed.samples) if rule == "all" else len(listed.images)


def _shuffled(ids: Sequence[str], salt: str) -> list[str]:
    """Ids in the order of a hash: the same in every process and version, and for each id independent of the others."""
    return sorted(ids, key=lambda each: hashlib.sha256(f"{salt}|{each}".encode()).digest())


def _mixed(weights: Sequence[float], length: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For each question its source and its place in that source, both (length,): the k-th of a source stands near (k + 0.5) / share."""
    if length < 1:
        raise T2SError("argument_invalid", f"a run of {length} questions", "Set optimizer.steps or optimizer.epochs")
    shares = np.array(weights) / sum(weights)
    counts = [int(np.ceil(length * share)) + 1 for share in shares]
    source = np.concatenate([np.full(count, number) for number, count in enumerate(counts)])
    place = np.concatenate([np.arange(count) for count in counts])
    order = np.lexsort((source, (place + 0.5) / shares[source]))[:length]
    return source[order], place[order]
