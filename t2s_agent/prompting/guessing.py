"""Guesses the tokens of an answer that its form decides, such as what stands between two numbers.

A wrong guess costs a little time and changes nothing: the model itself chooses each token.
"""

import re
from collections.abc import Sequence
from typing import Any

_DIGITS = re.compile(r"\d+")
_MOST = 4  # guesses at a time


def forms_of(tokenizer: Any, size: int) -> list[str]:
    """The form of each of a model's `size` tokens: its text, with `#` for numbers; empty for those that the tokenizer has not."""
    tokens = tokenizer.convert_ids_to_tokens(range(min(size, len(tokenizer))))
    forms = [_DIGITS.sub("#", token or "") for token in tokens]
    return forms + [""] * (size - len(forms))


class Guesses:
    """What followed before in the same place of an answer: so many tokens after a token of the same form that is no bare number."""

    def __init__(self, forms: Sequence[str]) -> None:
        self._forms = forms
        self._place = ("", 0)
        self._followed: dict[tuple[str, int], int] = {}

    def add(self, token: int) -> None:
        """Takes note of the next token of the answer."""
        if "#" in self._forms[token]:
            self._followed.pop(self._place, None)
        else:
            self._followed[self._place] = token
        self._place = self._after(self._place, token)

    def after(self, token: int) -> list[int]:
        """The tokens that will follow the next token, if it is this one; empty where that is not known."""
        place = self._after(self._place, token)
        found: list[int] = []
        while len(found) < _MOST and (guess := self._followed.get(place)) is not None:
            found.append(guess)
            place = self._after(place, guess)
        return found

    def _after(self, place: tuple[str, int], token: int) -> tuple[str, int]:
        form = self._forms[token]
        return (place[0], place[1] + 1) if form.strip(", ") == "#" else (form, 0)
