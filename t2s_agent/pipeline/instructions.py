"""Parses the few instructions that are computed without a model: only those in which every word is known.

`only the largest`, `the three longest`, `keep the two northernmost`, `larger than 200 m2`, `shorter than 30 m`. Such words say what a
measure decides, and a model that looks at a picture decides it worse. Everything else is for a model.
"""

import math
import re
from dataclasses import dataclass

from t2s_agent.regions.units import METRES, Units


@dataclass(frozen=True, slots=True)
class ParsedInstruction:
    """The meaning of an instruction, as fields of a `Refinement` of the same names."""

    sort_by: str = ""
    descending: bool = False
    first: int = 0
    min_area_m2: float = 0.0
    max_area_m2: float | None = None
    min_length_m: float = 0.0
    max_length_m: float | None = None


# word -> the measure that regions are sorted by, and whether the largest comes first
_ORDERS = {
    **dict.fromkeys(("largest", "biggest"), ("area", True)),
    "smallest": ("area", False),
    "longest": ("length", True),
    "shortest": ("length", False),
    "widest": ("width", True),
    "narrowest": ("width", False),
}
_PLACES_ON_EARTH = {
    **dict.fromkeys(("northernmost", "most northern"), ("lat", True)),
    **dict.fromkeys(("southernmost", "most southern"), ("lat", False)),
    **dict.fromkeys(("easternmost", "most eastern"), ("lon", True)),
    **dict.fromkeys(("westernmost", "most western"), ("lon", False)),
}
_PLACES_IN_PIXELS = {
    **dict.fromkeys(("topmost", "uppermost"), ("y", False)),
    **dict.fromkeys(("bottommost", "lowermost"), ("y", True)),
    "leftmost": ("x", False),
    "rightmost": ("x", True),
}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# general words for regions; only a model could check the name of a thing
_REGIONS = "(?: (?:one|ones|region|regions|object|objects|of them|of these))?"
_KEEP = "(?:(?:keep|show|select|take|give) )?(?:(?:me )?(?:only|just) )?"
_AREA_UNITS = {"m2": 1.0, "m²": 1.0, "m^2": 1.0, "sq m": 1.0, "square metres": 1.0, "square meters": 1.0, "ha": 1e4}
_AREA_UNITS |= {
    "hectares": 1e4,
    "km2": 1e6,
    "km²": 1e6,
    "km^2": 1e6,
    "square kilometres": 1e6,
    "square kilometers": 1e6,
}
_LENGTH_UNITS = {"m": 1.0, "metres": 1.0, "meters": 1.0, "km": 1e3, "kilometres": 1e3, "kilometers": 1e3}
_MORE, _LESS = ("larger", "bigger", "longer"), ("smaller", "shorter")


def parse_instruction(instruction: str, units: Units = METRES) -> ParsedInstruction | None:
    """Returns the meaning of an instruction if every word of it is known; None if a model must be asked.

    Sizes in metres, and compass directions, are understood only on Earth, and left, right, top and
    bottom only where there is none: a picture's top need not be north.
    """
    words = " ".join(instruction.lower().split()).rstrip(".!")
    return _most(words, units) or (_size(words) if units.on_earth else None)


def _most(words: str, units: Units) -> ParsedInstruction | None:
    orders = _ORDERS | (_PLACES_ON_EARTH if units.on_earth else _PLACES_IN_PIXELS)
    count = "|".join((*_NUMBERS, "[1-9][0-9]{0,4}"))
    most = "|".join(map(re.escape, orders))
    found = re.fullmatch(f"{_KEEP}(?:the )?(?:(?P<count>{count}) )?(?P<most>{most}){_REGIONS}", words)
    if not found:
        return None
    said = found["count"] or "one"
    number = _NUMBERS.index(said) + 1 if said in _NUMBERS else int(said)
    sort_by, descending = orders[found["most"]]
    return ParsedInstruction(sort_by=sort_by, descending=descending, first=number)


def _size(words: str) -> ParsedInstruction | None:
    compared = "|".join((*_MORE, *_LESS))
    units = "|".join(sorted(map(re.escape, {*_AREA_UNITS, *_LENGTH_UNITS}), key=len, reverse=True))
    found = re.fullmatch(
        rf"{_KEEP}(?:(?:the )?(?:ones|regions|objects|those|all) )?(?:that are |which are )?(?P<compared>{compared}) than "
        rf"(?P<number>[0-9]{{1,12}}(?:[.][0-9]{{1,6}})?) ?(?P<unit>{units})",
        words,
    )
    if not found:
        return None
    more, unit = found["compared"] in _MORE, found["unit"]
    of_length = found["compared"] in ("longer", "shorter")
    if of_length != (unit in _LENGTH_UNITS):
        return None  # "larger than 30 m" may mean length or area
    limit = float(found["number"]) * (_LENGTH_UNITS if of_length else _AREA_UNITS)[unit]
    above, below = math.nextafter(limit, math.inf), math.nextafter(limit, -math.inf)
    if of_length:
        return ParsedInstruction(min_length_m=above) if more else ParsedInstruction(max_length_m=max(0.0, below))
    return ParsedInstruction(min_area_m2=above) if more else ParsedInstruction(max_area_m2=max(0.0, below))
