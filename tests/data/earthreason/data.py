"""Two images as EarthReason lays them out: one with a field to find, one without a target; ids have dots."""

import json

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 32
FIELD = (4, 6, 20, 18)  # x1, y1, x2, y2
SAID = {
    "a.10": {
        "questions": ["Where could a small aircraft land?", "What is flat and free of trees?"],
        "answer": ["The field."],
    },
    "b.2": {"questions": ["Where is the lighthouse?"], "answer": []},
}


def label(id_):
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    if id_ == "a.10":
        x1, y1, x2, y2 = FIELD
        pixels[y1:y2, x1:x2] = 255
    return pixels


def write(root, split="test", bands=1):
    """ROOT/SPLIT/{images,labels,QAs}; labels of one band or of three."""
    for part in ("images", "labels", "QAs"):
        (root / split / part).mkdir(parents=True)
    for id_, said in SAID.items():
        pixels = label(id_)
        Image.fromarray(np.dstack([pixels // 3 + 40] * 3)).save(root / split / "images" / f"{id_}.jpg")
        Image.fromarray(np.dstack([pixels] * 3) if bands == 3 else pixels).save(root / split / "labels" / f"{id_}.png")
        (root / split / "QAs" / f"{id_}.json").write_text(json.dumps(said), encoding="utf-8")
    return root
