"""Makes untrusted text safe to show: file names, labels, answers of models, arguments of callers.

Shown text goes to terminals, logs, JSON and HTTP headers. Control characters can overwrite a line of a terminal, bidirectional
overrides can make a name look like another, and a single surrogate cannot be encoded as UTF-8.
"""

import re


def plain(text: str, most: int) -> str:
    """The text with a blank for every unprintable character except line feeds, cut at `most` characters.

    Unprintable are the Unicode categories control, format, surrogate, private use and unassigned.
    """
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def one_line(text: str, most: int) -> str:
    """`plain` text with line feeds replaced by blanks too, for names, errors and steps of progress."""
    return plain(text, most).replace("\n", " ")


_USER = re.compile(r"(?<=[A-Za-z0-9]:)(/{1,3})[^\s/@?#'\"]*@")
_QUERY = re.compile(
    r"""((?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]*:/{1,3}[^\s?"<>]+|/vsi[a-z0-9_]+/[^\s?"<>]+)\?(?!\.\.\.)\S*?(?=['",;)\]}]*(?:\s|$))"""
)


def without_queries(text: str) -> str:
    """The text with no user names, passwords and queries in the addresses that it quotes: a query may hold a signature.

    >>> without_queries("'https://maps.example.org/a.tif?sig=abc&se=2' was refused")
    "'https://maps.example.org/a.tif' was refused"
    """
    return _QUERY.sub(r"\1", _USER.sub(r"\1", text))


def model_name(name: str) -> str:
    """The name of a model for clients, without its folder or the address of its server."""
    if name.startswith("scripted:"):
        return "scripted"
    if name.startswith(("http://", "https://")):
        return plain(name.partition("#")[2], 80)
    return plain(name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", ".", "~")) else name, 80)
