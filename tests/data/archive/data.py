"""Makes tiny scenes with one bright square, and a script of answers about them; run it to make an archive of many.

python tests/data/archive/data.py FOLDER COUNT
"""

import json
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

TANKS, SHIPS = "Where are the tanks?", "Where are the ships?"


def write_scene(path, *, west=500_000.0, crs="EPSG:32631", side=32):
    """A scene of 1 m pixels with one bright square."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.full((3, side, side), 60, np.uint8)
    data[:, 8:16, 8:16] = 200
    place = {"crs": crs, "transform": from_origin(west, 5_700_000, 1, 1)} if crs else {}
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", **place) as file:
        file.write(data)


def said(*boxes):
    """A prompter's text that names these boxes."""
    return f"<think>a</think><answer>```json{json.dumps([{'bbox_2d': box} for box in boxes])}```</answer>"


def write_script(path):
    """Two tanks in every scene, no ship, and an answer to `odd` that cannot be read."""
    script = [
        {"question": TANKS, "raw": said([8, 8, 16, 16], [20, 20, 24, 28])},
        {"question": SHIPS, "raw": said()},
        {"question": "odd", "raw": "?"},
    ]
    path.write_text(json.dumps(script), encoding="utf-8")


def write_archive(folder, count, side=64):
    """`count` scenes in folders of a hundred, side by side on the ground, and script.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_script(folder / "script.json")
    for number in range(count):
        place = folder / "scenes" / f"{number // 100:03}" / f"s{number:05}.tif"
        write_scene(place, west=500_000 + side * number, side=side)


if __name__ == "__main__":
    write_archive(Path(sys.argv[1]), int(sys.argv[2]))
