"""Kinds of prompts: what of an answer's instances a segmenter is given."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from t2s_agent.instance import Instance

PromptKind = Literal["box+points", "box", "points"]
PROMPT_KINDS: tuple[PromptKind, ...] = get_args(PromptKind)


def prompts_of(instances: Sequence[Instance], kind: PromptKind) -> list[Instance]:
    """The instances as prompts of one kind. Those that have no such prompt (no box, no positive point) are left out."""
    if kind == "box":
        return [replace(each, positive=(), negative=()) for each in instances if each.box]
    if kind == "points":
        return [replace(each, box=None) for each in instances if each.positive]
    return list(instances)
