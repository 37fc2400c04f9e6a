"""Reads the tokens that may call over HTTP from a file, again whenever the file changes.

A line is `name token`, or `name sha256:HEX` where the file should not hold the secret itself. A name may have several tokens, so
that one can be exchanged for another while both work. Blank lines and lines that begin with `#` say nothing.
"""

import hashlib
import hmac
import logging
import re
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.results.files import LOCAL

log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")
SHORTEST = 16  # characters of a token; 16 random ones cannot be guessed


class Tokens:
    """The tokens of a file. If the file is deleted, no token is valid; if it becomes invalid, the last valid version counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._known: list[tuple[bytes, str]] = []  # digest, name
        try:
            self._known, self._seen = _read(path), _state(path)
        except OSError as error:
            raise T2SError(
                "argument_invalid",
                f"the tokens file {path} cannot be read ({error.strerror})",
                "Create it: 'name token' a line",
            ) from error

    def owner(self, token: str) -> str | None:
        """Returns the name of a token's owner, or None."""
        self._reload_if_changed()
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, name in self._known:  # compare with all, so that the time reveals nothing
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _reload_if_changed(self) -> None:
        try:
            state = _state(self._path)
            if state == self._seen:
                return
            self._seen = state
            self._known = _read(self._path)
            log.warning("tokens read again: %d", len(self._known))
        except OSError:
            if self._known:
                log.error("the tokens file is missing: no token is valid")  # noqa: TRY400 (the message has the reason)
            self._seen, self._known = None, []
        except T2SError as error:
            log.error("tokens stay as they were: %s", error)  # noqa: TRY400 (the reason is said)


def _state(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> list[tuple[bytes, str]]:
    known = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, token = line.strip().partition(" ")
        token = token.strip()
        hashed = _HASH.fullmatch(token)
        if not _NAME.fullmatch(name) or name == LOCAL or " " in token or not (hashed or len(token) >= SHORTEST):
            raise T2SError(
                "argument_invalid",
                f"line {number} of {path.name} is not 'name token'",
                f"Write a name ({LOCAL!r} is taken), a blank, and a token of at least {SHORTEST} characters or sha256:HEX",
            )
        digest = bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(token.encode()).digest()
        known.append((digest, name))
    if not known:
        raise T2SError("argument_invalid", f"{path.name} has no tokens", "Write one 'name token' per line")
    return known
