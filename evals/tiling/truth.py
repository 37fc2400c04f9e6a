"""A segmenter that knows the objects: each tile gives them as cut by the tile, with outlines that differ between tiles if asked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.tiling.scenes import SeamScene
from t2s_agent.mask import EMPTY, Mask
from t2s_agent.tiling.agreement import cropped
from t2s_agent.tiling.loading import Piece
from t2s_agent.tiling.parts import grown
from t2s_agent.tiling.windows import Box, Tiling

# How a tile's outline differs: each side of the object's box moves; it grows or shrinks; every part of it is displaced on its own
Kind = Literal["sides", "grow", "warp"]
_NODE_PX = 48  # displacements are independent at this distance


@dataclass(frozen=True, slots=True)
class Truth:
    """Called with the index of a tile, it gives the pieces of that tile; the same ones each time.

    Outlines differ from the truth by up to `jitter` pixels, in each tile otherwise. Ids are `tile * len(objects) + object`.
    """

    scene: SeamScene
    tiling: Tiling
    jitter: int = 0
    kind: Kind = "sides"
    seed: int = 0

    def __call__(self, tile: int) -> list[Piece]:
        count = len(self.scene.objects)
        return [Piece(tile * count + k, tile, mask, 0.5) for k, mask in self.seen(self.tiling[tile].box, tile)]

    def seen(self, box: Box, window: int) -> list[tuple[int, Mask]]:
        """The objects that a window shows, and how; the number of the window decides how outlines differ in it."""
        near = (k for k, mask in enumerate(self.scene.objects) if _meet(_wider(mask.bounds, self.jitter), box))
        masks = ((k, self.one(k, window, box)) for k in near)
        return [(k, mask) for k, mask in masks if mask.pixels.size]

    def object_of(self, piece: int) -> int:
        """The object that a piece shows."""
        return piece % len(self.scene.objects)

    def one(self, number: int, window: int, box: Box) -> Mask:
        """One object as a window shows it."""
        mask = self.scene.objects[number]
        if not self.jitter:
            return cropped(mask, box)
        rng = np.random.default_rng((self.seed, number, window))
        change = {"sides": _moved_sides, "grow": _grown_or_shrunk, "warp": _warped}[self.kind]
        return cropped(change(mask, self.jitter, rng, box), box)


def _moved_sides(mask: Mask, jitter: int, rng: np.random.Generator, box: Box) -> Mask:
    """The mask stretched to its box with each side moved on its own."""
    x1, y1, x2, y2 = (np.array(mask.bounds) + rng.integers(-jitter, jitter + 1, 4)).tolist()
    if x1 >= x2 or y1 >= y2:
        return EMPTY
    left, top, right, bottom = max(x1, box[0]), max(y1, box[1]), min(x2, box[2]), min(y2, box[3])
    columns = ((np.arange(left, right) + 0.5 - x1) * mask.width / (x2 - x1)).astype(int)
    rows = ((np.arange(top, bottom) + 0.5 - y1) * mask.height / (y2 - y1)).astype(int)
    return Mask.of(mask.pixels[np.ix_(rows, columns)], left, top)


def _grown_or_shrunk(mask: Mask, jitter: int, rng: np.random.Generator, box: Box) -> Mask:
    by = int(rng.integers(-jitter, jitter + 1))
    near = cropped(mask, _wider(box, 2 * jitter))
    if not near.pixels.size or by == 0:
        return near
    if by > 0:
        return grown(near, by)
    around = Mask(~np.pad(near.pixels, -by), near.x + by, near.y + by)
    left = grown(around, -by)
    inner = left.pixels[-2 * by : 2 * by, -2 * by : 2 * by]
    return Mask.of(near.pixels & ~inner, near.x, near.y)


def _warped(mask: Mask, jitter: int, rng: np.random.Generator, box: Box) -> Mask:
    x1, y1, x2, y2 = _wider(mask.bounds, jitter)
    left, top, right, bottom = max(x1, box[0]), max(y1, box[1]), min(x2, box[2]), min(y2, box[3])
    if left >= right or top >= bottom:
        return EMPTY
    ys, xs = np.mgrid[top:bottom, left:right]
    xs = xs + _displacement(rng, jitter, ys.shape) - mask.x
    ys = ys + _displacement(rng, jitter, ys.shape) - mask.y
    inside = (xs >= 0) & (ys >= 0) & (xs < mask.width) & (ys < mask.height)
    return Mask.of(inside & mask.pixels[np.where(inside, ys, 0), np.where(inside, xs, 0)], left, top)


def _displacement(rng: np.random.Generator, jitter: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Smooth random displacements (h, w) from -jitter to jitter."""
    height, width = shape
    nodes = rng.uniform(-jitter, jitter, (height // _NODE_PX + 2, width // _NODE_PX + 2))
    y, x = np.arange(height) / _NODE_PX, np.arange(width) / _NODE_PX
    i, j = y.astype(int), x.astype(int)
    u, v = (y - i)[:, None], (x - j)[None]
    upper = nodes[np.ix_(i, j)] * (1 - v) + nodes[np.ix_(i, j + 1)] * v
    lower = nodes[np.ix_(i + 1, j)] * (1 - v) + nodes[np.ix_(i + 1, j + 1)] * v
    return np.asarray(np.rint(upper * (1 - u) + lower * u), np.int64)


def _wider(box: Box, by: int) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
