"""A Griffe extension: examples in docstrings (`>>> ...`) are shown as code, not as Markdown text."""

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)


def fenced(text: str) -> str:
    """`text` with a fence around each block of examples: from a line with `>>>` to the next empty line."""
    return _EXAMPLE.sub(lambda block: f"```pycon\n{block[0]}\n```", text)


class DoctestBlocks(Extension):
    """Puts fences around the examples of every docstring that Griffe reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Changes the docstring of `obj` in place."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
