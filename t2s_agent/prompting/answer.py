"""Defines `Answer`: a prompter's instances in View pixels, with the model's text; and the outcome of a question."""

from dataclasses import dataclass
from typing import Literal

from t2s_agent.instance import Instance

Status = Literal["found", "empty", "not_understood", "unparsable"]
Outcome = Literal["found", "partly", "empty", "not_understood"]  # of a result; an answer that is unparsable makes none
OUTCOMES: dict[Outcome, str] = {
    "found": "looked at all of the view, and found something (a smallest area may have left all of it out)",
    "partly": "looked at a scale at which small objects cannot be seen, or not at all of it: there may be more",
    "empty": "looked at all of the view, and nothing asked for is there",
    "not_understood": "the model does not know what was asked for; nothing is said about whether it is there",
}


def outcome(status: Status, count: int, *, coarse: bool, left_out: bool = False) -> Outcome:
    """Returns the outcome of a question with `count` regions left. `coarse`: the view is much coarser than the scene.

    `left_out`: regions were removed by the caller's smallest area, so that no region left does not mean that nothing is there.
    """
    if status == "not_understood" and not count:
        return "not_understood"
    if coarse:
        return "partly"
    return "found" if count or left_out else "empty"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one question about one View. `raw` and `thinking` are a model's text: data, never trusted.

    `not_understood`: the model says that it does not know what is asked for, or its vocabulary shows it. `fix` is the advice for
    an answer that cannot be read, "" if the only advice is to reword the question. `kind` names what is wrong with an answer that
    strict parsing refuses (`no_block`, `not_json`, `wrong_point_count` and others), so that they can be counted; else it is "".
    """

    status: Status
    instances: tuple[Instance, ...] = ()
    thinking: str = ""
    raw: str = ""
    warnings: tuple[str, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    fix: str = ""
    kind: str = ""
