"""Looks at every image of a folder and prints what was seen as JSON: run in a process of its own, whose environment matters."""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import rasterio

from t2s_agent.scene import open_scene


def seen_by_us(path: Path) -> list[object]:
    """Pixels and validity of two Views, and the place."""
    with open_scene(path) as scene:
        views = [scene.view(max_size=size).digest() for size in (1024, 20, 13)]
        place = scene.georeference
        crs = place.crs.to_wkt() if place.crs else ""
        return [*views, str(place.transform), len(place.gcps), crs, [b.colour for b in scene.bands]]


def seen_plainly(path: Path) -> list[object]:
    """The same by rasterio alone, as the environment says."""
    try:
        with rasterio.open(path) as file:
            pixels = [hashlib.sha256(file.read(out_shape=(n, n)).tobytes()).hexdigest() for n in (40, 13)]
            mask = hashlib.sha256(file.dataset_mask().tobytes()).hexdigest()
            return [
                *pixels,
                mask,
                str(file.transform),
                file.crs.to_wkt() if file.crs else "",
                list(map(str, file.colorinterp)),
            ]
    except rasterio.errors.RasterioError as error:
        return [type(error).__name__]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    look = {"ours": seen_by_us, "plain": seen_plainly}[sys.argv[1]]
    images = [path for path in sorted(Path(sys.argv[2]).iterdir()) if not path.name.endswith(("w", ".xml"))]
    print(json.dumps({path.name: look(path) for path in images}))
