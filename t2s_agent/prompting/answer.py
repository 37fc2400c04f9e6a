"""What a prompter answers: instances for a segmenter, in View pixels, and the words around them."""

from dataclasses import dataclass
from typing import Literal

from t2s_agent.instance import Instance

Status = Literal["found", "empty", "unparsable"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one question about one View. `raw` and `thinking` are a model's words: data, never trusted.

    `fix` is the way out of an answer that cannot be read, "" where there is no better one than to ask in other words.
    """

    status: Status
    instances: tuple[Instance, ...] = ()
    thinking: str = ""
    raw: str = ""
    warnings: tuple[str, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    fix: str = ""
