"""Draws large scenes in seconds: 3,000 to 8,000 pixels a side with hundreds or thousands of objects.

The objects are those of `evals.scenes.things`. The canvas differs from that of `compose`: bytes instead of floats, ground from one tile
of noise, and a coarse map of occupied cells, so that free positions are found without a test of every object. Masks stay cropped to
their objects.

    truth = draw_large(Plan(size=4000, gsd_m=0.6, layers=(Layer("ship", 300, (40, 160), "water"),), water=0.5), seed=3)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.crs import CRS

from evals.scenes import things
from evals.scenes.canvas import Canvas, Colour, Shape, disc, rectangle
from evals.scenes.truth import LAND, SceneTruth, facts_of

TILE_PX = 1024  # side of the noise tile, which is repeated in four orientations
CELL_PX = 4  # side of a cell in the map of occupied cells
TRIES = 60  # random positions to try for each planned object
_ONE_SAMPLE_PX2 = 2_000_000  # a shape whose box is larger is drawn without subpixels
GROUND: dict[str, Colour] = {
    "vegetation": (0.36, 0.44, 0.26),
    "water": (0.12, 0.23, 0.28),
    "bare land": (0.6, 0.52, 0.42),
    "pavement": (0.55, 0.55, 0.54),
}
Where = Literal["land", "water", "yard", "anywhere"]


@dataclass(frozen=True, slots=True)
class Layer:
    """`count` objects of one category, with random lengths in a range of pixels and a free gap in pixels around each."""

    category: str
    count: int
    length_px: tuple[float, float]
    where: Where = "land"
    gap_px: int = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a scene: `water` is the share of the scene, from the top, that is water; `yards` the number of rectangular yards on land.

    `words` are painted into the image as a distraction: they do not describe the scene.
    """

    size: int
    gsd_m: float
    layers: tuple[Layer, ...]
    water: float = 0.0
    yards: int = 0
    yard_px: tuple[float, float] = (300.0, 500.0)
    words: str = ""


