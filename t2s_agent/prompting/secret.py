"""Removes an API key from a server's response, in all spellings in which a server may repeat it."""

import base64
import re
import urllib.parse
from collections.abc import Iterable

SHORTEST = 6  # characters; shorter keys are placeholders such as "x", and taking those out would spoil answers
_PART = 8  # characters of a key's beginning or end that are removed too: servers mask only the middle
PLACEHOLDERS = frozenset({"", "empty", "none", "null", "ollama", "no-key", "no-key-required", "sk-no-key-required"})

_BETWEEN = "[\\\\\u00ad\u200b-\u200f\u2060\ufeff]{0,4}"  # backslashes and characters of no width between those of a key


class Redaction:
    """Replaces a key by `[key]`: plain, escaped, URL-encoded, in base64 and hexadecimal, and long parts of its two ends."""

    def __init__(self, key: str) -> None:
        self._pattern = None if key.casefold() in PLACEHOLDERS or len(key) < SHORTEST else _pattern(key)

    def __call__(self, text: str) -> str:
        """`text` without the key."""
        return text if self._pattern is None else self._pattern.sub("[key]", text)


def _pattern(key: str) -> re.Pattern[str]:
    raw = key.encode("utf-8")
    spelled = [key, urllib.parse.quote(key, safe=""), urllib.parse.quote_plus(key), raw.hex()]
    spelled += [
        encode(before + raw).decode("ascii").rstrip("=")[:-1]  # the last character depends on what follows the key
        for before in (b"", b"Bearer ", b":")
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    ]
    forms = [re.escape(each) + "=*" for each in sorted(set(spelled), key=len, reverse=True)]
    forms.append(_BETWEEN.join(map(_escaped, key)))
    if len(key) >= 2 * _PART:
        forms += [_longest_first(key[:length] for length in range(len(key) - 1, _PART - 1, -1))]
        forms += [_longest_first(key[-length:] for length in range(len(key) - 1, _PART - 1, -1))]
    return re.compile("|".join(forms), re.IGNORECASE)


def _escaped(character: str) -> str:
    """Returns a pattern for one character as JSON, URLs and HTML may write it, because an answer's JSON is decoded later."""
    code = ord(character)
    return rf"(?:{re.escape(character)}|\\{{1,4}}u{code:04x}|\\{{1,4}}x{code:02x}|%{code:02x}|&#0{{0,4}}{code};|&#x0{{0,4}}{code:x};)"


def _longest_first(parts: Iterable[str]) -> str:
    return "|".join(re.escape(part) for part in parts)
