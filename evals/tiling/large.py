"""Measures scenes of any size with true prompts: recall, precision, time and peak memory, and what a kill does.

`python -m evals.tiling large --side 40000 --objects 2000 --out DIR [--kills 20]`
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from evals.tiling.boxes import BoxModels, BoxPrompter
from t2s_agent.pipeline import Engine, segment
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.settings import load_settings

GSD_M = 0.5
_STRIDE = 896  # of windows of 1,024 px with 128 px in common
_SAME_IOU = 0.8  # of a region with the true object


@dataclass(frozen=True, slots=True)
class LargeScene:
    """A scene and the boxes (N, 4: x1, y1, x2, y2 in pixels) of its objects."""

    image: Path
    boxes: NDArray[np.float64]


def large_scene(folder: Path, side: int, objects: int, seed: int = 0) -> LargeScene:
    """Writes a scene of `side` x `side` px, nearly all of it missing blocks, with objects of 10 to 60 px.

    About 15 % of them lie across the edges of windows.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(10, 61, (objects, 2))
    corners = np.stack([rng.integers(0, side - 64, objects), rng.integers(0, side - 64, objects)], 1)
    across = rng.random(objects) < 0.15
    seams = _STRIDE * rng.integers(1, max(2, side // _STRIDE), objects) + 64 * rng.integers(0, 3, objects)
    corners[across, 0] = np.minimum(seams - sizes[:, 0] // 2, side - 64)[across]
    boxes = _apart(np.hstack([corners, corners + sizes]).astype(np.float64))
    image = folder / f"scene-{side}.tif"
    profile = {"width": side, "height": side, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    place = Affine(GSD_M, 0, 500_000, 0, -GSD_M, 5_000_000)
    options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "SPARSE_OK": "TRUE", "compress": "deflate"}
    with rasterio.open(image, "w", driver="GTiff", transform=place, bigtiff="YES", **profile, **options):
        pass
    return LargeScene(image, boxes)


def _apart(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The boxes that are at least 4 px from every earlier one."""
    tree = shapely.STRtree(shapely.box(*(boxes + (-2, -2, 2, 2)).T))
    first, second = tree.query(shapely.box(*(boxes + (-2, -2, 2, 2)).T))
    dropped: set[int] = set()
    for one, other in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if one < other and one not in dropped:
            dropped.add(other)
    return boxes[[index for index in range(len(boxes)) if index not in dropped]]


def measure(scene: LargeScene, store: Path) -> dict[str, Any]:
    """Segments a scene with true prompts and box masks; recall, precision, seconds, peak memory of this process in MB."""
    settings = load_settings(store=store, segmenter="box", max_windows=10**6)
    engine = Engine.open(settings)
    engine.models = BoxModels(settings, BoxPrompter(scene.boxes))
    began = time.perf_counter()
    record = segment(engine, scene.image, "objects", mode="full")
    seconds = time.perf_counter() - began
    found = _boxes_of(engine, record.id)
    matched = _matched(found, scene.boxes)
    assert record.tiling is not None
    return {
        "windows": record.tiling.windows,
        "objects": len(scene.boxes),
        "regions": len(found),
        "recall": matched / len(scene.boxes),
        "precision": matched / max(1, len(found)),
        "unsure": record.tiling.unsure_objects,
        "seconds": round(seconds, 1),
        "steps": record.seconds,
        "peak_mb": _peak_mb(),
        "mask_sha256": record.mask_sha256,
        "id": record.id,
    }


def _peak_mb() -> int:
    """The largest resident memory of this process so far; getrusage would begin with that of the process that started it."""
    rows = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(round(int(row.split()[1]) / 1024) for row in rows if row.startswith("VmHWM"))


def _boxes_of(engine: Engine, result: str) -> NDArray[np.float64]:
    """The boxes of a result's regions in pixels of the scene."""
    regions = StoredRegions(engine.store.artifact(result, "regions.geojson"))
    with rasterio.open(engine.store.artifact(result, "mask.tif")) as mask:
        to_pixels, crs = ~mask.transform, mask.crs
    boxes = [_in_pixels(region.geometry, crs, to_pixels) for region in regions]
    return np.array(boxes, np.float64).reshape(-1, 4)


def _in_pixels(geometry: Any, crs: Any, to_pixels: Affine) -> tuple[float, ...]:
    from pyproj import Transformer

    points = shapely.get_coordinates(geometry)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(points[:, 0], points[:, 1])
    columns, rows = to_pixels @ (x, y)
    return columns.min(), rows.min(), columns.max(), rows.max()


def _matched(found: NDArray[np.float64], true: NDArray[np.float64]) -> int:
    """The number of true boxes that have a found box of their own with an IoU of at least 0.8."""
    ours, theirs = shapely.box(*found.T), shapely.box(*true.T)
    first, second = shapely.STRtree(ours).query(theirs)
    shared = shapely.area(shapely.intersection(theirs[first], ours[second]))
    union = shapely.area(theirs[first]) + shapely.area(ours[second]) - shared
    good = shared / union >= _SAME_IOU
    return min(len(set(first[good].tolist())), len(set(second[good].tolist())))


def kills(folder: Path, side: int, objects: int, times: int) -> dict[str, Any]:
    """Kills the work on a scene (SIGKILL) at random moments, starts it again each time, and compares with undisturbed work."""
    whole = _run(folder, side, objects, folder / "undisturbed")
    store, killed, rng = folder / "killed", 0, random.Random(0)
    limit = 0.2 * whole["seconds"]
    for _ in range(times):
        process = _start(folder, side, objects, store)
        try:
            process.communicate(timeout=3.0 + rng.random() * limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
    last = _run(folder, side, objects, store)
    same = [last[name] == whole[name] for name in ("mask_sha256", "regions", "recall", "precision", "unsure")]
    return {"kills": killed, "the same": all(same), "undisturbed": whole, "resumed": last}


def _start(folder: Path, side: int, objects: int, store: Path) -> "subprocess.Popen[bytes]":
    words = ["--side", str(side), "--objects", str(objects), "--out", str(folder), "--store", str(store), "--one"]
    return subprocess.Popen([sys.executable, "-m", "evals.tiling", "large", *words], stdout=subprocess.PIPE)


def _run(folder: Path, side: int, objects: int, store: Path) -> dict[str, Any]:
    """The figures of one whole run in a process of its own."""
    printed, _ = _start(folder, side, objects, store).communicate()
    return dict(json.loads(printed.splitlines()[-1]))


def main(arguments: list[str] | None = None) -> None:
    """Prints figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m evals.tiling large", description=__doc__)
    parser.add_argument("--side", type=int, nargs="+", default=[10_000, 40_000], help="pixels of a side of each scene")
    parser.add_argument(
        "--objects", type=int, default=2_000, help="in the largest scene; fewer in smaller ones, by area"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes and results")
    parser.add_argument("--kills", type=int, default=0, help="how often to kill the work on the first scene")
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.one:
        scene = large_scene(given.out, given.side[0], given.objects)
        print(json.dumps(measure(scene, given.store)))
        return
    if given.kills:
        print(json.dumps(kills(given.out, given.side[0], given.objects, given.kills), indent=1))
        return
    for side in given.side:
        objects = round(given.objects * (side / max(given.side)) ** 2)
        print(json.dumps({"side": side} | _run(given.out, side, objects, given.out / f"store-{side}")), flush=True)
