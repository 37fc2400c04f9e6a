"""Two refs, three sentences, as RRSIS-D lays them out."""

import json
import pickle

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 30, 40
BOXES = {11: (5, 5, 15, 20), 12: (20, 2, 38, 10)}  # x1, y1, x2, y2 by annotation


def run_lengths(box):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    x1, y1, x2, y2 = box
    mask[y1:y2, x1:x2] = 1
    return {"size": [HEIGHT, WIDTH], "counts": coco_mask.encode(mask)["counts"].decode()}


def sentence(id_, text):
    return {"sent_id": id_, "sent": text.lower(), "raw": text, "tokens": text.lower().split()}


def refs():
    return [
        {
            "ref_id": 2, "ann_id": 12, "image_id": 1, "category_id": 3, "split": "test", "file_name": "00001.jpg",
            "sent_ids": [3], "sentences": [sentence(3, "The bridge on the right")],
        },
        {
            "ref_id": 1, "ann_id": 11, "image_id": 1, "category_id": 3, "split": "test", "file_name": "00001.jpg",
            "sent_ids": [1, 2], "sentences": [sentence(1, "The ship on the left"), sentence(2, "A ship")],
        },
        {
            "ref_id": 3, "ann_id": 11, "image_id": 1, "category_id": 3, "split": "train", "file_name": "00001.jpg",
            "sent_ids": [4], "sentences": [sentence(4, "Only in training")],
        },
    ]  # fmt: skip


def listing():
    """Annotation 11 holds its run lengths in a list, as the set does, 12 as they are: both are read."""
    annotations = []
    for id_, (x1, y1, x2, y2) in BOXES.items():
        lengths = run_lengths((x1, y1, x2, y2))
        row = {"id": id_, "image_id": 1, "category_id": 3, "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
        annotations.append(
            row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": [lengths] if id_ == 11 else lengths}
        )
    images = [{"id": 1, "file_name": "00001.jpg", "height": HEIGHT, "width": WIDTH}]
    return {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "ship"}]}


def write(root, rows=None, lists=None):
    """ROOT/rrsisd/refs(unc).p, ROOT/rrsisd/instances.json, ROOT/images/rrsisd/JPEGImages."""
    images = root / "images" / "rrsisd" / "JPEGImages"
    images.mkdir(parents=True)
    (root / "rrsisd").mkdir()
    (root / "rrsisd" / "refs(unc).p").write_bytes(pickle.dumps(refs() if rows is None else rows))
    (root / "rrsisd" / "instances.json").write_text(json.dumps(lists or listing()), encoding="utf-8")
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(images / "00001.jpg")
    return root
