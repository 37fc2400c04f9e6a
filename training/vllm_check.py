"""Checks what vLLM saw: its prompt ids, which it gives back, have to be those that were sent.

TRL 1.16 sends prompts in which a picture is already expanded to its tokens, together with the picture. Where vLLM expands them again,
or its own processor resizes the picture, completions belong to another prompt, and nothing is learned, without an error. So every
generation is compared, and the first that differs stops the run before its loss is computed.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from t2s_agent.errors import T2SError

_FIX = "Use rollout.engine transformers or shared, vLLM's server mode, or a version of vLLM that takes expanded prompts"


def checked(generate: Callable[..., Any], image_token_id: int) -> Callable[..., Any]:
    """Wraps the `generate` of TRL's VLLMGeneration, whose result begins with the prompt ids that vLLM saw."""

    def compared(prompts: Sequence[Sequence[int]], *args: Any, **options: Any) -> Any:
        result = generate(prompts, *args, **options)
        require_same_prompts(prompts, result[0], image_token_id)
        return result

    return compared


def require_same_prompts(sent: Sequence[Sequence[int]], seen: Sequence[Sequence[int]], image_token_id: int) -> None:
    """Raises `model_failed` with the first difference, and with the numbers of image tokens where they differ."""
    if len(sent) != len(seen):
        raise T2SError("model_failed", f"vLLM answered {len(seen)} prompts, {len(sent)} were sent", _FIX)
    for number, (ours, theirs) in enumerate(zip(sent, seen, strict=True)):
        if list(ours) == list(theirs):
            continue
        images = [list(ids).count(image_token_id) for ids in (ours, theirs)]
        place = next(at for at, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b)
        what = f"vLLM saw another prompt {number}: {len(theirs)} tokens instead of {len(ours)}, the first at {place}"
        if images[0] != images[1]:
            what += f"; {images[1]} image tokens instead of {images[0]}"
        raise T2SError("model_failed", what, _FIX)
