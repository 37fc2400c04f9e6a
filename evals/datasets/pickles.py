"""Reads pickles that hold nothing but lists, dicts, texts and numbers.

A pickle may name any function and have it called when it is opened, so one from elsewhere is opened without any: those that
name a class or a function are refused, by its name.
"""

import pickle
from pathlib import Path
from typing import Any

from evals.datasets.problems import BrokenSample

MOST_BYTES = 2**29
_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and pickles may run what they name: refused")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"it refers to an object outside ({pid!r}): refused")


def plain(path: Path) -> Any:
    """What a pickle of plain values holds; BrokenSample where it is none, is larger than `MOST_BYTES`, or names a class."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BrokenSample("broken", str(path), f"is larger than {MOST_BYTES} bytes")
        with path.open("rb") as file:
            return _Plain(file, encoding="utf-8").load()  # Python 2 wrote texts as bytes
    except FileNotFoundError as error:
        raise BrokenSample("missing", str(path), "no such file") from error
    except _ERRORS as error:
        raise BrokenSample("broken", str(path), f"cannot be unpickled: {error}") from error
