"""Holds the truth of a procedural scene and writes it to disk."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

LAND = ("bare land", "vegetation", "water", "road", "pavement")  # values of SceneTruth.land


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One object: `mask` bool (h, w) of its visible pixels, `offset` the row and column of the mask's upper left pixel.

    `shapes` are its exact polygons, (N, 2) corners x, y in scene pixels; the object is their union.
    """

    id: int
    category: str
    mask: NDArray[np.bool_]
    offset: tuple[int, int]
    heading_deg: float
    length_m: float
    width_m: float
    shapes: tuple[NDArray[np.float64], ...] = ()

    def centroid(self) -> tuple[float, float]:
        """Returns the mean of its pixel centres, (x, y) in scene pixels."""
        ys, xs = np.nonzero(self.mask)
        return float(xs.mean() + 0.5 + self.offset[1]), float(ys.mean() + 0.5 + self.offset[0])


@dataclass(frozen=True, slots=True, eq=False)
class SceneTruth:
    """A scene: `rgb` uint8 (H, W, 3); `land` uint8 (H, W) indexes LAND; `transform` maps pixels to metres in `crs`."""

    seed: int
    theme: str
    rgb: NDArray[np.uint8]
    land: NDArray[np.uint8]
    objects: list[Object]
    gsd_m: float
    crs: CRS
    transform: Affine
    facts: dict[str, Any] = field(default_factory=dict)

    def mask_of(self, thing: Object) -> NDArray[np.bool_]:
        """Returns an object's mask in the whole scene, bool (H, W)."""
        full = np.zeros(self.land.shape, bool)
        y, x = thing.offset
        full[y : y + thing.mask.shape[0], x : x + thing.mask.shape[1]] = thing.mask
        return full

    def instances(self, category: str) -> list[NDArray[np.bool_]]:
        """Returns the masks of all objects of a category, each bool (H, W)."""
        return [self.mask_of(thing) for thing in self.objects if thing.category == category]

    def land_mask(self, name: str) -> NDArray[np.bool_]:
        """Returns where the ground is of a kind and has no object on it, bool (H, W)."""
        free = self.land == LAND.index(name)
        for thing in self.objects:
            if thing.category != "bridge":
                y, x = thing.offset
                free[y : y + thing.mask.shape[0], x : x + thing.mask.shape[1]] &= ~thing.mask
        return np.asarray(free)

    def distance_m(self, a: Object, b: Object) -> float:
        """Returns the shortest distance between pixel centres of two objects, in metres."""
        first, second = (np.argwhere(_edge(o.mask)) + o.offset for o in (a, b))
        gaps = ((first[:, None, :] - second[None, :, :]) ** 2).sum(-1)
        return float(np.sqrt(gaps.min()) * self.gsd_m)


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.pad(mask, 1)
    whole = inner[2:, 1:-1] & inner[:-2, 1:-1] & inner[1:-1, 2:] & inner[1:-1, :-2]
    return np.asarray(mask & ~whole)


def facts_of(objects: list[Object], gsd_m: float) -> dict[str, Any]:
    """Returns count and total area in square metres by category."""
    facts: dict[str, Any] = {}
    for thing in objects:
        row = facts.setdefault(thing.category, {"count": 0, "area_m2": 0.0})
        row["count"] += 1
        row["area_m2"] += float(thing.mask.sum()) * gsd_m**2
    return facts


def write_picture(truth: SceneTruth, path: Path, *, zlevel: int = 6) -> None:
    """Writes the image only, as a tiled GeoTIFF at `path`. A low `zlevel` is faster and makes slightly larger files."""
    height, width = truth.land.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "crs": truth.crs}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}
    options = {"zlevel": zlevel, "transform": truth.transform, "photometric": "rgb"}
    with rasterio.open(path, "w", **profile, **layout, **options) as file:
        file.write(np.moveaxis(truth.rgb, -1, 0))


def write(truth: SceneTruth, path: Path) -> None:
    """Writes a tiled GeoTIFF at `path`, and `<stem>.truth.json` in the same folder with facts and objects."""
    write_picture(truth, path)
    objects = [
        {
            "id": thing.id,
            "category": thing.category,
            "pixels": int(thing.mask.sum()),
            "centroid_px": [round(v, 2) for v in thing.centroid()],
            "heading_deg": round(thing.heading_deg, 1),
            "length_m": round(thing.length_m, 2),
            "width_m": round(thing.width_m, 2),
        }
        for thing in truth.objects
    ]
    record = {"seed": truth.seed, "theme": truth.theme, "gsd_m": truth.gsd_m, "facts": truth.facts, "objects": objects}
    path.with_suffix(".truth.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
