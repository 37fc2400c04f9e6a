"""Two pictures with a class for each pixel, as semantic sets are laid out: packed in a tar, and in folders."""

import io
import json
import tarfile

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 20, 30
CLASSES = {"0": "unlabeled", "1": "building", "2": "land (unpaved)", "3": "water"}
COLOURS = {"#000000": "unlabeled", "#ff0000": "building", "#00ff00": "land (unpaved)", "#0000ff": "water"}


def labels(index):
    """A building of 4 x 5 px on bare land, an unlabelled row; the second image has no building."""
    values = np.full((HEIGHT, WIDTH), 2, np.uint8)
    values[0] = 0
    if index == 0:
        values[5:9, 10:15] = 1
    return values


def encoded(array, palette=None):
    image = Image.fromarray(array)
    if palette:
        image = Image.fromarray(array, "P") if image.mode != "P" else image
        image.putpalette(palette)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def rgb(index):
    return encoded(np.repeat(labels(index)[..., None] * 60, 3, -1).astype(np.uint8))


def write_packed(root):
    """ROOT/semantic.json and ROOT/tiny_test.tar: masks with a palette."""
    pairs = [{"image": f"t{i}.png", "mask": f"t{i}_m.png", "scene": i + 1} for i in (1, 0)]
    listing = {"sets": {"tiny_test": {"tar": "tiny_test.tar", "classes": CLASSES, "images": pairs}}}
    (root / "semantic.json").write_text(json.dumps(listing), encoding="utf-8")
    with tarfile.open(root / "tiny_test.tar", "w") as tar:
        for i in (0, 1):
            for name, data in ((f"t{i}.png", rgb(i)), (f"t{i}_m.png", encoded(labels(i), [0, 0, 0, 9, 9, 9] * 128))):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return root


def write_folders(root, form="values"):
    """ROOT/images/test, ROOT/masks/test, ROOT/classes.json. `form`: "values", "three bands", "one bit" or "colours"."""
    classes = {"colours": COLOURS, "one bit": {"0": "unlabeled", "1": "building"}}.get(form, CLASSES)
    (root / "classes.json").write_text(json.dumps(classes), encoding="utf-8")
    for folder in ("images", "masks"):
        (root / folder / "test").mkdir(parents=True)
    table = np.array([[int(key[i : i + 2], 16) for i in (1, 3, 5)] for key in COLOURS], np.uint8)
    for i in (0, 1):
        values = labels(i)
        if form == "three bands":
            values = np.repeat(values[..., None], 3, -1)
        if form == "one bit":
            values = values == 1
        if form == "colours":
            values = table[values]
        (root / "images" / "test" / f"t.{i}.png").write_bytes(rgb(i))
        (root / "masks" / "test" / f"t.{i}.png").write_bytes(encoded(values))
    return root
