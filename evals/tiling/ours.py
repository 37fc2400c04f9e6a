"""Runs our joining and painting over the windows of a scene of known objects."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.tiling.scenes import SeamScene, scattered
from evals.tiling.truth import Truth
from t2s_agent.tiling.loading import Piece
from t2s_agent.tiling.outlines import outlines
from t2s_agent.tiling.painting import blocks, numbered
from t2s_agent.tiling.seams import join
from t2s_agent.tiling.windows import Tiling


@dataclass(frozen=True, slots=True)
class Joining:
    """`labels` int32 (H, W); `unsure` objects are marked."""

    labels: NDArray[np.int32]
    unsure: int
    holes: int


def joined(truth: Truth) -> Joining:
    """The objects of all windows as labels of the scene."""
    kept = {tile.index: truth(tile.index) for tile in truth.tiling}
    found = join(truth.tiling, kept.__getitem__)
    labels = np.zeros((truth.scene.height, truth.scene.width), np.int32)
    painted = list(blocks(truth.tiling, found, kept.__getitem__))
    for block in painted:
        height, width = block.labels.shape
        labels[block.y : block.y + height, block.x : block.x + width] = block.labels
    holes = sum(
        len(polygon.interiors)
        for _, outline in outlines(painted)
        for polygon in (outline.geoms if outline.geom_type == "MultiPolygon" else [outline])
        if polygon.area > 100  # not the specks between outlines that differ
    )
    return Joining(labels, found.unsure, holes)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one processor."""

    windows: int
    objects: int
    join_s: float
    paint_s: float  # numbers, labels of all blocks, outlines


def timed(size: int = 40_000, count: int = 2_000, side: int = 120, jitter: int = 3) -> Timing:
    """Time of joining and painting `count` squares at random places of a scene of `size` x `size` px; drawing them not included."""
    tiling = Tiling(size, size)
    truth = Truth(SeamScene("sparse", size, size, scattered(count, side, size)), tiling, jitter)
    kept: dict[int, list[Piece]] = {}
    for number, mask in enumerate(truth.scene.objects):
        for tile in tiling.tiles_at(tuple(np.add(mask.bounds, (-jitter, -jitter, jitter, jitter)).tolist())):
            if (seen := truth.one(number, tile.index, tile.box)).pixels.size:
                kept.setdefault(tile.index, []).append(Piece(tile.index * count + number, tile.index, seen))

    def pieces_of(tile: int) -> list[Piece]:
        return kept.get(tile, [])

    begin = time.process_time()
    found = join(tiling, pieces_of)
    middle = time.process_time()
    objects = numbered(tiling, found, pieces_of)
    drawn = sum(1 for _ in outlines(blocks(tiling, found, pieces_of, objects=objects)))
    return Timing(len(tiling), drawn, middle - begin, time.process_time() - middle)
