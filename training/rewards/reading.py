"""Reads a completion with the product's parser, and gives the rewards of its form."""

from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.instance import Instance
from t2s_agent.prompting.answer import Answer, Status
from t2s_agent.prompting.duplicates import without_duplicates
from t2s_agent.prompting.parsing import parse_answer, well_tagged
from t2s_agent.prompting.reading import read_answer
from training.recipe import Reward
from training.rewards.asked import Asked


@dataclass(frozen=True, slots=True)
class Read:
    """A completion's instances in View pixels, its rewards of form, and why strict parsing refused it ("" if it did not)."""

    status: Status
    instances: tuple[Instance, ...]
    valid_json: float
    valid_tags: float
    kind: str

    @property
    def nothing_said(self) -> bool:
        """Whether it is the answer that nothing asked for is there."""
        return self.status != "unparsable" and not self.instances


def read_completion(asked: Asked, completion: str, reward: Reward) -> Read:
    """Reads a completion: the text that the policy wrote, without its end token.

    `valid_json` is 1 where strict parsing accepts it: a ```json block, JSON without repairs, and for every instance exactly what the
    style asks for, with finite, ordered numbers inside the frame. With `reward.strict` what strict parsing refuses has no instances;
    else the instances are those that the product would use. Instances that repeat others are dropped (`reward.same`).
    """
    if asked.frame.y_first:
        raise T2SError(
            "argument_invalid", f"{asked.id}: the frame has y first", "Train a model whose frame has x first"
        )
    size = asked.frame.model.width, asked.frame.model.height
    strict = parse_answer(completion, frame=size, style=asked.style, strict=True)
    used = strict if reward.strict else read_answer(completion, asked.frame, same=reward.same)
    return Read(
        status=used.status,
        instances=_distinct(strict, asked, reward.same) if reward.strict else used.instances,
        valid_json=float(strict.status != "unparsable"),
        valid_tags=float(well_tagged(completion)),
        kind=strict.kind,
    )


def _distinct(answer: Answer, asked: Asked, same: float) -> tuple[Instance, ...]:
    """The instances in View pixels, without those that repeat others."""
    return without_duplicates([asked.frame.to_view(each) for each in answer.instances], same)[0]
