"""Converts imagery and its truth to memory-mapped arrays: procedural scenes, iSAID crops, building crops, land cover.

    python -m training.nano.pack procedural --out runs/data/procedural --count 4000
    python -m training.nano.pack coco --source ../shared/data/isaid448/train.json --out runs/data/isaid
    python -m training.nano.pack semantic --source ../shared/data/landcover/semantic.json --only dubai_train --out runs/data/dubai

A packed folder holds `images.npy` uint8 (N, 448, 448, 3), `cover.npy` uint8 (N, 14, 14, 24) in 255ths, and `objects.npy`
float32 (M, 11): image, category, area share in millionths, box and two inside points in 0..1000.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evals.datasets import Bank
from evals.datasets.coco import Coco
from evals.datasets.procedural import scenes
from evals.datasets.semantic import Semantic
from evals.questions import CATEGORIES
from training.nano.image_tokens import CELL, GRID, SIDE
from training.pool import part_of
from training.recipe import Source

SMALLEST_PX = 12  # smallest mask of an object in the 448-px image
LAND = ("water", "vegetation", "road", "bare land")
SMALLEST_PART_PX = 2000  # smallest part of land that is an object, 1 % of the image
Part = Literal["train", "validation"]
MOST_PARTS = 6  # of one kind of land in an image; the largest are taken


@dataclass(frozen=True, slots=True)
class Labelled:
    """One image (448, 448, 3) uint8 with masks (bool, 448 x 448) by category.

    `land` are the kinds of ground; their larger parts are in `objects` too.
    """

    rgb: NDArray[np.uint8]
    objects: list[tuple[int, NDArray[np.bool_]]]
    land: list[tuple[int, NDArray[np.bool_]]]


def inside_points(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Returns two points in a mask, in pixels: for each half along the longer axis, the pixel nearest to the half's centroid."""
    ys, xs = np.nonzero(mask)
    places = np.stack([xs, ys], axis=1) + 0.5
    centred = places - places.mean(0)
    if len(places) > 2:
        _, axes = np.linalg.eigh(centred.T @ centred)
        along = centred @ axes[:, -1]
    else:
        along = centred[:, 0]
    points = []
    for half in (along <= 0, along > 0):
        part = places[half] if half.any() else places
        points.append(part[np.argmin(((part - part.mean(0)) ** 2).sum(1))])
    points.sort(key=lambda p: (p[0], p[1]))
    (ax, ay), (bx, by) = points
    return float(ax), float(ay), float(bx), float(by)


def numbers_of(mask: NDArray[np.bool_]) -> list[float]:
    """Returns box and two inside points of a mask in 0..1000: x1, y1, x2, y2, ax, ay, bx, by."""
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    crop = mask[y : ys.max() + 1, x : xs.max() + 1]
    ax, ay, bx, by = inside_points(crop)
    scale = 1000 / SIDE
    pixels = [x, y, x + crop.shape[1], y + crop.shape[0], ax + x, ay + y, bx + x, by + y]
    return [value * scale for value in pixels]


def cover_of(labelled: Labelled) -> NDArray[np.uint8]:
    """Returns the share of each cell that each category covers, (14, 14, 24) in 255ths."""
    cover = np.zeros((GRID, GRID, 24), np.float32)
    ground = {category for category, _ in labelled.land}
    objects = [(category, mask) for category, mask in labelled.objects if category not in ground]
    for category, mask in [*objects, *labelled.land]:
        cover[..., category] += mask.reshape(GRID, CELL, GRID, CELL).mean((1, 3), dtype=np.float32)
    return np.asarray(np.round(np.clip(cover, 0, 1) * 255), dtype=np.uint8)


def parts_of(mask: NDArray[np.bool_], least: int = SMALLEST_PART_PX, most: int = MOST_PARTS) -> list[NDArray[np.bool_]]:
    """Returns the connected parts of a mask with at least `least` pixels, at most the `most` largest."""
    from rasterio.features import rasterize, shapes
    from shapely.geometry import shape

    found = [shape(geometry) for geometry, _ in shapes(mask.astype(np.uint8), mask=mask)]
    large = sorted((part for part in found if part.area >= least), key=lambda part: -part.area)[:most]
    return [rasterize([part], out_shape=mask.shape, dtype=np.uint8).astype(bool) for part in large]


def with_parts(
    rgb: NDArray[np.uint8], objects: list[tuple[int, NDArray[np.bool_]]], land: list[tuple[int, NDArray[np.bool_]]]
) -> Labelled:
    """Returns an image with the larger parts of its land among the objects."""
    parts = [(category, part) for category, mask in land for part in parts_of(mask)]
    return Labelled(rgb, objects + parts, land)


