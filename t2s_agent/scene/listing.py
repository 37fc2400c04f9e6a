"""Which images the allowed folders hold, by the names that opening takes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2", ".j2k")
_MOST_ENTRIES = 20_000  # looked at in all, so that a huge folder costs no more than a second


def images_in(roots: Sequence[Path], most: int = 1_000) -> list[str]:
    """Names of the images in the roots, at most so many, each as `open_scene` takes it: relative to its root.

    Links to folders and hidden entries are not followed. Where two roots hold the same name, the second is named in full.
    """
    names: dict[str, None] = {}
    budget = _MOST_ENTRIES
    for root in (Path(os.path.realpath(root)) for root in roots):
        for path in _files(root, budget):
            budget -= 1
            if budget <= 0 or len(names) >= most:
                return list(names)
            if path.suffix.lower() in ENDINGS:
                name = path.relative_to(root).as_posix()
                names[name if name not in names else str(path)] = None
    return list(names)


def _files(folder: Path, most: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted((entry for _, entry in zip(range(most), entries, strict=False)), key=lambda e: e.name)
    except OSError:  # a folder that may not be read holds nothing for us
        return
    folders = []
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            folders.append(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
    for each in folders:
        yield from _files(each, most)
