"""What a reward is computed from, and what comes out: a question as it was asked, and the judgement of one completion."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evals.datasets.sample import Truth
from t2s_agent.instance import Instance
from t2s_agent.mask import Mask
from t2s_agent.prompting.answer import Status
from t2s_agent.prompting.frames import Frame
from t2s_agent.prompting.style import PromptStyle
from t2s_agent.scene.view import View


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One question as the policy was asked it. `id` is that of the sample; equal ids have the same View and truth.

    `truth` is in View pixels; `frame` is the frame in which the policy writes about this View.
    """

    id: str
    view: View
    truth: Truth
    style: PromptStyle
    frame: Frame


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One completion's rewards by name, each in 0..1, and `total`, their sum weighted by the recipe.

    `rewards` has `mask`, `valid_json` and `valid_tags`, and `boxes`, `calibration` and `length` where the recipe gives them a weight.
    `iou` is that of the union of all masks with the truth, whatever the recipe rewards. `kind` says by a short name why strict
    parsing refused the completion, "" if it did not. `instances` (View pixels) are those that were segmented, `union` is the
    union of their masks; an unparsable completion has none.
    """

    rewards: Mapping[str, float]
    total: float
    iou: float
    status: Status
    kind: str
    instances: tuple[Instance, ...]
    union: Mask


def kinds_of(judged: Iterable[Judged]) -> Counter[str]:
    """How often each kind of unparsable completion occurred, by its name."""
    return Counter(each.kind for each in judged if each.kind)
