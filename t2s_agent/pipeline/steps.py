"""Defines steps and checks that several functions of the pipeline share: progress, timing, asking, drawing masks."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from t2s_agent.bounds import LONGEST_QUERY
from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.pipeline.engine import Engine
from t2s_agent.prompting.answer import Answer
from t2s_agent.regions.region import RegionSet
from t2s_agent.scene import View
from t2s_agent.segmenting.segmenter import Masks
from t2s_agent.text import one_line, plain

# Called with a short text before each step. An exception from it stops the work and reaches the caller. Because a result is
# written last and in one step, nothing incomplete is left.
Progress = Callable[[str], None]


def no_progress(_: str) -> None:
    """Ignores progress."""


@dataclass(slots=True)
class Clock:
    """The duration of each step, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[step] = round(self.seconds.get(step, 0.0) + time.perf_counter() - began, 4)


def load_segmenter(engine: Engine, clock: Clock, progress: Progress) -> None:
    """Loads the segmenter of the settings.

    Called before a prompter is asked too: an answer can take minutes or cost money, and would be lost where the segmenter's name,
    device or weights turn out to be wrong.
    """
    progress(f"loading {engine.settings.segmenter}")
    with clock("load segmenter"):
        engine.models.segmenter()


def draw_masks(engine: Engine, view: View, instances: Sequence[Instance], clock: Clock, progress: Progress) -> Masks:
    """Returns one mask per instance. Without instances, no embedding is computed."""
    if not instances:
        return Masks.none(view.height, view.width)
    progress(f"embedding the picture with {engine.settings.segmenter}")
    with clock("load segmenter"):
        segmenter = engine.models.segmenter()
    with clock("embed"):
        embedding = segmenter.embed([view])[0]
    progress(f"drawing {len(instances)} mask{'s' * (len(instances) != 1)}")
    with clock("decode"):
        return segmenter.decode(embedding, instances)


def read_as_pixels(**given: float | None) -> list[str]:
    """Returns warnings for arguments in metres on an image without georeference, where they are read as pixels of the scene."""
    return [
        f"{name} = {value:g} was read as {'square ' * name.endswith('m2')}pixels of the image, which has no place on Earth"
        for name, value in given.items()
        if value
    ]


def checked_question(query: str) -> str:
    question = " ".join(one_line(query, max(1, len(query))).split())
    if not question:
        raise T2SError(
            "argument_invalid", "the question is empty", "Ask something, for example 'Where are the storage tanks?'"
        )
    if len(question) > LONGEST_QUERY:
        raise T2SError(
            "limit_exceeded",
            f"the question has {len(question)} characters",
            f"Ask in at most {LONGEST_QUERY}",
            name="query",
            count=len(question),
            most=LONGEST_QUERY,
        )
    return question


def require_parsable(answer: Answer, name: str) -> None:
    if answer.status == "unparsable":
        said = plain(" ".join(answer.raw.split()), 160)
        why = f" ({answer.warnings[-1]})" if answer.warnings else ""
        raise T2SError(
            "answer_unparsable",
            f"the answer of {plain(name, 60)} cannot be read{why}: {said!r}",
            answer.fix or "Ask in other words, or use another --prompter",
        )


def require_pixels(answer: Answer, regions: RegionSet, segmenter: str, share: float = 1.0) -> None:
    """Raises `model_failed` if a prompter named objects but no mask has a pixel: that does not mean that nothing is there.

    Regions that the smallest area left out are not a failure: warnings report them. `share` of the picture has data.
    """
    if not answer.instances or regions.regions or regions.left_out:
        return
    count = len(answer.instances)
    if not share:
        raise T2SError(
            "model_failed",
            f"the prompter named {count} object{'s' * (count != 1)} in a picture of which no pixel has data",
            "Ask about a part of the image that has data, or check the image's nodata value and mask",
        )
    raise T2SError(
        "model_failed",
        f"the prompter named {count} object{'s' * (count != 1)}, and the segmenter {plain(segmenter, 60)} drew no pixel of "
        f"{'them' if count != 1 else 'it'} where the image has data",
        "Reword the question, ask about a smaller part of the image, or use another --segmenter; this is not an empty answer",
    )