def procedural(seeds: range) -> Iterator[Labelled]:
    """Yields the scenes of evals.scenes, one for each seed."""
    for scene in scenes(seeds, SIDE):
        objects = [
            (CATEGORIES.index(name), mask.full(SIDE, SIDE)) for name, mask in scene.objects if name in CATEGORIES
        ]
        there = dict(scene.land)
        land = [(CATEGORIES.index(name), there[name]) for name in LAND if name in there]
        yield with_parts(scene.image, [each for each in objects if each[1].sum() >= SMALLEST_PX], land)


def coco(source: Path, *, only: str = "", part: Part | None = None) -> Iterator[Labelled]:
    """Yields the images of a COCO file with a tar in the same folder (`isaid448`, `landcover`); scales other sizes to 448.

    `part`: only the images of "train" or "validation", as a source of training.sft and training.grpo is divided.
    """
    chosen = images_of_part(source, part) if part else None
    for each in Coco(source.parent, source.stem, bank=Bank(kinds=())).labelled():
        if chosen is not None and each.image_id not in chosen:
            continue
        height, width = each.image.shape[:2]
        objects = [(CATEGORIES.index(only or name), _scaled(mask.full(height, width))) for name, mask in each.objects]
        yield Labelled(_resized(each.image), [each for each in objects if each[1].sum() >= SMALLEST_PX], [])


def images_of_part(source: Path, part: Part) -> set[str]:
    """Returns the file names of the images in a part, "train" or "validation", of a packed COCO split."""
    dataset = Source(dataset="isaid448", root=source.parent, split=source.stem, part=part)
    samples = Coco(source.parent, source.stem, bank=Bank(kinds=("name", "empty"))).samples()
    return {sample.image_id for sample in part_of(list(samples), dataset)}


def semantic(source: Path, split: str) -> Iterator[Labelled]:
    """Yields a split of `landcover`'s Dubai scenes: land in parts; touching buildings are one object."""
    building = CATEGORIES.index("building")
    for each in Semantic(source.parent, split, bank=Bank(kinds=())).labelled():
        scaled = [(name, _scaled(mask)) for name, mask in each.land]
        land = [(CATEGORIES.index(name), mask) for name, mask in scaled if name in LAND]
        roofs = [mask for name, mask in scaled if name == "building"]
        objects = [(building, part) for mask in roofs for part in parts_of(mask, least=100, most=60)]
        yield with_parts(_resized(each.image), objects, [(category, mask) for category, mask in land if mask.any()])


def _resized(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _scaled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mask.shape == (SIDE, SIDE):
        return mask
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)) > 0


def pack(images: Iterator[Labelled], count: int, out: Path) -> None:
    """Writes a packed folder of at most `count` images."""
    out.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(out / "images.npy", "w+", np.uint8, (count, SIDE, SIDE, 3))
    cover = np.lib.format.open_memmap(out / "cover.npy", "w+", np.uint8, (count, GRID, GRID, 24))
    rows = []
    for index, labelled in zip(range(count), images, strict=False):
        pixels[index] = labelled.rgb
        cover[index] = cover_of(labelled)
        for category, mask in labelled.objects:
            rows.append([index, category, mask.mean() * 1e6, *numbers_of(mask)])
        if index % 500 == 499:
            print(f"{index + 1} images, {len(rows)} objects", flush=True)
    np.save(out / "objects.npy", np.array(rows, np.float32).reshape(-1, 11))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["procedural", "coco", "semantic"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", type=Path)
    parser.add_argument(
        "--only", default="", help="the category of every annotation of a COCO file, or the split of a semantic one"
    )
    parser.add_argument("--part", choices=["train", "validation"], help="of a COCO file; default: all of it")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    if options.kind == "coco":
        listing = json.loads(options.source.read_text(encoding="utf-8"))["images"]
        held = len(images_of_part(options.source, options.part) if options.part else listing)
        pack(coco(options.source, only=options.only, part=options.part), min(options.count, held), options.out)
    elif options.kind == "semantic":
        held = len(json.loads(options.source.read_text(encoding="utf-8"))["sets"][options.only]["images"])
        pack(semantic(options.source, options.only), min(options.count, held), options.out)
    else:
        seeds = range(options.first_seed, options.first_seed + options.count)
        pack(procedural(seeds), options.count, options.out)


if __name__ == "__main__":
    main()
