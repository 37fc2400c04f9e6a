"""Pairs of scenes: the same place at two dates, from a list or from two folders.

A list is a `.csv` or `.jsonl` file with `before`, `after` and, optionally, `id`: the name of the pair. Paths count from the folder of the
list. Of two folders, globs or item collections the scenes of one name are a pair, which has that name.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from t2s_agent.batch.scenes import PAIRS, Finder, SceneRef, find_scenes
from t2s_agent.errors import T2SError
from t2s_agent.text import one_line

_SHAPE = 'Write the columns before and after (id is optional), or lines {"before": ..., "after": ...}'


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs, each a scene with its `after`, and how many scenes of two folders have no partner."""

    scenes: list[SceneRef]
    alone: int = 0


def find_pairs(
    given: Sequence[str], *, root: Path | None = None, asset: str = "", leave_out: Path | None = None
) -> Pairs:
    """The pairs that lists name, or those of two folders. Raises `argument_invalid`, and what `find_scenes` raises."""
    if all(name.lower().endswith(PAIRS) for name in given):
        finder = Finder.of(root, asset, leave_out)
        return Pairs(_unique([pair for name in given for pair in _of_list(Path(name).expanduser(), finder)]))
    listed = any(name.lower().endswith(PAIRS) for name in given)
    if len(given) != 2 or root is not None or listed:
        raise T2SError(
            "argument_invalid",
            "--pair takes lists of pairs, or two folders, and --root counts for lists only",
            f"Name the folder of the earlier date and that of the later one, or a .csv or .jsonl list. {_SHAPE}",
        )
    before, after = (
        {scene.name: scene for scene in find_scenes([name], asset=asset, leave_out=leave_out)} for name in given
    )
    both = [replace(scene, after=after[name]) for name, scene in before.items() if name in after]
    if not both:
        raise T2SError(
            "argument_invalid",
            f"no scene has the same name in both, such as {', '.join([*list(before)[:1], *list(after)[:1]])}",
            f"Give the files of one place one name, or write a list. {_SHAPE}",
        )
    return Pairs(both, len(before) + len(after) - 2 * len(both))


def _of_list(path: Path, finder: Finder) -> Iterator[SceneRef]:
    for number, entry in _entries(path):
        before, after, id_ = (_text(entry, name) for name in ("before", "after", "id"))
        if not before or not after:
            raise T2SError("argument_invalid", f"line {number} of {path.name} does not name two images", _SHAPE)
        first, second = finder.listed(before, path.parent), finder.listed(after, path.parent)
        yield replace(first, name=one_line(id_, 300) or f"{first.name} > {second.name}", after=second)


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            reader = csv.DictReader(text.splitlines(keepends=True), strict=True, skipinitialspace=True)
            yield from ((reader.line_num, entry) for entry in reader)
        else:
            yield from ((i, json.loads(line)) for i, line in enumerate(text.splitlines(), 1) if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise T2SError("argument_invalid", f"the pairs of {path.name} cannot be read", _SHAPE) from error
    except (csv.Error, ValueError) as error:
        raise T2SError("argument_invalid", f"{path.name} is not CSV or JSON Lines", _SHAPE) from error


def _text(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _unique(pairs: list[SceneRef]) -> list[SceneRef]:
    if not pairs:
        raise T2SError("argument_invalid", "the list has no pairs", _SHAPE)
    known: dict[str, SceneRef] = {}
    for pair in pairs:
        same = known.setdefault(pair.name, pair)
        if same != pair:
            raise T2SError(
                "argument_invalid", f"two pairs have the id {one_line(pair.name, 100)!r}", "Give each an id of its own"
            )
    return list(known.values())
