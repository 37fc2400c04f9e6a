"""Converts between a model's coordinates and View pixels.

A rule gives, for every View, the size of the model's picture and the frame of its answer. The resulting `Frame` converts
instances to View pixels and back.

| rule | picture | coordinates | models |
|---|---|---|---|
| `Square(840)` | stretched to a square, the aspect ratio not kept | its pixels | Think2Seg-RS |
| `Pixels(factor)` | resized to multiples of `factor` | its pixels | Qwen2.5-VL |
| `Relative(factor)` | the same | 0 to 1000 along both axes | Qwen3-VL |
| `Relative(factor, square=448)` | stretched to a square | 0 to 1000 | models of one picture size, such as nano |
| `Relative(factor, scale=1)` | resized | 0 to 1, or 0 to `scale`; y may come first | Kimi-VL, Gemini |
| `Tiles(448)` | stretched to a rectangle of square tiles | 0 to 1000 | InternVL |

`COORDINATES` names every frame that does not depend on the picture's size.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from t2s_agent.instance import Instance

MIN_PIXELS = 56 * 56  # Qwen's image processors: class defaults of transformers' Qwen2VLImageProcessor
MAX_PIXELS = 28 * 28 * 1280
STEEPEST = 200  # Qwen's limit of the aspect ratio


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A frame of its own size: numbers from 0 to `scale` along both axes, y before x where `y_first`."""

    scale: int
    y_first: bool = False

    def __str__(self) -> str:
        return f"0 to {self.scale} along both axes" + (", y first" if self.y_first else "")


COORDINATES = {
    "relative": Coordinates(1000),
    "relative_yx": Coordinates(1000, y_first=True),
    "relative_999": Coordinates(999),
    "unit": Coordinates(1),
    "unit_yx": Coordinates(1, y_first=True),
    "percent": Coordinates(100),
    "bins_1000": Coordinates(1000),
    "bins_1024_yx": Coordinates(1024, y_first=True),
}


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, or in the unit of the frame."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The coordinates that a model writes for one View: x right, y down, from the same corner as View pixels.

    With `y_first` the model writes y before x. Instances in the frame's numbers always have x first: whoever reads a
    model's text puts them in order (`reading`).
    """

    model: Size
    view: Size
    y_first: bool = False

    def to_view(self, instance: Instance) -> Instance:
        """Converts an instance from the model's coordinates to View pixels."""
        return instance.scaled(self.view.width / self.model.width, self.view.height / self.model.height)

    def from_view(self, instance: Instance) -> Instance:
        """Converts an instance from View pixels to the model's coordinates."""
        return instance.scaled(self.model.width / self.view.width, self.model.height / self.view.height)


class FrameRule(Protocol):
    """Maps the size of a View to the size of the model's picture and to the frame of its answer."""

    def picture(self, view: Size) -> Size:
        """The size of the picture that the model sees, in its pixels."""
        ...

    def frame(self, view: Size) -> Frame:
        """The frame in which the model writes about this View."""
        ...


@dataclass(frozen=True, slots=True)
class Square:
    """Stretched to `side` x `side`, and answered in its pixels."""

    side: int

    def picture(self, view: Size) -> Size:  # noqa: ARG002 - every View becomes the same square
        return Size(self.side, self.side)

    def frame(self, view: Size) -> Frame:
        return Frame(self.picture(view), view)

    def __str__(self) -> str:
        return f"pixels of a {self.side} x {self.side} square"


@dataclass(frozen=True, slots=True)
class Pixels:
    """Resized to multiples of `factor` with an area between the limits, and answered in the resized picture's pixels."""

    factor: int = 28
    min_pixels: int = MIN_PIXELS
    max_pixels: int = MAX_PIXELS

    def picture(self, view: Size) -> Size:
        return smart_size(view, self.factor, self.min_pixels, self.max_pixels)

    def frame(self, view: Size) -> Frame:
        return Frame(self.picture(view), view)

    def __str__(self) -> str:
        return "pixels of the resized picture"


@dataclass(frozen=True, slots=True)
class Relative:
    """Resized as `Pixels` (or stretched to `square`), and answered in 0 to `scale` along both axes."""

    factor: int = 32
    min_pixels: int = MIN_PIXELS
    max_pixels: int = MAX_PIXELS
    square: int | None = None
    scale: int = 1000
    y_first: bool = False

    def picture(self, view: Size) -> Size:
        if self.square:
            return Size(self.square, self.square)
        return smart_size(view, self.factor, self.min_pixels, self.max_pixels)

    def frame(self, view: Size) -> Frame:
        return Frame(Size(self.scale, self.scale), view, self.y_first)

    def __str__(self) -> str:
        return str(Coordinates(self.scale, self.y_first))


@dataclass(frozen=True, slots=True)
class Tiles:
    """Stretched to a rectangle of square tiles, of a shape near the View's, and answered in 0 to 1000 along both axes.

    `side` is the side of a tile in pixels. There are `least` to `most` tiles, as InternVL's image processor chooses them.
    """

    side: int = 448
    least: int = 1
    most: int = 12

    def picture(self, view: Size) -> Size:
        from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

        columns, rows = get_optimal_tiled_canvas(
            (view.height, view.width), (self.side, self.side), self.least, self.most
        )
        return Size(columns * self.side, rows * self.side)

    def frame(self, view: Size) -> Frame:
        return Frame(Size(1000, 1000), view)

    def __str__(self) -> str:
        return str(Coordinates(1000))


def smart_size(view: Size, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """The size to which Qwen's image processors resize: multiples of `factor`, area within the limits, shape nearly kept.

    Follows `smart_resize` of transformers' Qwen2VLImageProcessor (a test compares them), except that a View longer than
    200 times its breadth, which that refuses, is taken as exactly that long.
    """
    width, height = float(view.width), float(view.height)
    width, height = max(width, height / STEEPEST), max(height, width / STEEPEST)
    w, h = round(width / factor) * factor, round(height / factor) * factor
    if w * h > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        return Size(
            max(factor, math.floor(width / shrink / factor) * factor),
            max(factor, math.floor(height / shrink / factor) * factor),
        )
    if w * h < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        return Size(math.ceil(width * grow / factor) * factor, math.ceil(height * grow / factor) * factor)
    return Size(w, h)


def stable_size(view: Size, factor: int, least: int, most: int) -> Size:
    """A size near the View's shape, in multiples of `factor`, whose area lies within `least` and `most` pixels.

    A server with Qwen's own resizing and limits at or beyond these leaves such a picture as it is. The size whose shape is
    nearest to the View's is taken, and of equal ones the largest. Where no multiple fits, `smart_size` decides.
    """
    width, height = float(view.width), float(view.height)
    shape = min(max(width / height, 1 / STEEPEST), STEEPEST)
    best: tuple[float, int, Size] | None = None
    for rows in range(1, math.isqrt(most * STEEPEST) // factor + 1):
        h = rows * factor
        if h * h * shape > most * 1.5:
            break
        for columns in {max(1, math.floor(shape * rows)), max(1, math.ceil(shape * rows))}:
            w = columns * factor
            if least <= w * h <= most and max(w, h) / min(w, h) <= STEEPEST:
                off = round(abs(math.log(w / h / shape)), 3)
                if best is None or (off, -w * h) < best[:2]:
                    best = (off, -w * h, Size(w, h))
    return best[2] if best else smart_size(view, factor, least, most)
