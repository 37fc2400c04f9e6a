"""Two images with texts and polygons, as GRES is published: one with a part that is not scored, one with a false premise."""

import json

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 32, 40
CRANE = [[4.0, 4.0], [12.9, 4.0], [12.9, 10.0], [4.0, 10.0]]  # cut to whole pixels: 9 x 7 with its border
UNSURE = [[6, 6], [7, 6], [7, 7], [6, 7]]  # 2 x 2


def shape(label, points, name):
    return {
        "label": label,
        "labels": [label],
        "shape_type": "polygon",
        "image_name": name,
        "points": points,
        "flags": {},
    }


def entries():
    first, second = "lisat_gres_000000000010", "lisat_gres_000000000016"
    return {
        first: {
            "text": ["Locate the crane with a long boom.", "the crane"],
            "is_sentence": True,
            "shapes": [
                shape("ignore", UNSURE, f"{first}.jpg"),
                shape("target", CRANE, f"{first}.jpg"),
                shape("flag", [[0, 0], [39, 0], [39, 31]], f"{first}.jpg"),
            ],
        },
        second: {
            "text": ["Find the truck."],
            "is_sentence": True,
            "shapes": [shape("target", CRANE, f"{second}.jpg")],
            "false_premise_QA": [["Find the submarine.", True, "There is none."]],
        },
    }


def write(root, split="test", layout="gres_", said=None):
    """ROOT/gres_annotations and gres_images (or with another mark), or both in ROOT/SPLIT with `layout=""`."""
    annotations = root / f"{layout}annotations" / split if layout else root / split
    images = root / f"{layout}images" / split if layout else root / split
    for folder in {annotations, images}:
        folder.mkdir(parents=True, exist_ok=True)
    for name, entry in (said or entries()).items():
        (annotations / f"{name}.json").write_text(json.dumps(entry), encoding="utf-8")
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 120, np.uint8)).save(images / f"{name}.jpg")
    return root
