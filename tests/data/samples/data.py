"""Small samples in memory, and a scripted prompter that answers them."""

import json

import numpy as np

from evals.datasets.sample import Sample, Truth
from evals.run.answers import Asking
from evals.run.views import Looking
from t2s_agent.mask import Mask
from t2s_agent.prompting.scripted import ScriptedPrompter

ASKING = Asking(Looking(), {"style": "box_2_points"})
DATASET = {"name": "in memory", "split": "test"}


def make_sample(image, question, box, *, read=None, size=(40, 60), **metadata):
    """A sample whose truth is one box x1, y1, x2, y2, or nothing. `read` collects the images that are read."""
    height, width = size
    truth = np.zeros(size, bool)
    if box:
        truth[box[1] : box[3], box[0] : box[2]] = True

    def read_image():
        if read is not None:
            read.append(image)
        return np.random.default_rng(image).integers(0, 255, (height, width, 3), np.uint8)

    return Sample(
        f"{image}/{question}",
        f"image {image}",
        question,
        read_image,
        lambda: Truth(truth, (Mask.of(truth),) if box else ()),
        metadata,
    )


def script(answers):
    """A prompter: question to a box with a point in its middle, "empty", or any other text as it is."""

    def text(answer):
        if isinstance(answer, str):
            return "[]" if answer == "empty" else answer
        x1, y1, x2, y2 = answer
        return json.dumps([{"bbox_2d": [x1, y1, x2, y2], "positive_points": [[(x1 + x2) / 2, (y1 + y2) / 2]]}])

    return ScriptedPrompter({question: text(answer) for question, answer in answers.items()})


class Counting:
    """A prompter or segmenter of which it is counted what it was asked for; it stops after so many calls."""

    def __init__(self, inner, stop_after=None):
        self._inner, self._left = inner, stop_after
        self.questions = self.embedded = self.decoded = 0

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def _count(self):
        if self._left is not None:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1

    def answer(self, views, questions):
        self._count()
        self.questions += len(questions)
        return self._inner.answer(views, questions)

    def embed(self, views):
        self._count()
        self.embedded += len(views)
        return self._inner.embed(views)

    def decode(self, embedding, instances):
        self.decoded += len(instances)
        return self._inner.decode(embedding, instances)


SAMPLES = {
    "the ship": (0, (5, 5, 15, 25), (5, 5, 15, 25)),
    "the tank": (0, (30, 10, 50, 30), (30, 10, 40, 30)),
    "a plane": (0, None, "empty"),
    "the road": (1, (0, 10, 60, 20), "I do not know."),
    "the pool": (1, None, (2, 2, 6, 6)),
    "the court": (2, (20, 20, 30, 30), (20, 20, 30, 30)),
}
