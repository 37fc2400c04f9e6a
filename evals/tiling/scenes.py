"""Scenes of known objects for joining across seams: sizes, gaps and shapes with which rules of joining fail."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from t2s_agent.mask import Mask

SIDE = 4096  # pixels of the scenes; their seams are those of tiles of 1,024 px that share 128 px
_SEAM = 960  # in the middle of what the first two tiles share
_STRIDE = 896


@dataclass(frozen=True, slots=True)
class SeamScene:
    """`objects` do not share pixels. `holes` is the number of holes of all objects."""

    name: str
    width: int
    height: int
    objects: tuple[Mask, ...]
    holes: int = 0


def rectangle(x1: int, y1: int, x2: int, y2: int) -> Mask:
    return Mask(np.ones((y2 - y1, x2 - x1), bool), x1, y1)


def scattered(count: int, side: int, size: int = SIDE, gap: int = 2, seed: int = 0) -> tuple[Mask, ...]:
    """Squares at random places, at least `gap` pixels apart."""
    rng = np.random.default_rng(seed)
    places: list[tuple[int, int]] = []
    while len(places) < count:
        x, y = rng.integers(0, size - side, 2).tolist()
        if all(max(abs(x - u), abs(y - v)) >= side + gap for u, v in places):
            places.append((x, y))
    return tuple(rectangle(x, y, x + side, y + side) for x, y in places)


def houses() -> SeamScene:
    return SeamScene("400 houses of 30 px", SIDE, SIDE, scattered(400, 30))


def sheds() -> SeamScene:
    return SeamScene("60 sheds of 150 px", SIDE, SIDE, scattered(60, 150))


def fields() -> SeamScene:
    return SeamScene("12 fields of 500 px", SIDE, SIDE, scattered(12, 500))


def parcels() -> SeamScene:
    squares = [rectangle(512 * i, 512 * j, 512 * i + 511, 512 * j + 511) for i in range(8) for j in range(8)]
    return SeamScene("64 parcels, 1 px apart", SIDE, SIDE, tuple(squares))


def row_houses() -> SeamScene:
    rows = [rectangle(20 + 25 * i, 20 + 90 * j, 44 + 25 * i, 60 + 90 * j) for i in range(160) for j in range(9, 14)]
    return SeamScene("800 row houses, 1 px apart", SIDE, SIDE, tuple(rows))


def roads() -> SeamScene:
    return SeamScene("6 roads", SIDE, SIDE, tuple(rectangle(0, 200 + 600 * k, SIDE, 220 + 600 * k) for k in range(6)))


def l_road() -> SeamScene:
    """A road with a bend, and houses in the box around it."""
    road = np.zeros((3320, 3120), bool)
    road[:, :20] = True
    road[-20:] = True
    houses = [rectangle(x, y, x + 30, y + 30) for x in range(545, 3600, 178) for y in range(245, 3400, 178)]
    return SeamScene("L-shaped road, houses", SIDE, SIDE, (Mask(road, 500, 200), *houses))


def ring_road() -> SeamScene:
    """A road around a block, houses inside and outside."""
    ring = np.ones((2600, 2800), bool)
    ring[24:-24, 24:-24] = False
    inside = [rectangle(x, y, x + 40, y + 40) for x in range(640, 3300, 210) for y in range(740, 3200, 210)]
    outside = [rectangle(x, y, x + 40, y + 40) for x in (500, 3450) for y in range(100, 4000, 150)]
    return SeamScene("ring road, houses", SIDE, SIDE, (Mask(ring, 600, 700), *inside, *outside), holes=1)


def courtyards() -> SeamScene:
    """Buildings around a courtyard with a shed in it; seams and corners of tiles cut them."""
    found: list[Mask] = []
    for i in range(4):
        for j in range(4):
            x, y = _SEAM + _STRIDE * i - 150 + 20 * j, _SEAM + _STRIDE * j - 150 - 20 * i
            building = np.ones((300, 300), bool)
            building[60:-60, 60:-60] = False
            if x + 300 <= SIDE and y + 300 <= SIDE:
                found += [Mask(building, x, y), rectangle(x + 130, y + 130, x + 170, y + 170)]
    return SeamScene("courtyards, sheds in them", SIDE, SIDE, tuple(found), holes=len(found) // 2)


def river() -> SeamScene:
    """A river that crosses a seam again and again, houses on both sides."""
    ys = np.arange(SIDE)
    middle = _SEAM + 300 * np.sin(ys / 130)
    columns = np.arange(_SEAM - 400, _SEAM + 400)
    water = np.abs(columns[None] - middle[:, None]) <= 40
    houses = [
        rectangle(x, y, x + 30, y + 30)
        for y in range(20, SIDE - 40, 100)
        for x in range(_SEAM - 390, _SEAM + 360, 60)
        if not water[max(0, y - 4) : y + 34, x - _SEAM + 396 : x - _SEAM + 434].any()
    ]
    return SeamScene("winding river, houses", SIDE, SIDE, (Mask.of(water, _SEAM - 400, 0), *houses))


SCENES: tuple[Callable[[], SeamScene], ...] = (
    houses,
    sheds,
    fields,
    parcels,
    row_houses,
    roads,
    l_road,
    ring_road,
    courtyards,
    river,
)


def labels_of(scene: SeamScene) -> NDArray[np.int32]:
    """The objects as int32 (height, width), numbered from 1 in their order."""
    labels = np.zeros((scene.height, scene.width), np.int32)
    for number, mask in enumerate(scene.objects, 1):
        mask.paint(labels, number)
    return labels
