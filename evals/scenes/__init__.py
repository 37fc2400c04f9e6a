"""Procedural overhead scenes with exact truth: for tests, for training, and for the demo.

`draw(seed)` gives a `SceneTruth`: a picture that looks like overhead imagery, where on the ground it lies (UTM), and every
object in it as a mask that fits the drawn pixels. `write(truth, path)` makes a GeoTIFF and a truth file of it.

    python -m evals.scenes --seed 3 --theme harbour out/        one scene with its truth
    python -m evals.scenes --demo demo.tif                      the demo scene
    python -m evals.scenes --sheet sheet.png                    twelve scenes with their truth outlined
"""

from evals.scenes.compose import DEMO_SEED, THEMES, demo, draw
from evals.scenes.truth import LAND, Object, SceneTruth, write

__all__ = ["DEMO_SEED", "LAND", "THEMES", "Object", "SceneTruth", "demo", "draw", "write"]
