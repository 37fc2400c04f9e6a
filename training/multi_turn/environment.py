"""The environment of a two-turn rollout: the product's segmenter, its picture of a result, and its corrections.

The same object serves TRL as an environment (`reset`, and its one tool `look`) and the trainer's own second turn.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2s_agent.instance import Instance
from t2s_agent.pipeline.corrections import corrected
from t2s_agent.regions.build import build_regions, subset
from t2s_agent.regions.lineage import of_parent
from t2s_agent.regions.picture import draw_regions
from t2s_agent.regions.region import RegionSet, Source
from t2s_agent.segmenting.segmenter import Masks, Segmenter
from training.multi_turn.correction import Correction, read_correction
from training.recipe import Reward
from training.rewards.asked import Asked
from training.rewards.reading import read_completion

FIRST = (
    "\nDo not write the answer: call the function `look` once with the list of instances that the answer would have. "
    "You will see the masks that they lead to."
)
SECOND = (
    "The masks that your answer leads to are drawn on the picture and numbered ({number} in all). You may correct them once. "
    "Output your thinking process in <think> </think> tags, then one JSON object in <answer> </answer> tags: "
    "`positive_points` on what belongs to the target and is not covered, `negative_points` on what is covered and does not "
    "belong to it, `bbox_2d` around a target that is missing, `drop` with the numbers of masks to remove. Leave out what you "
    "do not need; an empty object keeps the masks as they are.\n"
    "i.e. <think> thinking process here </think> \n"
    '<answer>```json{{"negative_points": [[434, 474]], "drop": [2]}}```</answer>'
)

_FIRST_RESULT = "first"  # what the regions of the answer are the parts of, in their sources


class Correcting:
    """One rollout: `reset` to a question, `look` at the masks of an answer, then at most one correction.

    `ask` gives the question of an id and a style. Public methods are what TRL offers the policy as tools, so all others have an
    underscore; the trainer uses them.
    """

    def __init__(self, ask: Callable[[str, str], Asked], segmenter: Segmenter, reward: Reward) -> None:
        self._ask = ask
        self._segmenter = segmenter
        self._reward = reward
        self._start()

    def _start(self) -> None:
        self._answer: str | None = None  # the answer whose masks were shown
        self._regions: RegionSet | None = None
        self._correction = Correction()
        self._drawing = False

    def reset(self, id: str, style: str, **_: Any) -> str:
        """Begins with a question; returns what is said after its text."""
        self._start()
        self._asked = self._ask(id, style)
        return FIRST

    def look(self, instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Draws the masks of instances on the picture, so that they can be corrected once.

        Args:
            instances: The instances as in the answer, each with `bbox_2d` and points as the question asks for them.
        """
        return self._show(f"<think></think><answer>```json{json.dumps(instances)}```</answer>")

    def _show(self, answer: str) -> list[dict[str, Any]]:
        """Returns the picture with the masks of an answer, and what is said about it. Raises what the segmenter raises."""
        self._drawing = True
        read = read_completion(self._asked, answer, self._reward)
        view, masks = self._asked.view, self._drawn(read.instances)
        self._answer = answer
        self._regions = build_regions(
            masks.masks, view, scores=masks.scores, instances=read.instances, softness=masks.softness
        )
        self._drawing = False
        said = SECOND.format(number=len(self._regions.regions))
        return [
            {"type": "image", "image": draw_regions(view, self._regions)},
            {"type": "text", "text": said},
        ]

    def _correct(self, text: str) -> None:
        """Corrects the masks by the policy's second text, once."""
        if self._regions is None:
            raise RuntimeError("there is nothing to correct before the masks were shown")
        self._correction = how = read_correction(text, self._asked.frame)
        view, regions = self._asked.view, of_parent(self._regions, _FIRST_RESULT)
        if how.positive or how.negative or how.box:
            regions, _ = corrected(regions, view, how.positive, how.negative, how.box, self._drawn)
        if how.drop:
            dropped = {Source(_FIRST_RESULT, number) for number in how.drop}
            regions = subset(
                regions, [place for place, each in enumerate(regions.regions) if not dropped & set(each.sources)]
            )
        self._regions = regions

    def _union(self) -> NDArray[np.bool_]:
        """The pixels (H, W) of all regions as they are now."""
        if self._regions is None:
            raise RuntimeError("no masks were drawn")
        return self._regions.labels > 0

    def _drawn(self, instances: Sequence[Instance]) -> Masks:
        view = self._asked.view
        if not instances:
            return Masks.none(view.height, view.width)
        return self._segmenter.decode(self._segmenter.embed([view])[0], instances)
