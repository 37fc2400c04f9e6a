"""Counts false remarks on overhead images and right ones on made pictures.

    python -m evals.not_overhead --root ../shared/data
    python -m evals.not_overhead --root ../shared/data --count 100 --scenes 200 --json numbers.json

The first table has overhead images: each remark is a false alarm. The second has pictures that are none, each kind also stored as
JPEG: each without the right remark is missed. Screenshots need a Chromium and are left out without one.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from evals.not_overhead.made import Pixels, as_jpeg, kinds, screenshots
from evals.not_overhead.real import TEST, TRAIN, archived, drawn, rasters, view_of
from t2s_agent.scene import View
from t2s_agent.scene.not_overhead import REMARKS, about_picture


@dataclass(frozen=True, slots=True)
class Count:
    """How many of some pictures have a remark; `right`: that of their kind. `named` are overhead images with one."""

    pictures: str
    of: int
    remarks: int
    right: int = 0
    named: tuple[str, ...] = ()


def false_alarms(name: str, views: Iterable[tuple[str, View]]) -> Count:
    """Counts the remarks on overhead images."""
    found = [(each, bool(about_picture(view))) for each, view in views]
    named = tuple(each for each, alarm in found if alarm)
    return Count(name, len(found), len(named), named=named)


def hits(name: str, kind: str, pictures: Iterable[Pixels]) -> Count:
    """Counts the remarks on pictures of a kind."""
    found = [about_picture(view_of(picture)) for picture in pictures]
    words = {remark: kind for kind, remark in REMARKS.items()}
    return Count(name, len(found), sum(map(bool, found)), sum(words[each[0]] == kind for each in found if each))


def measure(root: Path, count: int, scenes: int) -> tuple[list[Count], list[Count]]:
    """The false alarms on overhead images below `root`, and the hits on `count` pictures of each kind."""
    false = [false_alarms(name, archived(root, name)) for name in (*TRAIN, *TEST)]
    false += [false_alarms("geo", rasters(root)), false_alarms("procedural scenes", drawn(scenes))]
    right = [hits(name, kind, pictures) for name, (kind, pictures) in kinds(count).items()]
    shots = list(screenshots(count))
    if shots:
        right.append(hits("screenshot", "drawing", shots))
        right.append(hits("screenshot, JPEG", "drawing", [as_jpeg(shot, 75) for shot in shots]))
    return false, right


def table(false: Iterable[Count], right: Iterable[Count]) -> str:
    """Both tables as Markdown."""
    lines = ["| overhead images | pictures | false remarks |", "|---|---|---|"]
    for c in false:
        named = f" ({', '.join(c.named)})" if c.named else ""
        lines.append(f"| {c.pictures} | {c.of} | {c.remarks}{named} |")
    lines += ["", "| no overhead images | pictures | with a remark | with the right one |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {c.pictures} | {c.of} | {c.remarks} | {c.right} |" for c in right)])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.not_overhead", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder with isaid448, landcover and geo")
    parser.add_argument("--count", type=int, default=30, help="made pictures of each kind")
    parser.add_argument("--scenes", type=int, default=100, help="procedural scenes")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    given = parser.parse_args()
    false, right = measure(given.root, given.count, given.scenes)
    print(table(false, right))
    if given.json:
        numbers = {"false": [asdict(each) for each in false], "right": [asdict(each) for each in right]}
        given.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
