"""Measures a model on a mosaic of unseen procedural scenes: windows against one look, and how far the answer moves with the windows.

`python -m evals.tiling mosaic --out DIR [--scenes 8] [--classes "storage tank" plane ship]`
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from evals.datasets.procedural import FIRST_SEED
from evals.scenes.compose import draw
from t2s_agent.mask import Mask, masks_in
from t2s_agent.pipeline import Engine, segment
from t2s_agent.regions.raster import read_mask
from t2s_agent.results.record import Record
from t2s_agent.settings import load_settings

SIDE, GSD_M = 512, 0.5  # of one scene of the mosaic
CLASSES = ("storage tank", "plane", "ship", "tennis court", "swimming pool", "baseball diamond")
_SAME_IOU = 0.5
_SHIFT = 200  # px by which the second look begins later


@dataclass(frozen=True, slots=True)
class Mosaic:
    """An image, and the masks of the objects of each class in its pixels."""

    image: Path
    objects: dict[str, list[Mask]]


def mosaic(path: Path, scenes: int, seed: int = FIRST_SEED["test"] + 500_000) -> Mosaic:
    """Draws `scenes` x `scenes` procedural scenes side by side into one GeoTIFF."""
    objects: dict[str, list[Mask]] = {}
    side = scenes * SIDE
    profile = {"width": side, "height": side, "count": 3, "dtype": "uint8", "crs": "EPSG:32631", "photometric": "RGB"}
    place = Affine(GSD_M, 0, 500_000, 0, -GSD_M, 5_600_000)
    with rasterio.open(path, "w", driver="GTiff", transform=place, tiled=True, compress="deflate", **profile) as file:
        for number in range(scenes**2):
            row, column = divmod(number, scenes)
            drawn = draw(seed + number, size=SIDE, gsd_m=GSD_M)
            window = rasterio.windows.Window(column * SIDE, row * SIDE, SIDE, SIDE)
            file.write(np.moveaxis(drawn.rgb, -1, 0), window=window)
            for thing in drawn.objects:
                y, x = thing.offset
                mask = Mask.of(thing.mask, column * SIDE + x, row * SIDE + y)
                objects.setdefault(thing.category, []).append(mask)
    return Mosaic(path, objects)


def found_in(engine: Engine, record: Record) -> list[Mask]:
    """The regions' masks in pixels of the scene. Masks of a coarser view are enlarged."""
    labels = read_mask(engine.store.artifact(record.id, "mask.tif"))
    x, y, width, height = record.scene.window
    if labels.shape != (height, width):
        rows = np.minimum((np.arange(height) * labels.shape[0]) // height, labels.shape[0] - 1)
        columns = np.minimum((np.arange(width) * labels.shape[1]) // width, labels.shape[1] - 1)
        labels = labels[rows][:, columns]
    return [mask.moved(x, y) for mask in masks_in(labels).values()]


def matched(found: list[Mask], true: list[Mask]) -> int:
    """How many of `true` have a mask of their own in `found` with an IoU of at least 0.5."""
    if not found or not true:
        return 0
    tree = shapely.STRtree(_boxes(found))
    used: set[int] = set()
    for mask, box in zip(true, _boxes(true), strict=True):
        near = [index for index in tree.query(box).tolist() if index not in used]
        best = max(near, key=lambda index: found[index].iou(mask), default=None)
        if best is not None and found[best].iou(mask) >= _SAME_IOU:
            used.add(best)
    return len(used)


def _boxes(masks: list[Mask]) -> NDArray[np.object_]:
    return np.asarray(shapely.box(*np.array([mask.bounds for mask in masks], np.float64).T))


def measure(engine: Engine, made: Mosaic, category: str) -> dict[str, Any]:
    """Objects found by windows and by one look, with precision; and the share of regions that are there again with other windows."""
    question, true = f"Where are the {category}s?", made.objects.get(category, [])
    full = segment(engine, made.image, question, mode="full")
    once = segment(engine, made.image, question, mode="overview")
    side = full.scene.width
    inner = (_SHIFT, _SHIFT, side, side)
    shifted = segment(engine, made.image, question, mode="full", bbox=inner, bbox_crs="pixels")
    by_windows, by_look, again = (found_in(engine, each) for each in (full, once, shifted))
    there = [mask for mask in by_windows if mask.x >= _SHIFT and mask.y >= _SHIFT]
    figures: dict[str, Any] = {"class": category, "true": len(true)}
    for name, masks in (("windows", by_windows), ("one look", by_look)):
        figures[name] = {"regions": len(masks), "right": matched(masks, true)}
    figures["windows"] |= {
        "unsure": full.tiling.unsure_objects if full.tiling else 0,
        "seconds": sum(full.seconds.values()),
    }
    figures["with other windows"] = {"of": len(there), "again": matched(again, there), "regions": len(again)}
    return figures


def main(arguments: list[str] | None = None) -> None:
    """Prints a line of JSON a class."""
    parser = argparse.ArgumentParser(prog="python -m evals.tiling mosaic", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the mosaic and the results")
    parser.add_argument("--scenes", type=int, default=8, help=f"scenes of {SIDE} px on a side of the mosaic")
    parser.add_argument("--classes", nargs="+", default=list(CLASSES))
    parser.add_argument("--prompter", default="nano")
    parser.add_argument("--segmenter", default="nano")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    made = mosaic(given.out / "mosaic.tif", given.scenes)
    engine = Engine.open(
        load_settings(store=given.out / "store", prompter=given.prompter, segmenter=given.segmenter, max_windows=10_000)
    )
    for category in given.classes:
        print(json.dumps(measure(engine, made, category)), flush=True)
