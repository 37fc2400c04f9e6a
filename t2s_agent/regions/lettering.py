"""Provides the font of pictures, and replaces letters that it does not have: a box instead of a letter says nothing.

DejaVu Sans 2.37 (free licence in `fonts/LICENSE-DEJAVU`) has Latin, Greek, Cyrillic, Arabic, Armenian, Georgian and signs. No
font of a wheel's size has Chinese, Japanese and Korean letters.
"""

import unicodedata
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import groupby

from PIL import ImageFont, features

UNKNOWN = "[?]"  # instead of letters that the font does not have
UNKNOWN_WORDS = f"{UNKNOWN}: letters that this picture cannot show; the other files of the result have them"
_NOBODYS = "\U0010ffff"  # a code point that never has a letter: fonts draw their box for it


@lru_cache(maxsize=32)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font at a size in pixels."""
    with as_file(files("t2s_agent.regions") / "fonts" / "DejaVuSans.ttf") as path:
        return ImageFont.truetype(path, size)


def drawable(text: str) -> str:
    """The text with `UNKNOWN` for each run of letters that the font does not have."""
    runs = groupby(text, key=has)
    return "".join("".join(letters) if there else UNKNOWN for there, letters in runs)


@lru_cache(maxsize=4096)
def has(letter: str) -> bool:
    """Whether the font has a letter. Those that are written from right to left need libraqm, which Pillow may not have."""
    if unicodedata.bidirectional(letter) in ("R", "AL") and not features.check("raqm"):
        return False
    return letter.isspace() or _drawn(letter) != _drawn(_NOBODYS)


def _drawn(letter: str) -> bytes:
    return bytes(font_of(24).getmask(letter))
