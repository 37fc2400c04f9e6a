"""Draws a light grid with coordinates over a small picture, so that an agent can read positions from the picture."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

Place = Callable[[Sequence[float], Sequence[float]], tuple[Sequence[float], Sequence[float]]]
_PARTS = 4  # cells per side
_LIGHT, _DARK = (255, 255, 255, 120), (0, 0, 0, 90)
_BEHIND, _TEXT = (0, 0, 0, 150), (255, 255, 255, 255)
_FONT = 11  # px; digits of this size are readable in a picture of 512 px
_LEAST = 256  # px; smallest shorter side that has room for labels


def with_grid(picture: "Image", place: Place, *, located: bool) -> "Image":
    """Returns the picture with lines at each quarter of its sides.

    `place` takes x and y as fractions of the picture's width and height, and returns degrees east and north (or pixels of an image
    without georeference). Labels along the upper edge show x (longitude), along the left edge y (latitude); the upper left and the
    lower right corner show both. A picture that is too small for labels is returned unchanged.
    """
    from PIL import Image, ImageDraw, ImageFont

    width, height = picture.size
    shares = [i / _PARTS for i in range(_PARTS + 1)]
    top = place(shares, [0.0] * len(shares))
    left = place([0.0] * len(shares), shares)
    last = place([1.0], [1.0])
    values = [*top[0], *top[1], *left[0], *left[1], last[0][0], last[1][0]]
    if min(width, height) < _LEAST or not all(map(math.isfinite, values)):
        return picture
    spans = abs(last[0][0] - top[0][0]) / width, abs(last[1][0] - top[1][0]) / height
    decimals = min(8, max(0, math.ceil(-math.log10(max(min(spans), 1e-8))))) if located else 0
    font = ImageFont.load_default(_FONT)
    over = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(over)
    for share in shares[1:-1]:
        x, y = round(share * width), round(share * height)
        for line, shift in (((x, 0, x, height), (1, 0)), ((0, y, width, y), (0, 1))):
            pen.line(line, fill=_LIGHT)
            pen.line([line[0] + shift[0], line[1] + shift[1], line[2] + shift[0], line[3] + shift[1]], fill=_DARK)

    def label(x: float, y: float, text: str, anchor: str, align: str = "left") -> None:
        pen.rectangle(pen.multiline_textbbox((x, y), text, font=font, anchor=anchor, align=align), fill=_BEHIND)
        pen.multiline_text((x, y), text, fill=_TEXT, font=font, anchor=anchor, align=align)

    def format_value(value: float) -> str:
        return f"{value:.{decimals}f}"

    for i, share in enumerate(shares[1:-1], 1):
        label(round(share * width), 1, format_value(top[0][i]), "ma")
        label(1, round(share * height), format_value(left[1][i]), "lm")
    label(1, 1, f"{format_value(top[0][0])}\n{format_value(top[1][0])}", "la")
    label(width - 2, height - 2, f"{format_value(last[0][0])}\n{format_value(last[1][0])}", "rd", "right")
    return Image.alpha_composite(picture.convert("RGBA"), over).convert("RGB")
