"""Defines the interface of prompters: views and questions in, answers in View pixels out."""

from collections.abc import Sequence
from typing import Protocol

from t2s_agent.prompting.answer import Answer
from t2s_agent.scene.view import View


class Prompter(Protocol):
    """Anything that turns a question about a View into prompts for a segmenter."""

    @property
    def name(self) -> str:
        """The name that the user gave."""
        ...

    @property
    def digest(self) -> str:
        """Identifies the weights; "" if that is unknown, as for an endpoint. The first access may read the weights."""
        ...

    @property
    def frame(self) -> str:
        """A description of the coordinates that the model itself writes."""
        ...

    def answer(self, views: Sequence[View], questions: Sequence[str]) -> list[Answer]:
        """Returns one answer per pair of view and question, in order, with coordinates in View pixels."""
        ...

    def tell(self, view: View, question: str) -> str:
        """Returns a free-text answer to a question about a View: a model's claim, not a measurement."""
        ...
