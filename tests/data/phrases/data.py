"""Two images and three phrases, as RefSegRS (TIFF) and RISBench (PNG) lay them out."""

import numpy as np
from PIL import Image

SIDE = 16
LINES = {
    "refsegrs": ["demo_1 vehicle on the road", "demo_2 bare land", "demo_1 two  cars"],
    "risbench": ["demo.1.png the ship  on the left", "demo.2.png the harbour", "demo.1.png the second ship"],
}
FOLDERS = {"refsegrs": ("images", "masks"), "risbench": ("img_rgb", "mask")}


def target(index):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[2 : 6 + index, 3:9] = 255
    return mask


def write(root, name, split="test", bands=1):
    """ROOT/output_phrase_SPLIT.txt with images and masks; masks of one band or of three."""
    images, masks = (root / folder for folder in FOLDERS[name])
    images.mkdir(parents=True)
    masks.mkdir()
    (root / f"output_phrase_{split}.txt").write_text("\n".join(LINES[name]) + "\n", encoding="utf-8")
    for index, word in enumerate(sorted({line.split()[0] for line in LINES[name]})):
        file = f"{word}.tif" if name == "refsegrs" else word
        mask = target(index)
        Image.fromarray(np.full((SIDE, SIDE, 3), 80 + index, np.uint8)).save(images / file)
        Image.fromarray(np.dstack([mask] * 3) if bands == 3 else mask).save(masks / file)
    return root
