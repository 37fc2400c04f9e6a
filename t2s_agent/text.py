"""Words of strangers made safe to show: names of files, labels, answers of models, arguments of callers.

What is shown goes to terminals, logs, JSON and HTTP headers. Control characters can rewrite a terminal's line, bidirectional
overrides can make a name read as another, and half of a surrogate pair cannot be encoded as UTF-8 at all.
"""


def plain(text: str, most: int) -> str:
    """The text with a blank for every character that cannot be printed (line feeds stay), cut at `most` characters.

    What cannot be printed is what Unicode calls control, format, surrogate, private use or unassigned.
    """
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def one_line(text: str, most: int) -> str:
    """As `plain`, and line feeds become blanks too: for names, errors and steps of progress."""
    return plain(text, most).replace("\n", " ")


def model_name(name: str) -> str:
    """A model as agents may know it: without the folder that it lies in or the address that serves it."""
    if name.startswith("scripted:"):
        return "scripted"
    if name.startswith(("http://", "https://")):
        return plain(name.partition("#")[2], 80)
    return plain(name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", ".", "~")) else name, 80)
