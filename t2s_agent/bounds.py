"""Defines the limits of a call's arguments, for the tools' schemas, the page, the command line and the library.

They are far above real needs. They prevent a single call from using a server's memory or minutes of its time.
"""

import math
from collections.abc import Sequence
from numbers import Real

from t2s_agent.errors import T2SError

MOST_POINTS = 200  # positive points of one refinement, and as many negative points
MOST_IDS = 65_535  # of regions in one list
LONGEST_QUERY = 2_000  # characters of a question or an instruction
LONGEST_NAME = 1_000  # characters of the name of an image or result
MOST_NESTING = 16  # lists and objects inside each other in one argument; the tools need two
LARGEST_LENGTH_M = 1e8  # metres: more than the Earth's circumference, 4e7
LARGEST_AREA_M2 = 1e15  # square metres: more than the Earth's surface, 5.1e14
LARGEST_INTEGER = 2**53  # above this, integers in JSON are not exact


def require_amount(name: str, value: float, most: float, unit: str) -> None:
    """Raises `argument_invalid` where a size or distance is not a number from 0 to `most`."""
    if not isinstance(value, Real) or math.isnan(value):
        why = "is not a number"
    elif value < 0:
        why = "is negative"
    elif value > most:
        why = "is too large"
    else:
        return
    raise T2SError(
        "argument_invalid",
        f"{name} = {value if isinstance(value, Real) else repr(value)} {why}",
        f"Give {unit} from 0 to {most:g}",
        name=name,
        value=value,
        most=most,
    )


def require_at_most(name: str, values: Sequence[object], most: int) -> None:
    """Raises `limit_exceeded` where a list (or a text) is longer than `most`."""
    if len(values) > most:
        kind = "characters" if isinstance(values, str) else "entries"
        raise T2SError(
            "limit_exceeded",
            f"{name} has {len(values)} {kind}",
            f"Give at most {most}",
            name=name,
            count=len(values),
            most=most,
        )


def depth_of(value: object, most: int = MOST_NESTING) -> int:
    """The nesting depth of lists and objects; `most` + 1 where it is larger than `most`."""
    depth, layer = 0, [value]
    while depth <= most:
        parts = [each for each in layer if isinstance(each, list | dict)]
        if not parts:
            return depth
        depth += 1
        layer = [inner for each in parts for inner in (each.values() if isinstance(each, dict) else each)]
    return depth
