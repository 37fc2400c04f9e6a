"""Lists the images in the allowed folders, by the names that `open_scene` accepts."""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2", ".j2k")
_MOST_ENTRIES = 20_000  # most entries read in total, so that a huge folder takes at most a second
_RESULT = re.compile(r"r_[0-9a-f]{24}")  # the folder of a result, whose mask and picture are no images to ask about
_DEEPEST = 32  # most levels of nested folders


@dataclass(slots=True)
class Listing:
    """Names of images; the number of entries that cannot be shown (`skipped`); whether all entries were read (`complete`)."""

    names: list[str] = field(default_factory=list)
    skipped: int = 0
    complete: bool = True

    def remark(self) -> str:
        """A warning about names that are missing; empty where none is missing."""
        counted = "1 entry" if self.skipped == 1 else f"{self.skipped} entries"
        parts = [f"{counted} could not be shown"] if self.skipped else []
        parts += [] if self.complete else ["there are more than could be listed"]
        return "; ".join(parts)


def images_in(roots: Sequence[Path], most: int = 1_000) -> Listing:
    """The images in the roots, at most `most`, each by a name that `open_scene` accepts: relative to its root.

    Links to folders, hidden entries and folders of results are skipped. Where two roots contain the same name, the second is an absolute path. An
    entry that cannot be shown is counted and left out: a name that is not UTF-8 or has control characters, a broken or circular
    link, a folder without read permission or below too many levels.
    """
    listing, names = Listing(), dict[str, None]()
    left = _MOST_ENTRIES
    for root in (Path(os.path.realpath(root)) for root in roots):
        waiting: list[tuple[str, int]] = [(str(root), 0)]
        while waiting:
            folder, depth = waiting.pop()
            listed = _entries(folder, left)
            if listed is None:
                listing.skipped += 1
                continue
            left -= len(listed)
            folders = []
            for entry in listed:
                kind = _kind(entry)
                if kind == "folder" and _RESULT.fullmatch(entry.name):
                    continue
                if kind == "folder" and depth < _DEEPEST:
                    folders.append((entry.path, depth + 1))
                elif kind == "image":
                    if len(names) >= most:
                        return _finished(listing, names, complete=False)
                    name = Path(entry.path).relative_to(root).as_posix()
                    names[name if name not in names else entry.path] = None
                elif kind in ("folder", "odd"):
                    listing.skipped += 1
            if left <= 0:
                return _finished(listing, names, complete=False)
            waiting += reversed(folders)
    return _finished(listing, names, complete=True)


def _finished(listing: Listing, names: dict[str, None], *, complete: bool) -> Listing:
    listing.names, listing.complete = list(names), complete
    return listing


def _entries(folder: str, most: int) -> list[os.DirEntry[str]] | None:
    """The entries of a folder, at most `most`, sorted by name; None without read permission."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for _, entry in zip(range(most), entries, strict=False)), key=lambda e: e.name)
    except OSError:
        return None


def _kind(entry: os.DirEntry[str]) -> str:
    """`folder`, `image`, `other`, or `odd`: a folder or image that cannot be shown."""
    if entry.name.startswith("."):
        return "other"
    try:
        folder = entry.is_dir(follow_symlinks=False)
        file = not folder and entry.is_file()
    except OSError:  # a circular link
        folder, file = False, entry.name.lower().endswith(ENDINGS)
        return "odd" if file else "other"
    candidate = folder or entry.name.lower().endswith(ENDINGS)
    if not candidate or (not folder and not file and not entry.is_symlink()):
        return "other"
    if not _can_be_shown(entry.path) or (not folder and not file):
        return "odd"
    return "folder" if folder else "image"


def _can_be_shown(path: str) -> bool:
    """Whether a path can be shown unchanged in UTF-8 on one line: a changed name could not be opened."""
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in path)
