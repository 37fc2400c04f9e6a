"""Packs imagery with truth once, memory-mapped from then on: procedural scenes, iSAID crops, building crops.

    python -m training.nano.pack procedural --out runs/data/procedural --count 4000
    python -m training.nano.pack coco --source ../shared/data/isaid448/train.json --out runs/data/isaid
    python -m training.nano.pack semantic --source ../shared/data/landcover/semantic.json --only dubai_train --out runs/data/dubai

A packed folder holds `images.npy` uint8 (N, 448, 448, 3), `cover.npy` uint8 (N, 14, 14, 24) in 255ths, and `objects.npy`
float32 (M, 11): image, category, area share in millionths, box and two inside points in 0..1000.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evals.questions import CATEGORIES
from training.nano.image_tokens import CELL, GRID, SIDE

SMALLEST_PX = 12  # of an object's mask in the 448-px image: less is not asked for
LAND = ("water", "vegetation", "road", "bare land")
SMALLEST_PART_PX = 2000  # of land, 1 % of the image
MOST_PARTS = 6  # of one kind of land in an image, the largest


@dataclass(frozen=True, slots=True)
class Labelled:
    """One image (448, 448, 3) uint8 with masks (bool, 448 x 448) by category.

    `land` is what the ground is of; its larger parts stand among the objects too.
    """

    rgb: NDArray[np.uint8]
    objects: list[tuple[int, NDArray[np.bool_]]]
    land: list[tuple[int, NDArray[np.bool_]]]


def inside_points(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Two points in a mask, in its pixels: in each half along the longer axis the pixel nearest to the half's centroid."""
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
    """Box and two inside points of a mask in 0..1000: x1, y1, x2, y2, ax, ay, bx, by."""
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    crop = mask[y : ys.max() + 1, x : xs.max() + 1]
    ax, ay, bx, by = inside_points(crop)
    scale = 1000 / SIDE
    pixels = [x, y, x + crop.shape[1], y + crop.shape[0], ax + x, ay + y, bx + x, by + y]
    return [value * scale for value in pixels]


def cover_of(labelled: Labelled) -> NDArray[np.uint8]:
    """The share of each cell that each category covers, (14, 14, 24) in 255ths."""
    cover = np.zeros((GRID, GRID, 24), np.float32)
    ground = {category for category, _ in labelled.land}
    objects = [(category, mask) for category, mask in labelled.objects if category not in ground]
    for category, mask in [*objects, *labelled.land]:
        cover[..., category] += mask.reshape(GRID, CELL, GRID, CELL).mean((1, 3), dtype=np.float32)
    return np.asarray(np.round(np.clip(cover, 0, 1) * 255), dtype=np.uint8)


def parts_of(mask: NDArray[np.bool_], least: int = SMALLEST_PART_PX, most: int = MOST_PARTS) -> list[NDArray[np.bool_]]:
    """The connected parts of a mask of at least `least` pixels, the `most` largest."""
    from rasterio.features import rasterize, shapes
    from shapely.geometry import shape

    found = [shape(geometry) for geometry, _ in shapes(mask.astype(np.uint8), mask=mask)]
    large = sorted((part for part in found if part.area >= least), key=lambda part: -part.area)[:most]
    return [rasterize([part], out_shape=mask.shape, dtype=np.uint8).astype(bool) for part in large]


def with_parts(
    rgb: NDArray[np.uint8], objects: list[tuple[int, NDArray[np.bool_]]], land: list[tuple[int, NDArray[np.bool_]]]
) -> Labelled:
    """An image whose land's larger parts can be asked for."""
    parts = [(category, part) for category, mask in land for part in parts_of(mask)]
    return Labelled(rgb, objects + parts, land)


def procedural(seeds: range) -> Iterator[Labelled]:
    """Scenes of evals.scenes, one a seed."""
    from evals.scenes import draw

    index = {name: i for i, name in enumerate(CATEGORIES)}
    for seed in seeds:
        scene = draw(seed, size=SIDE)
        objects = []
        for thing in scene.objects:
            if thing.category in index and thing.mask.sum() >= SMALLEST_PX:
                full = np.zeros((SIDE, SIDE), bool)
                y, x = thing.offset
                full[y : y + thing.mask.shape[0], x : x + thing.mask.shape[1]] = thing.mask
                objects.append((index[thing.category], full))
        land = [(index[name], scene.land_mask(name)) for name in LAND]
        yield with_parts(scene.rgb, objects, [(category, mask) for category, mask in land if mask.any()])


def coco(source: Path, *, only: str = "") -> Iterator[Labelled]:
    """A COCO file beside a tar of its images (`isaid448`, `landcover`); other sizes than 448 are scaled."""
    from pycocotools import mask as coco_mask

    truth = json.loads(source.read_text(encoding="utf-8"))
    names = {row["id"]: only or row["name"] for row in truth["categories"]}
    index = {name: i for i, name in enumerate(CATEGORIES)}
    of_image: dict[int, list[dict[str, object]]] = {}
    for row in truth["annotations"]:
        of_image.setdefault(row["image_id"], []).append(row)
    with tarfile.open(source.with_suffix(".tar")) as tar:
        for image in truth["images"]:
            member = tar.extractfile(image["file_name"])
            assert member is not None
            with Image.open(io.BytesIO(member.read())) as opened:
                rgb = np.asarray(opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
            objects = []
            for row in of_image.get(image["id"], []):
                mask = coco_mask.decode(row["segmentation"]).astype(bool)
                if mask.shape != (SIDE, SIDE):
                    mask = np.asarray(Image.fromarray(mask).resize((SIDE, SIDE), Image.Resampling.NEAREST))
                if mask.sum() >= SMALLEST_PX:
                    objects.append((index[names[row["category_id"]]], mask))
            yield Labelled(rgb, objects, [])


def semantic(source: Path, split: str) -> Iterator[Labelled]:
    """A split of `landcover`'s Dubai scenes: land in parts; touching buildings are one."""
    truth = json.loads(source.read_text(encoding="utf-8"))["sets"][split]
    ours = {"building": "building", "land (unpaved)": "bare land"}
    kinds = {int(value): ours.get(name, name) for value, name in truth["classes"].items() if name != "unlabeled"}
    with tarfile.open(source.parent / truth["tar"]) as tar:

        def opened(name: str) -> Image.Image:
            member = tar.extractfile(name)
            assert member is not None
            return Image.open(io.BytesIO(member.read()))

        for row in truth["images"]:
            rgb = opened(row["image"]).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            classes = np.asarray(opened(row["mask"]).resize((SIDE, SIDE), Image.Resampling.NEAREST))
            land = [(CATEGORIES.index(name), classes == value) for value, name in kinds.items() if name in LAND]
            building = CATEGORIES.index("building")
            roofs = np.isin(classes, [value for value, name in kinds.items() if name == "building"])
            objects = [(building, part) for part in parts_of(roofs, least=100, most=60)]
            yield with_parts(np.asarray(rgb), objects, [(c, mask) for c, mask in land if mask.any()])


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
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    if options.kind == "coco":
        held = len(json.loads(options.source.read_text(encoding="utf-8"))["images"])
        pack(coco(options.source, only=options.only), min(options.count, held), options.out)
    elif options.kind == "semantic":
        held = len(json.loads(options.source.read_text(encoding="utf-8"))["sets"][options.only]["images"])
        pack(semantic(options.source, options.only), min(options.count, held), options.out)
    else:
        seeds = range(options.first_seed, options.first_seed + options.count)
        pack(procedural(seeds), options.count, options.out)


if __name__ == "__main__":
    main()
