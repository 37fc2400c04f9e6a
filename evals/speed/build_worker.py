"""Builds regions of drawn masks once with whichever t2s_agent is on PYTHONPATH, and writes what came out and what it cost.

Run as a file, so that nothing of this checkout's package is imported: `python build_worker.py MASKS.npz OUT.npz`.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from t2s_agent.regions import build, polygons
from t2s_agent.scene import Georeference, View, Window


def view_of(side: int) -> View:
    """A black square of half a metre a pixel in UTM zone 33."""
    place = Georeference(CRS.from_epsg(32633), Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000))
    rgb, valid = np.zeros((side, side, 3), np.uint8), np.ones((side, side), bool)
    return View(rgb, valid, place, Window(0, 0, side, side), 0.5, (1, 2, 3))


def masks_for(given: Any, side: int) -> Any:
    """As this build takes them: cropped, or one full array for each."""
    count = len(given["x"])
    parts = [(given[f"pixels{i}"], int(given["x"][i]), int(given["y"][i])) for i in range(count)]
    # not by trying to import it: an editable installation would lend its own module to a checkout that has none
    mask_of = getattr(build, "Mask", None)
    if mask_of is None:
        stack = np.zeros((count, side, side), bool)
        for full, (pixels, x, y) in zip(stack, parts, strict=True):
            full[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        return stack
    return [mask_of(*part) for part in parts]


def main() -> None:
    given = np.load(sys.argv[1])
    side = int(given["side"])
    view = view_of(side)
    build.build_regions(masks_for(given, side)[:1], view)  # imports, PROJ's database
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    masks = masks_for(given, side)
    began, cpu = time.perf_counter(), time.process_time()
    regions = build.build_regions(masks, view, scores=given["scores"])
    cost = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - began,
        "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024,
    }
    outlines = [polygons.trace(regions.labels == region.id).wkb_hex for region in regions.regions]
    said = {"ids": [region.id for region in regions.regions], "warnings": regions.warnings, "outlines": outlines}
    stored = [region.geometry.wkb_hex for region in regions.regions]
    np.savez_compressed(sys.argv[2], labels=regions.labels, said=json.dumps(said), stored=json.dumps(stored))
    Path(sys.argv[2]).with_suffix(".json").write_text(json.dumps(cost), encoding="utf-8")


if __name__ == "__main__":
    main()
