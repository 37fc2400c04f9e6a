"""Two pictures with drawn ships and a harbour, as COCO sets are laid out: packed in a tar, in folders, and as iSAID is published."""

import io
import json
import tarfile

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 40, 60
SHIPS = ((5, 5, 10, 8), (30, 5, 50, 20))  # boxes x1, y1, x2, y2
HARBOR = (0, 30, 60, 36)
CATEGORIES = ("ship", "Harbor", "Large_Vehicle")  # iSAID mixes capitals and underscores


def picture(boxes=(), suffix="png"):
    """The bytes of a picture with light boxes on dark water."""
    pixels = np.full((HEIGHT, WIDTH, 3), (10, 40, 60), np.uint8)
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2] = (200, 190, 180)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if suffix == "png" else "JPEG")
    return buffer.getvalue()


def run_lengths(box):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    x1, y1, x2, y2 = box
    mask[y1:y2, x1:x2] = 1
    encoded = coco_mask.encode(mask)
    return {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}


def polygon(box):
    x1, y1, x2, y2 = box
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def annotation(id_, image, category, box, segmentation):
    x1, y1, x2, y2 = box
    whole = {"id": id_, "image_id": image, "category_id": category, "iscrowd": 0}
    return whole | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "segmentation": segmentation}


def listing(names=("b.1.png", "a.2.png")):
    """Of the first image two ships and a harbour, of the second one nothing; names have dots, and are not sorted."""
    images = [
        {"id": id_, "file_name": name, "height": HEIGHT, "width": WIDTH, "source_tile": 800 * id_}
        for id_, name in enumerate(names, 1)
    ]
    annotations = [
        annotation(1, 1, 1, SHIPS[0], run_lengths(SHIPS[0])),
        annotation(2, 1, 1, SHIPS[1], polygon(SHIPS[1])),
        annotation(3, 1, 2, HARBOR, run_lengths(HARBOR)),
    ]
    categories = [{"id": id_, "name": name} for id_, name in enumerate(CATEGORIES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_packed(root, split="test", rows=None):
    """ROOT/SPLIT.json and ROOT/SPLIT.tar."""
    rows = rows or listing()
    (root / f"{split}.json").write_text(json.dumps(rows), encoding="utf-8")
    with tarfile.open(root / f"{split}.tar", "w") as tar:
        for index, name in enumerate(dict.fromkeys(row["file_name"] for row in rows["images"])):
            data = picture(() if index else (*SHIPS, HARBOR))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return root


def write_folders(root, split="test", rows=None, layout="coco"):
    """COCO's layout, or iSAID's with `layout="isaid"`."""
    rows = rows or listing()
    annotations = root / "annotations" / f"instances_{split}.json"
    images = root / split
    if layout == "isaid":
        annotations, images = root / split / "Annotations" / f"iSAID_{split}.json", root / split / "images"
    annotations.parent.mkdir(parents=True)
    images.mkdir(parents=True, exist_ok=True)
    annotations.write_text(json.dumps(rows), encoding="utf-8")
    for index, row in enumerate(rows["images"]):
        (images / row["file_name"]).write_bytes(picture(() if index else (*SHIPS, HARBOR)))
    return root
