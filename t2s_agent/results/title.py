"""Keeps the name that a person gave a result, in a file beside its record, which never changes."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from t2s_agent.text import one_line

NAME = "name.txt"
LONGEST_TITLE = 120  # characters


def read_title(folder: Path) -> str:
    """The name of the result in `folder`; empty where it has none."""
    try:
        text = (folder / NAME).read_bytes()[: 8 * LONGEST_TITLE].decode("utf-8", "replace")
    except OSError:
        return ""
    return one_line(text.strip(), LONGEST_TITLE)


def write_title(folder: Path, title: str) -> str:
    """Names the result in `folder`, or takes its name away where `title` is empty; returns the name as it was kept.

    The folder's time stays, since results are deleted by their age. Raises OSError.
    """
    kept, before = one_line(title.strip(), LONGEST_TITLE), folder.stat()
    if kept:
        fresh = folder / f".{secrets.token_hex(8)}.new"
        try:
            fresh.write_text(kept + "\n", encoding="utf-8")
            fresh.replace(folder / NAME)
        finally:
            fresh.unlink(missing_ok=True)
    else:
        (folder / NAME).unlink(missing_ok=True)
    with suppress(OSError):  # of another user's folder the time cannot be set
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    return kept
