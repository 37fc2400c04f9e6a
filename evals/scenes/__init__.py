"""Draws procedural overhead scenes with exact truth, for tests, training and the demo.

`draw(seed)` returns a `SceneTruth`: an image that looks like overhead imagery, its georeference (UTM), and the exact mask of each
object. `write(truth, path)` writes a GeoTIFF and a truth file.

    python -m evals.scenes --seed 3 --theme harbour out/        one scene with its truth
    python -m evals.scenes --demo demo.tif                      the demo scene
    python -m evals.scenes --sheet sheet.png                    twelve scenes with their truth outlined
"""

from evals.scenes.compose import DEMO_SEED, THEMES, demo, draw
from evals.scenes.truth import LAND, Object, SceneTruth, write

__all__ = ["DEMO_SEED", "LAND", "THEMES", "Object", "SceneTruth", "demo", "draw", "write"]
