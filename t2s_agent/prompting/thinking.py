"""Splits a model's text into thinking and answer: the answer is the text after the last closed thinking."""

import re
from dataclasses import dataclass

_WORDS = r"(?:[a-z_.-]{1,12}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|analysis|scratchpad)"
# <think>, <|thinking|>, <seed:think>, [THINK] (Mistral), ◁think▷ (Kimi), <|begin_of_thought|>, harmony's channels (gpt-oss),
# <unused94> (MedGemma), <|channel>thought (Gemma 4). A tag in quotes is a word about the format, not a tag.
_OPENING = (
    rf"<\|?\s?{_WORDS}\s?\|?>|\[{_WORDS}\]|◁think▷|<\|begin_of_thought\|>|<unused94>"
    r"|<\|channel\|>\s?(?:analysis|commentary)\s?<\|message\|>|<\|channel>thought"
)
_CLOSING = (
    rf"<\|?/\s?{_WORDS}\s?\|?>|\[/{_WORDS}\]|◁/think▷|<\|end_of_thought\|>|<unused95>"
    r"|<\|channel\|>\s?final\s?<\|message\|>|<channel\|>"
)
_OPENS = re.compile(rf"(?<![`\"'])(?:{_OPENING})(?![`\"'])", re.IGNORECASE)
_CLOSES = re.compile(rf"(?<![`\"'])(?:{_CLOSING})(?![`\"'])", re.IGNORECASE)
_ANSWER = re.compile(r"<\|?answer\|?>", re.IGNORECASE)
_ANSWER_END = re.compile(r"<\|?/answer\|?>", re.IGNORECASE)
_ECHO = re.compile(r"<think>\s{0,9}thinking process here\s{0,9}</think>", re.IGNORECASE)  # the prompt's words, repeated
_STARTS_WITH_LIST = re.compile(r"\s*(?:```\w*\s*)?[\[{]")


@dataclass(frozen=True, slots=True)
class Parts:
    """The two parts of a model's text. `unfinished` says why there is no answer after the thinking, "" if there is one."""

    thinking: str
    answer: str
    unfinished: str = ""


def split_thinking(raw: str, *, cut: bool = False) -> Parts:
    """Splits `raw` after its last closed thinking. `cut`: the text ended because its limit of tokens was reached.

    The opening tag may be missing, since many chat templates write it themselves. A thinking that was opened and not
    closed is unfinished, and so is a text that was cut off before it came to an answer of its own: a list in there is a draft.
    """
    raw = _ECHO.sub(" ", raw)
    closings = list(_CLOSES.finditer(raw))
    closed_at = closings[-1].end() if closings else 0
    thinking = raw[: closings[-1].start()] if closings else ""
    if opening := _OPENS.match(thinking.lstrip()):
        thinking = thinking.lstrip()[opening.end() :]
    rest = raw[closed_at:]
    if (opening := _opened(rest)) is not None:
        before, after = rest[: opening.start()], rest[opening.end() :]
        if _ANSWER_END.search(before):  # an answer, and then thoughts about it
            return Parts(thinking.strip(), before)
        return Parts((thinking + after).strip(), "", "its thinking was cut off or is not closed")
    if cut and not closings and not _begins_with_its_answer(rest):
        return Parts(rest.strip(), "", "the text was cut off before it came to an answer")
    if cut and closings and not rest.strip():
        return Parts(thinking.strip(), "", "the text was cut off before it came to an answer")
    return Parts(thinking.strip(), rest)


def _opened(rest: str) -> re.Match[str] | None:
    """Returns the first opening tag of thinking in `rest`, except inside an answer (a label may contain any text)."""
    answer = _ANSWER.search(rest)
    end = _ANSWER_END.search(rest, answer.end()) if answer else None
    for opening in _OPENS.finditer(rest):
        if not (answer and end and answer.end() <= opening.start() < end.start()):
            return opening
    return None


def _begins_with_its_answer(text: str) -> bool:
    """Whether a text without thinking starts with the answer itself, so that its complete items can be used."""
    stripped = text.lstrip()
    return _ANSWER.match(stripped) is not None or _STARTS_WITH_LIST.match(stripped) is not None
