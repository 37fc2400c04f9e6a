#!/bin/sh
# Hugging Face datasets drops what was done in place to an image that was opened from a file.
#
# One would guess: a function given to map() may change an image in place and return it, and the new dataset holds the changed pixels.
# What happens: if the image was opened from a path, only the path is stored. The drawn box is gone, and thumbnail() leaves the full
#   size. The same function on the same image works where the dataset holds the file's bytes (Parquet, the Hub); but a JPEG is then
#   encoded as JPEG a second time, and pixels that nobody touched change too. A copy is stored as PNG, exactly.
# Versions: datasets 5.2.0, Pillow 13.0.0.
# Why it matters: boxes, points and masks drawn on training images, or sizes that belong to scaled coordinates, vanish on the machine
#   with a folder of images and are there on the machine with the Parquet file. No error and no warning; the loss falls all the same.
# Where t2s-agent handles it: it keeps no image in an Arrow dataset; training/data.py makes each image from pixels when it is asked
#   for, and nothing is drawn on the images of a dataset in place.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet "datasets==5.2.0" "pillow==13.0.0" "numpy==2.2.6"
venv/bin/python -W ignore - <<'PY'
import sys
from pathlib import Path

import datasets
import numpy as np
import PIL
from datasets import Dataset, Features
from PIL import Image, ImageDraw

datasets.disable_progress_bars()
print("datasets", datasets.__version__, "Pillow", PIL.__version__)
noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype="uint8")
Image.fromarray(noise).save("a.png")
Image.fromarray(noise).save("a.jpg", quality=95)
column = Features({"image": datasets.Image()})


def draw(row):
    ImageDraw.Draw(row["image"]).rectangle((8, 8, 31, 31), fill="red")
    return row


def draw_on_copy(row):
    return draw({"image": row["image"].copy()})


def shrink(row):
    row["image"].thumbnail((32, 32))
    return row


seen = {}
for name in ("a.png", "a.jpg"):
    stored_as = {"path": name, "bytes": {"bytes": Path(name).read_bytes(), "path": None}}
    for held, value in stored_as.items():
        dataset = Dataset.from_list([{"image": value}], features=column)
        for change in (draw, draw_on_copy, shrink):
            image = dataset.map(change)[0]["image"]
            before, after = np.asarray(Image.open(name)), np.asarray(image)
            red = np.abs(after[12:28, 12:28].astype(int) - (255, 0, 0)).max() < 40
            other = int(np.abs(after[40:].astype(int) - before[40:]).max()) if after.shape == before.shape else None
            seen[name, held, change.__name__] = image.size[0], bool(red), other
            print(f"{name} held as {held:5} {change.__name__:12}: {image.size[0]} px, box {red}, untouched pixels differ by {other}")
expected = {
    ("a.png", "path", "draw"): (64, False, 0),
    ("a.png", "path", "draw_on_copy"): (64, True, 0),
    ("a.png", "path", "shrink"): (64, False, 0),
    ("a.png", "bytes", "draw"): (64, True, 0),
    ("a.png", "bytes", "draw_on_copy"): (64, True, 0),
    ("a.png", "bytes", "shrink"): (32, False, None),
    ("a.jpg", "path", "draw"): (64, False, 0),
    ("a.jpg", "path", "draw_on_copy"): (64, True, 0),
    ("a.jpg", "path", "shrink"): (64, False, 0),
    ("a.jpg", "bytes", "draw_on_copy"): (64, True, 0),
    ("a.jpg", "bytes", "shrink"): (32, False, None),
}
again = seen.pop(("a.jpg", "bytes", "draw"))
sys.exit(0 if seen == expected and again[:2] == (64, True) and again[2] > 10 else "the behaviour has changed")
PY
