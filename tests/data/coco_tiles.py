"""Writes a small instance set in COCO's format, with tiles that lie in blocks as iSAID's crops do."""

import json
from pathlib import Path

from PIL import Image

BLOCKS = (0, 1, 3, 4, 6, 8)  # of 400 tile numbers; the first four are two stretches of neighbours


def write_tiles(folder: Path, count: int = 24, *, annotated: bool = True) -> None:
    """Writes a COCO set of `count` pictures of 64 px, each with a square of its own, four tiles to each of BLOCKS."""
    (folder / "train").mkdir()
    (folder / "annotations").mkdir()
    images, annotations = [], []
    for number in range(count):
        name = f"{number:02d}.png"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(folder / "train" / name)
        tile = 400 * BLOCKS[number // 4] + 3 * (number % 4)
        images.append({"id": number, "file_name": name, "width": 64, "height": 64, "source_tile": tile})
        square = {"counts": [64 * 10 + 20, 8, 4096 - 64 * 10 - 28], "size": [64, 64]}
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [10, 20, 1, 8],
                "area": 8,
                "segmentation": square,
            }
        )
    listing = {
        "images": images,
        "annotations": annotations if annotated else [],
        "categories": [{"id": 1, "name": "plane"}, {"id": 2, "name": "ship"}],
    }
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(listing), encoding="utf-8")
