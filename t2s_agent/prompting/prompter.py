"""The one door through which the pipeline asks: views and questions in, answers in View pixels out."""

from collections.abc import Sequence
from typing import Protocol

from t2s_agent.prompting.answer import Answer
from t2s_agent.scene.view import View


class Prompter(Protocol):
    """Anything that turns a question about a View into prompts for a segmenter."""

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    @property
    def digest(self) -> str:
        """Identifies the weights; "" where that cannot be known, as for an endpoint. May read them when first asked."""
        ...

    @property
    def frame(self) -> str:
        """In words, which coordinates the model itself writes."""
        ...

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """One answer for each pair of view and question, in order. Coordinates come back in View pixels."""
        ...

    def tell(self, view: View, question: str) -> str:
        """A free answer in words to a question about a View: a model's claim, not a measurement."""
        ...
