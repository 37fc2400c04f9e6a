"""Segments a scene by nano, several times, with whichever t2s_agent is on PYTHONPATH, and prints seconds and masks as JSON.

Run as a file: `python segment_worker.py SCENE TIMES`. Each time some pixels differ, so that no embedding is found in a cache.
"""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from t2s_agent.pipeline import Engine, segment
from t2s_agent.settings import load_settings

QUESTION = "Where are the storage tanks?"


def varied(scene: Path, seed: int, folder: Path) -> Path:
    """The scene with one value in ten changed by one."""
    copy = folder / f"{seed}.tif"
    copy.write_bytes(scene.read_bytes())
    with rasterio.open(copy, "r+") as file:
        pixels = file.read()
        changed = np.random.default_rng(seed).random(pixels.shape) < 0.1
        file.write(np.where(changed, pixels ^ 1, pixels))
    return copy


def main() -> None:
    scene, times = Path(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = Engine.open(
            load_settings(store=folder / "store", prompter="nano", segmenter="nano", device="cpu", max_size=1024)
        )
        runs = []
        for seed in range(times + 1):  # the first one loads the models
            image = varied(scene, seed, folder)
            began = time.perf_counter()
            result = segment(engine, image, QUESTION)
            took = time.perf_counter() - began
            labels = (engine.store.folder / result.id / "mask.tif").read_bytes()
            runs.append(
                {
                    "seconds": took,
                    "steps": result.seconds,
                    "mask": result.mask_sha256 or hashlib.sha256(labels).hexdigest(),
                    "regions": len(result.regions),
                }
            )
    print(json.dumps(runs[1:]))


if __name__ == "__main__":
    main()
