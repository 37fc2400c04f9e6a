"""Draws seeded masks of objects that overlap, repeat, have holes and touch the edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RADII_PX = (4.0, 25.0)
_REPEATED = 0.05  # share of masks that repeat an earlier one, moved by at most a pixel


@dataclass(frozen=True, slots=True)
class CroppedMask:
    """One cropped mask: bool (h, w), and the position of its upper left pixel."""

    pixels: NDArray[np.bool_]
    x: int
    y: int


def draw(count: int, side: int, seed: int) -> list[CroppedMask]:
    """Returns `count` masks in a square View of `side` pixels: discs, and blobs with irregular edges and holes."""
    rng = np.random.default_rng(seed)
    drawn: list[CroppedMask] = []
    while len(drawn) < count:
        if drawn and rng.random() < _REPEATED:
            twin = drawn[rng.integers(len(drawn))]
            x, y = twin.x + int(rng.integers(-1, 2)), twin.y + int(rng.integers(-1, 2))
            pixels = twin.pixels
        else:
            pixels = _blob(rng)
            x, y = (int(v) for v in rng.integers(-pixels.shape[0] // 2, side - pixels.shape[0] // 2, 2))
        left, top = max(0, -x), max(0, -y)
        inside = pixels[top : max(top, side - y), left : max(left, side - x)]
        if inside.any():
            drawn.append(CroppedMask(inside.copy(), x + left, y + top))
    return drawn


def _blob(rng: np.random.Generator) -> NDArray[np.bool_]:
    radius = rng.uniform(*RADII_PX)
    reach = int(np.ceil(radius)) + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    if rng.random() < 0.5:
        return np.asarray(distance < radius)
    waves = sum(rng.uniform(0, 0.12) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in range(2, 7))
    blob = distance < radius * (1 + waves)
    blob &= rng.random(blob.shape) > 0.004  # holes of one pixel
    return np.asarray(blob & ~((np.hypot(x - radius / 3, y) < radius / 5) & (rng.random() < 0.3)))
