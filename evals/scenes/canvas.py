"""Paints scenes: ground textures, antialiased shapes with exact masks, shadows, and the effects of a sensor."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evals.scenes.truth import LAND, Object

Colour = tuple[float, float, float]
Shape = NDArray[np.float64]  # (N, 2) corners x, y in metres around an object's centre, heading east
_SAMPLES = 4  # subpixels a side when a shape is drawn


@cache
def _noise(octave: int, seed: int) -> NDArray[np.float32]:
    """Returns smooth noise, 1024 x 1024, mean 0 and standard deviation 1, with features of about `octave` pixels."""
    rng = np.random.default_rng([octave, seed])
    small = rng.normal(size=(1024 // octave + 3,) * 2).astype(np.float32)
    large = np.asarray(Image.fromarray(small).resize((1024, 1024), Image.Resampling.BICUBIC))
    return np.asarray(large / large.std(), dtype=np.float32)


class Canvas:
    """A square scene to paint on. Positions are in pixels, sizes in metres."""

    def __init__(self, size: int, gsd_m: float, rng: np.random.Generator) -> None:
        self.size, self.gsd_m, self.rng = size, gsd_m, rng
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.land = np.zeros((size, size), np.uint8)
        self.placed: list[Object] = []
        angle = rng.uniform(0, 2 * math.pi)
        slope = rng.uniform(0.4, 1.3)  # metres of shadow for each metre of height
        self.shadow = (math.cos(angle) * slope, math.sin(angle) * slope)

    def texture(self, strength: float, octaves: Sequence[int] = (2, 5, 16, 64)) -> NDArray[np.float32]:
        """Returns noise for the whole scene (size, size), about +- strength."""
        total = np.zeros((self.size, self.size), np.float32)
        for octave in octaves:
            field = _noise(octave, int(self.rng.integers(4)))
            if self.size > len(field):
                mirrored = np.concatenate([field, field[::-1]])  # without a seam
                field = np.tile(np.concatenate([mirrored, mirrored[:, ::-1]], 1), (-(-self.size // 2048),) * 2)
            y, x = self.rng.integers(0, len(field) - self.size + 1, 2)
            total += field[y : y + self.size, x : x + self.size]
        return np.asarray(total * (strength / len(octaves) ** 0.5))

    def ground(self, kind: str, colour: Colour, where: NDArray[np.bool_] | None = None, strength: float = 0.05) -> None:
        """Paints the scene, or the part `where`, with a kind of ground."""
        grain = self.texture(strength)
        tint = np.asarray(colour, np.float32) * (1 + 0.4 * self.texture(strength, (32, 128))[..., None])
        painted = tint + grain[..., None]
        if kind == "vegetation":
            painted += np.minimum(self.texture(0.06, (3, 6)), 0)[..., None]
        where = np.ones(self.land.shape, bool) if where is None else where
        self.rgb[where] = painted[where]
        self.land[where] = LAND.index(kind)

    def alpha(self, shapes: Sequence[Shape]) -> tuple[NDArray[np.float32], int, int] | None:
        """Returns the coverage (h, w) of a union of polygons in scene pixels and its upper left row and column; None outside the scene."""
        corners = np.concatenate(shapes)
        x0, y0 = (max(0, int(v)) for v in np.floor(corners.min(0)))
        x1, y1 = (min(self.size, int(v) + 1) for v in np.ceil(corners.max(0)))
        if x0 >= x1 or y0 >= y1:
            return None
        image = Image.new("L", ((x1 - x0) * _SAMPLES, (y1 - y0) * _SAMPLES))
        pen = ImageDraw.Draw(image)
        for shape in shapes:
            pen.polygon([tuple(p) for p in ((shape - (x0, y0)) * _SAMPLES - 0.5).tolist()], fill=255)
        sub = np.asarray(image, np.float32).reshape(y1 - y0, _SAMPLES, x1 - x0, _SAMPLES)
        return np.asarray(sub.mean((1, 3)) / 255), y0, x0

    def place(self, shape: Shape, x: float, y: float, heading: float) -> Shape:
        """Returns a shape in metres around (0, 0), rotated by `heading` (radians, clockwise in the image), in scene pixels."""
        c, s = math.cos(heading), math.sin(heading)
        return np.asarray(shape @ np.array([[c, s], [-s, c]]) / self.gsd_m + (x, y))

    def point_at(self, along: float, across: float, x: float, y: float, heading: float) -> tuple[float, float]:
        """Returns the pixel position `along` metres from (x, y) in the direction of `heading` and `across` metres to its right."""
        place = self.place(np.array([[along, across]]), x, y, heading)[0]
        return float(place[0]), float(place[1])

    def paint(self, shapes: Sequence[Shape], colour: Colour, *, grain: float = 0.02, opacity: float = 1.0) -> None:
        """Paints a union of polygons (scene pixels)."""
        drawn = self.alpha(shapes)
        if drawn is None:
            return
        alpha, y, x = drawn
        part = self.rgb[y : y + alpha.shape[0], x : x + alpha.shape[1]]
        noise = self.rng.normal(0, grain, alpha.shape).astype(np.float32)[..., None]
        part += (np.asarray(colour, np.float32) + noise - part) * (alpha * opacity)[..., None]

    def cast_shadow(self, shapes: Sequence[Shape], height_m: float) -> None:
        """Darkens the shadow of an object of that height."""
        reach = np.array(self.shadow) * height_m / self.gsd_m
        steps = max(1, min(6, int(np.hypot(*reach) / 2)))
        moved = [shape + reach * (i + 1) / steps for shape in shapes for i in range(steps)]
        drawn = self.alpha(moved)
        if drawn is not None:
            alpha, y, x = drawn
            part = self.rgb[y : y + alpha.shape[0], x : x + alpha.shape[1]]
            part *= 1 - 0.5 * alpha[..., None]

    def cover_ground(self, kind: str, shapes: Sequence[Shape], colour: Colour, grain: float = 0.03) -> None:
        """Paints ground inside polygons and records its kind in `land`."""
        self.paint(shapes, colour, grain=grain)
        drawn = self.alpha(shapes)
        if drawn is not None:
            alpha, y, x = drawn
            self.land[y : y + alpha.shape[0], x : x + alpha.shape[1]][alpha >= 0.5] = LAND.index(kind)

    def free(self, shapes: Sequence[Shape], *, land: str | None = None) -> bool:
        """Returns whether the shapes overlap no object so far and, with `land`, whether 95 % of the ground is of that kind."""
        drawn = self.alpha(shapes)
        if drawn is None:
            return False
        alpha, y, x = drawn
        inside = alpha >= 0.5
        if not inside.any():
            return False
        if land is not None:
            ground = self.land[y : y + alpha.shape[0], x : x + alpha.shape[1]][inside]
            if np.mean(ground == LAND.index(land)) < 0.95:
                return False
        for other in self.placed:
            oy, ox = other.offset
            top, left = max(y, oy), max(x, ox)
            bottom, right = (
                min(y + alpha.shape[0], oy + other.mask.shape[0]),
                min(x + alpha.shape[1], ox + other.mask.shape[1]),
            )
            if (
                top < bottom
                and left < right
                and (
                    inside[top - y : bottom - y, left - x : right - x]
                    & other.mask[top - oy : bottom - oy, left - ox : right - ox]
                ).any()
            ):
                return False
        return True

    def add(self, category: str, shapes: Sequence[Shape], heading: float, length_m: float, width_m: float) -> None:
        """Records an object; its mask has the pixels of which its shapes cover at least half."""
        drawn = self.alpha(shapes)
        if drawn is None:
            return
        alpha, y, x = drawn
        mask = alpha >= 0.5
        if not mask.any():
            return
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        mask = mask[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        where = (int(y + ys[0]), int(x + xs[0]))
        self.placed.append(
            Object(
                len(self.placed) + 1,
                category,
                mask,
                where,
                math.degrees(heading) % 360,
                length_m,
                width_m,
                tuple(np.asarray(shape, np.float64) for shape in shapes),
            )
        )

    def sensor_image(self) -> NDArray[np.uint8]:
        """Returns the image with random blur, brightness, haze, colour cast and noise of a sensor; 6 % are panchromatic."""
        rng = self.rng
        x: NDArray[np.floating] = self.rgb
        blur = rng.uniform(0, 0.35)
        near = (np.roll(x, 1, 0) + np.roll(x, -1, 0) + np.roll(x, 1, 1) + np.roll(x, -1, 1)) / 4
        x = x * (1 - blur) + near * blur
        haze = rng.uniform(0, 0.18)
        x = x * rng.uniform(0.85, 1.2) * (1 - haze) + haze * np.array([0.75, 0.8, 0.88], np.float32)
        x = x * rng.normal(1, 0.03, 3).astype(np.float32)
        if rng.random() < 0.06:
            x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
        x = x + rng.normal(0, 1, x.shape).astype(np.float32) * rng.uniform(0.005, 0.025)
        return np.asarray(np.clip(x * 255, 0, 255), dtype=np.uint8)


def rectangle(length: float, width: float) -> Shape:
    """Returns a rectangle around (0, 0) with its length along x."""
    a, b = length / 2, width / 2
    return np.array([[-a, -b], [a, -b], [a, b], [-a, b]])


def disc(radius: float, corners: int = 28) -> Shape:
    """Returns a regular polygon around (0, 0) with the area of the circle."""
    angle = np.arange(corners) * 2 * math.pi / corners
    even = radius * math.sqrt(2 * math.pi / corners / math.sin(2 * math.pi / corners))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * even
