"""Counts the objects that are left of scenes with known objects, after windows of 1,024 px that share 128 px are joined.

    python -m evals.tiling seams                       ten scenes, outlines that differ by 0, 3 and 6 px between windows
    python -m evals.tiling seams --kind warp --scenes river,roads --tilings 10
    python -m evals.tiling time                        2,000 objects in 40,000 x 40,000 px: seconds a window

In each cell: objects left, in brackets those that are one to one with an object of the truth by overlap if these are fewer.
Ours is exact if no two objects are one and none is two. samgeo and sahi are in the table where they are installed. With --tilings
other sizes, overlaps and origins of windows are drawn, and the worst count is shown.
"""

import argparse
from collections.abc import Sequence
from typing import get_args

import numpy as np

from evals.tiling.ours import joined, timed
from evals.tiling.peers import PEERS, installed
from evals.tiling.scenes import SCENES, SIDE, SeamScene, labels_of
from evals.tiling.score import Score, scored
from evals.tiling.truth import Kind, Truth
from t2s_agent.tiling.windows import Tiling

JITTERS = (0, 3, 6)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.tiling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["seams", "time"])
    parser.add_argument("--kind", choices=get_args(Kind), default="sides", help="how outlines differ between windows")
    parser.add_argument(
        "--scenes", default="", help=f"of {', '.join(each.__name__ for each in SCENES)}; all if not given"
    )
    parser.add_argument("--tilings", type=int, default=1, help="number of tilings, the first of 1,024 px and 128 px")
    parser.add_argument("--size", type=int, default=40_000, help="time: pixels of a side")
    given = parser.parse_args(arguments)
    if given.what == "time":
        _time(given.size)
        return
    names = given.scenes.split(",") if given.scenes else [each.__name__ for each in SCENES]
    known = {each.__name__: each for each in SCENES}
    if unknown := set(names) - set(known):
        parser.error(f"there is no scene {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    versions = installed()
    print("peers:", ", ".join(f"{name} {version or 'is not installed'}" for name, version in versions.items()))
    peers = [name for name, version in versions.items() if version]
    print(
        "  ".join(
            [f"{'scene':28} {'differ':>6} {'truth':>5}  {'ours (unsure, holes)':>24}", *(f"{p:>12}" for p in peers)]
        )
    )
    for name in names:
        _rows(known[name](), given.kind, given.tilings, peers)


def _rows(scene: SeamScene, kind: Kind, tilings: int, peers: Sequence[str]) -> None:
    truth = labels_of(scene)
    for jitter in JITTERS:
        cells = []
        worst: tuple[int, str] = (-1, "")
        for seed in range(tilings):
            ours = joined(Truth(scene, tiling_of(scene, seed), jitter, kind, seed))
            score = scored(truth, ours.labels)
            off = len(scene.objects) * 2 - score.one_to_one + abs(score.found - len(scene.objects))
            worst = max(worst, (off, f"{_cell(score)} ({ours.unsure}, {ours.holes} of {scene.holes})"))
        for peer in peers:
            labels = PEERS[peer][1](Truth(scene, tiling_of(scene, 0), jitter, kind))
            cells.append(f"{_cell(scored(truth, labels)):>12}")
        print("  ".join([f"{scene.name:28} {jitter:4} px {len(scene.objects):5}  {worst[1]:>24}", *cells]), flush=True)


def tiling_of(scene: SeamScene, seed: int) -> Tiling:
    """The tiling of the table for seed 0, else one of another size, overlap and origin."""
    if seed == 0:
        return Tiling(scene.width, scene.height, 1024, 128)
    rng = np.random.default_rng(seed)
    tile, overlap = int(rng.integers(700, 1400)), int(rng.integers(100, 200))
    return Tiling(scene.width, scene.height, tile, overlap, (int(rng.integers(SIDE)), int(rng.integers(SIDE))))


def _cell(score: Score) -> str:
    return f"{score.found}" if score.found == score.one_to_one else f"{score.found} [{score.one_to_one}]"


def _time(size: int) -> None:
    found = timed(size)
    each = (found.join_s + found.paint_s) / found.windows
    print(
        f"{found.windows:,} windows, {found.objects:,} objects: joined in {found.join_s:.2f} s, painted and traced in "
        f"{found.paint_s:.2f} s of a processor, {each * 1000:.2f} ms a window"
    )
