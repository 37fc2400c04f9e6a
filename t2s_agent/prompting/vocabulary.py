"""Checks whether a question asks for something outside the words that a small model was trained on.

A model's folder may contain `vocabulary.json`. Such a model knows a few classes and answers every question with the nearest of
them; the list says which questions it cannot answer. `python -m training.nano.vocabulary` measures how well that works.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.text import one_line
from t2s_agent.weights import read_settings

FILE = "vocabulary.json"
_WORD = re.compile(r"[^\W\d_]+(?:'s)?")
_PARTS = re.compile(r"[,;:.!?()/]|\b(?:and|or|but|found before)\b", re.IGNORECASE)
# After these words a phrase says where, which or whose, not what.
_TURN = frozenset(
    [
        "near",
        "next",
        "beside",
        "besides",
        "by",
        "close",
        "around",
        "along",
        "within",
        "inside",
        "outside",
        "behind",
        "between",
        "under",
        "below",
        "above",
        "over",
        "on",
        "onto",
        "at",
        "in",
        "into",
        "to",
        "from",
        "with",
        "without",
        "where",
        "that",
        "which",
        "who",
        "whose",
        "for",
        "off",
        "across",
        "against",
        "through",
        "near",
        "nearby",
        "adjacent",
        "is",
        "are",
        "was",
        "were",
        "lie",
        "lying",
    ]
)
# A question of this kind hints at something by what it does or has: its words need not name anything.
_HINTING = re.compile(
    r"\b(?:would|could|might|may|should|must|can|does|do|did|have|has|had|will|what|who|how|why|whose)\b"
    r"|\bwhere (?!is\b|are\b|the\b)|^\W*where (?:is|are) .*ed\W*$",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"^\W*(?:(?:please|could|can|would|will) you|what (?:about|is|are) (?:the|all|any)|how many|can i|could i|may i|i (?:would|d) like(?: to)?|do you)\b",
    re.IGNORECASE,
)

_MUCH = 4  # words of content; a question of so many is more than a name
_LONG = 5  # letters of a word by which a longer one is known: forest, forester
_SHORTEST_ED = 4  # letters, of words such as `outlined` and `parked`


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that a model was trained on. All words are stems (`stem`).

    `heads`: nouns that name a class by themselves or with one of the words beside them: noun -> those words, none where it stands
    alone. `words`: words of which at least one belongs to every question that hints at a class. `glue`: words that are in
    questions about anything.
    """

    classes: tuple[str, ...]
    heads: Mapping[str, frozenset[str]]
    words: frozenset[str]
    glue: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> "Vocabulary | None":
        """Returns the vocabulary of the model in a folder, None if it has none. Raises `model_unavailable` if the file is damaged."""
        if not (folder / FILE).is_file():
            return None
        written = read_settings(folder, FILE)
        try:
            heads = {str(head): frozenset(map(str, beside)) for head, beside in written["heads"].items()}
            words = frozenset(map(str, written["words"]))
            return cls(tuple(map(str, written["classes"])), heads, words, frozenset(map(str, written["glue"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise T2SError(
                "model_unavailable",
                f"{FILE} of {folder.name} is not a vocabulary",
                "Restore it from the model's source",
            ) from error

    def unknown(self, question: str) -> str:
        """Returns the part of a question that the model was not trained on, in the question's words; "" if it knows all or some.

        A short question that names something is judged by what it names first; one that hints at something, or says much, by all
        of its words.
        """
        asked = _POLITE.sub(" ", question)
        words = stems(asked)
        content = [word for word in words if self._is_content(word)]
        if not content:
            return ""
        if not _HINTING.search(asked) and len(content) < _MUCH:
            known = any(self._names(phrase) for phrase in self.named(asked))
        else:
            known = any(self._is_known(word) for word in content)
        return "" if known else _quoted(asked, self.glue)

    def named(self, question: str) -> list[list[str]]:
        """Returns the things that a question names: for each its words without function words, the noun last."""
        found: list[list[str]] = []
        for part in _PARTS.split(question):
            phrase: list[str] = []
            for word in stems(part):
                if phrase and word in ("of", "with"):  # blocks of flats, a yard with a pool: either may be the noun
                    found.append(phrase)
                    phrase = []
                elif phrase and (word in _TURN or (word.endswith("ed") and len(word) > _SHORTEST_ED)):
                    break
                elif self._is_content(word):
                    phrase.append(word)
            found += [phrase] if phrase else []
        return found

    def _is_content(self, word: str) -> bool:
        """Whether a word carries meaning for what is asked for."""
        return word in self.heads or (word not in self.glue and word not in _TURN)

    def _is_known(self, word: str) -> bool:
        """Whether the model was trained on a word, or on a shorter word with which it begins."""
        if word in self.words or word in self.heads:
            return True
        return any(word[:end] in self.words for end in range(_LONG, len(word)))

    def _names(self, phrase: Sequence[str]) -> bool:
        *beside, head = phrase
        taught = self.heads.get(head)
        if taught is None:
            return False
        return not taught or not beside or bool(taught & set(beside))

    def remark(self, name: str, unknown: str) -> str:
        """Returns the warning for the user."""
        last = stem(unknown.split()[-1][:60]) if unknown else ""
        own = {word for name in self.classes for word in stems(name)}
        near = [
            word
            for words in (own, self.heads)
            for word in get_close_matches(last, words, n=2, cutoff=0.82)
            if word != last
        ]
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(self.classes)
        return f"{one_line(name, 60)} was not taught {one_line(unknown, 40)!r}: {hint}it knows {known}"


def stems(text: str) -> list[str]:
    """Returns the words of a text in lower case, without plural and genitive endings."""
    return [stem(word) for word in _WORD.findall(text.replace("-", " "))]


def stem(word: str) -> str:
    """Returns a word as vocabularies store it: `boats`, `Boat's` and `boat` are the same."""
    word = word.lower().removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(?:s|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) else word


def _quoted(question: str, glue: frozenset[str]) -> str:
    """Returns the words of a question that say what is asked for."""
    return " ".join(word for word in _WORD.findall(question) if stem(word) not in glue and stem(word) not in _TURN)
