"""Writes scenes to disk; the docstring of the package lists the commands."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from evals.scenes import THEMES, SceneTruth, demo, draw, write


def draw_outlines(truth: SceneTruth) -> np.ndarray:
    """Returns the scene's image with the edge of each object in the colour of its category."""
    picture = truth.rgb.copy()
    names = sorted({thing.category for thing in truth.objects})
    for thing in truth.objects:
        mask = truth.mask_of(thing)
        inner = mask.copy()
        inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[2:, 1:-1] & mask[:-2, 1:-1] & mask[1:-1, 2:] & mask[1:-1, :-2]
        hue = names.index(thing.category) * 97 % 255
        picture[mask & ~inner] = (255, hue, 255 - hue)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", help="folder for --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--theme", choices=list(THEMES))
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--demo", type=Path, help="write the demo scene to this file")
    parser.add_argument("--sheet", type=Path, help="write an image of twelve scenes with their truth to this file")
    options = parser.parse_args()
    if options.demo:
        write(demo(), options.demo)
    elif options.sheet:
        scenes = [draw_outlines(draw(options.seed + i, size=options.size)) for i in range(12)]
        rows = [np.concatenate(scenes[i : i + 4], axis=1) for i in (0, 4, 8)]
        Image.fromarray(np.concatenate(rows, axis=0)).save(options.sheet)
    elif options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write(draw(options.seed, size=options.size, theme=options.theme), options.out / f"scene_{options.seed}.tif")
    else:
        parser.error("give an output: a folder, --demo FILE or --sheet FILE")


if __name__ == "__main__":
    main()
