"""A prompter that knows where everything is: it answers each window with the true boxes, cut to the window."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.models import Models
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.prompter import Prompter
from t2s_agent.scene import View
from t2s_agent.settings import Settings


class BoxPrompter:
    """Answers with `boxes` (N, 4: x1, y1, x2, y2 in scene pixels) that a View shows at least `least_px` pixels of a side of."""

    name = frame = "truth"

    def __init__(self, boxes: NDArray[np.float64], least_px: float = 1.0) -> None:
        self._boxes, self._least = boxes, least_px
        self._tree = shapely.STRtree(shapely.box(*boxes.T))
        self.digest = hashlib.sha256(boxes.tobytes()).hexdigest()
        self.asked = 0

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """One answer a view, without thinking."""
        self.asked += len(views)
        return [self._one(view) for view, _ in zip(views, questions, strict=True)]

    def tell(self, view: View, question: str) -> str:
        """Nothing: it only knows boxes."""
        del view, question
        return ""

    def _one(self, view: View) -> Answer:
        x, y, width, height = view.window
        near = self._tree.query(shapely.box(x, y, x + width, y + height))
        cut = np.clip(self._boxes[np.sort(near)] - (x, y, x, y), 0, (width, height, width, height))
        scaled = cut * (view.width / width, view.height / height, view.width / width, view.height / height)
        shown = scaled[((scaled[:, 2:] - scaled[:, :2]) >= self._least).all(1)]
        instances = tuple(Instance(tuple(box), label="thing") for box in shown.tolist())
        return Answer("found" if instances else "empty", instances, raw=json.dumps(shown.tolist()))


class BoxModels(Models):
    """The models of settings, with another prompter."""

    def __init__(self, settings: Settings, prompter: Prompter) -> None:
        super().__init__(settings)
        self._truth = prompter

    def prompter(self, name: str | None = None) -> Prompter:
        """The prompter that was given."""
        del name
        return self._truth