class LargeCanvas(Canvas):
    """A canvas of bytes. Positions are in pixels, sizes in metres, as in `Canvas`."""

    rgb: NDArray[np.uint8]  # type: ignore[assignment]  # floats would take 768 MB at 8,000 pixels

    def __init__(self, size: int, gsd_m: float, rng: np.random.Generator) -> None:
        super().__init__(1, gsd_m, rng)
        self.size = size
        self.rgb = np.zeros((size, size, 3), np.uint8)
        self.land = np.zeros((size, size), np.uint8)
        self.gap_px = 0
        cells = -(-size // CELL_PX)
        self._taken = np.zeros((cells, cells), bool)

    def fill(self, kind: str, top: int, bottom: int) -> None:
        """Paints the rows from `top` up to, but not including, `bottom` with one kind of ground."""
        tile = _tile(self.rng, GROUND[kind])
        sides = (tile, tile[::-1], tile[:, ::-1], tile[::-1, ::-1])
        for y in range(top, bottom, TILE_PX):
            for x in range(0, self.size, TILE_PX):
                part = self.rgb[y : min(y + TILE_PX, bottom), x : x + TILE_PX]
                part[:] = sides[self.rng.integers(4)][: part.shape[0], : part.shape[1]]
        self.land[top:bottom] = LAND.index(kind)

    def alpha(self, shapes: Sequence[Shape]) -> tuple[NDArray[np.float32], int, int] | None:
        corners = np.concatenate(shapes)
        if float(np.prod(np.ptp(corners, axis=0))) < _ONE_SAMPLE_PX2:
            return super().alpha(shapes)
        x0, y0 = (max(0, int(v)) for v in np.floor(corners.min(0)))
        x1, y1 = (min(self.size, int(v) + 1) for v in np.ceil(corners.max(0)))
        image = Image.new("L", (x1 - x0, y1 - y0))
        for shape in shapes:
            ImageDraw.Draw(image).polygon([tuple(p) for p in (shape - (x0, y0) - 0.5).tolist()], fill=1)
        return np.asarray(image, np.float32), y0, x0

    def paint(self, shapes: Sequence[Shape], colour: Colour, *, grain: float = 0.02, opacity: float = 1.0) -> None:
        drawn = self.alpha(shapes)
        if drawn is None:
            return
        alpha, y, x = drawn
        part = self.rgb[y : y + alpha.shape[0], x : x + alpha.shape[1]]
        noise = self.rng.standard_normal(alpha.shape, np.float32)[..., None] * grain
        wanted = (np.asarray(colour, np.float32) + noise) * 255
        part[:] = np.clip(part + (wanted - part) * (alpha * opacity)[..., None], 0, 255).astype(np.uint8)

    def cast_shadow(self, shapes: Sequence[Shape], height_m: float) -> None:
        reach = np.array(self.shadow) * height_m / self.gsd_m
        drawn = self.alpha([shape + reach * step for shape in shapes for step in (0.5, 1.0)])
        if drawn is not None:
            alpha, y, x = drawn
            part = self.rgb[y : y + alpha.shape[0], x : x + alpha.shape[1]]
            part[:] = (part * (1 - 0.5 * alpha)[..., None]).astype(np.uint8)

    def free(self, shapes: Sequence[Shape], *, land: str | None = None) -> bool:
        """Returns whether the shapes' box with the gap around it is in the scene and touches no object so far."""
        x0, y0, x1, y1 = self._box(shapes)
        gap = self.gap_px
        if x0 < gap or y0 < gap or x1 > self.size - gap or y1 > self.size - gap:
            return False
        if self._taken[_cells(y0 - gap, y1 + gap), _cells(x0 - gap, x1 + gap)].any():
            return False
        return land is None or bool((self.land[y0:y1, x0:x1] == LAND.index(land)).all())

    def add(self, category: str, shapes: Sequence[Shape], heading: float, length_m: float, width_m: float) -> None:
        super().add(category, shapes, heading, length_m, width_m)
        x0, y0, x1, y1 = self._box(shapes)
        self._taken[_cells(y0, y1), _cells(x0, x1)] = True

    def open_yards(self, opened: bool) -> None:
        """Marks the yards as free for objects inside them, or as occupied for all others."""
        for thing in sorted(self.placed, key=lambda each: each.category != "yard"):
            top, left = thing.offset
            cells = _cells(top, top + thing.mask.shape[0]), _cells(left, left + thing.mask.shape[1])
            self._taken[cells] = not opened or thing.category != "yard"

    @staticmethod
    def _box(shapes: Sequence[Shape]) -> tuple[int, int, int, int]:
        corners = np.concatenate(shapes)
        (x0, y0), (x1, y1) = np.floor(corners.min(0)), np.ceil(corners.max(0))
        return int(x0), int(y0), int(x1), int(y1)


def _cells(first: int, last: int) -> slice:
    return slice(max(0, first) // CELL_PX, -(-last // CELL_PX))


def _tile(rng: np.random.Generator, colour: Colour) -> NDArray[np.uint8]:
    """Returns a tile of ground (TILE_PX, TILE_PX, 3): fine grain on slow changes of brightness."""
    coarse = rng.normal(size=(20, 20)).astype(np.float32)
    slow = np.asarray(Image.fromarray(coarse).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC))
    noise = 0.05 * slow + 0.05 * rng.standard_normal((TILE_PX, TILE_PX), np.float32)
    painted = np.asarray(colour, np.float32) * (1 + noise[..., None])
    return np.asarray(np.clip(painted * 255, 0, 255), np.uint8)


def draw_large(plan: Plan, seed: int) -> SceneTruth:
    """Returns the scene of a plan and a seed, always with the same pixels. It has fewer objects than planned if there is no room."""
    rng = np.random.default_rng([seed, plan.size])
    canvas = LargeCanvas(plan.size, plan.gsd_m, rng)
    shore = round(plan.size * plan.water)
    if shore:
        canvas.fill("water", 0, shore)
    if shore < plan.size:
        canvas.fill("vegetation", shore, plan.size)
    yards = _yards(canvas, plan, shore)
    for layer in plan.layers:
        _fill_layer(canvas, layer, shore, yards)
    if plan.words:
        _write_words(canvas, plan.words)
    zone = 32601 + int(rng.integers(60))
    east, north = rng.uniform(400_000, 600_000), rng.uniform(4_000_000, 6_000_000)
    transform = Affine(plan.gsd_m, 0, round(east), 0, -plan.gsd_m, round(north))
    facts = facts_of(canvas.placed, plan.gsd_m)
    crs = CRS.from_epsg(zone)
    return SceneTruth(seed, "large", canvas.rgb, canvas.land, canvas.placed, plan.gsd_m, crs, transform, facts)


def _yards(canvas: LargeCanvas, plan: Plan, shore: int) -> list[tuple[float, float, float, float]]:
    """Adds the yards as objects and returns x, y, length and width of each in pixels; other objects may be inside them."""
    canvas.gap_px = 40
    found: list[tuple[float, float, float, float]] = []
    for _ in range(plan.yards * TRIES):
        if len(found) == plan.yards:
            break
        length, width = canvas.rng.uniform(*plan.yard_px, 2)
        x, y = canvas.rng.uniform(0, canvas.size), canvas.rng.uniform(shore + width / 2, canvas.size)
        shape = [canvas.place(rectangle(length * canvas.gsd_m, width * canvas.gsd_m), x, y, 0.0)]
        if canvas.free(shape):
            canvas.cover_ground("bare land", shape, GROUND["bare land"])
            canvas.add("yard", shape, 0.0, length * canvas.gsd_m, width * canvas.gsd_m)
            found.append((x, y, length, width))
    return found


def _fill_layer(canvas: LargeCanvas, layer: Layer, shore: int, yards: list[tuple[float, float, float, float]]) -> None:
    canvas.gap_px = layer.gap_px
    low, high = {"water": (0, shore), "land": (shore, canvas.size)}.get(layer.where, (0, canvas.size))
    placed = 0
    if layer.where == "yard":
        canvas.open_yards(True)
    for _ in range(layer.count * TRIES):
        if placed == layer.count:
            break
        length = canvas.rng.uniform(*layer.length_px)
        if layer.where == "yard":
            x, y, long, wide = yards[canvas.rng.integers(len(yards))]
            room = length * 0.75 + layer.gap_px
            if min(long, wide) <= 2 * room:
                continue
            x += canvas.rng.uniform(-1, 1) * (long / 2 - room)
            y += canvas.rng.uniform(-1, 1) * (wide / 2 - room)
        else:
            x, y = canvas.rng.uniform(0, canvas.size), canvas.rng.uniform(low, high)
        placed += _draw(canvas, layer.category, x, y, length * canvas.gsd_m, layer.where == "water", low, high)
    if layer.where == "yard":
        canvas.open_yards(False)


def _draw(
    canvas: LargeCanvas, category: str, x: float, y: float, length: float, afloat: bool, low: int, high: int
) -> bool:
    """Draws one object with a length in metres if there is room between rows `low` and `high`; returns whether it did."""
    reach = 0.75 * length / canvas.gsd_m + canvas.gap_px
    if not (low + reach < y < high - reach):
        return False
    heading = float(canvas.rng.uniform(0, 2 * math.pi))
    if category == "ship" and afloat:
        return things.ship(canvas, x, y, heading, length)
    if category == "storage tank":
        return things.tank(canvas, x, y, heading, length / 2)
    if category == "building":
        return things.building(canvas, x, y, heading, length, length * canvas.rng.uniform(0.4, 0.8), 6.0)
    if category == "plane":
        return things.plane(canvas, x, y, heading, length)
    if category == "pond":
        return _pond(canvas, x, y, length / 2)
    raise ValueError(f"a large scene has no {category!r}")


def _pond(canvas: LargeCanvas, x: float, y: float, radius: float) -> bool:
    """Draws a pond with a smooth, uneven shore if there is room; returns whether it did."""
    angle = np.arange(48) * 2 * math.pi / 48
    waves = canvas.rng.uniform(-0.12, 0.12, 3)
    turns = canvas.rng.uniform(0, 2 * math.pi, 3)
    uneven = 1 + sum(w * np.sin((k + 2) * angle + t) for k, (w, t) in enumerate(zip(waves, turns, strict=True)))
    shape = [canvas.place(disc(radius, 48) * uneven[:, None], x, y, 0.0)]
    if not canvas.free(shape):
        return False
    canvas.cover_ground("water", shape, GROUND["water"])
    canvas.add("pond", shape, 0.0, 2 * radius, 2 * radius)
    return True


def _write_words(canvas: LargeCanvas, words: str) -> None:
    """Paints large white words across the middle of the image, on ground only, so that no object is hidden."""
    image = Image.new("L", (canvas.size, canvas.size // 20))
    font = ImageFont.load_default(size=canvas.size // 28)
    ImageDraw.Draw(image).text((canvas.size // 12, 4), words, fill=255, font=font)
    strip = np.asarray(image) > 127
    top = canvas.size // 2
    ground = strip.copy()
    for thing in canvas.placed:
        if thing.category == "yard":
            continue
        y, x = thing.offset
        h, w = thing.mask.shape
        above, below = max(y - top, 0), min(y + h - top, len(strip))
        if above < below:
            ground[above:below, x : x + w] &= ~thing.mask[above + top - y : below + top - y]
    canvas.rgb[top : top + len(strip)][ground] = 245
