"""The picture of a result: the View with outlined, numbered regions, a legend and a scale bar."""

import math
import zlib
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from t2s_agent.mask import Mask, masks_in
from t2s_agent.regions.lettering import UNKNOWN, UNKNOWN_WORDS, drawable, font_of
from t2s_agent.regions.plus_minus import levels
from t2s_agent.regions.polygons import simplified, traced_all
from t2s_agent.regions.region import Labels, Measure, Region, RegionSet
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.regions.units import METRES
from t2s_agent.scene.view import View

# Okabe and Ito's colours (2008), which the colour-blind can tell apart
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167), (0, 114, 178))
_SMALLEST = 720  # px: a smaller View is enlarged, so that outlines and numbers can be read
LARGEST = 2048  # px of its longer side: a larger View is made smaller, the mask and the outlines have all of it
_KM2 = 1e6  # m2
LISTED = 12  # regions in the legend
_FILL_ALPHA = 70  # of 255
_DRAWN_ONE_BY_ONE = 2_000  # regions: a polygon takes Pillow a millisecond
_BACK, _TEXT = (22, 26, 30), (238, 240, 242)


@dataclass(frozen=True, slots=True)
class Legend:
    """The facts below a picture: how many regions there are, their total area, the first of them, what the plus/minus cover."""

    count: int
    total_area: Measure
    first: Sequence[Region]
    level: str

    @classmethod
    def of(cls, regions: RegionSet) -> "Legend":
        level = levels([region.calibrated for region in regions.regions], total=regions.total is not None)
        return cls(len(regions.regions), regions.total_area(), regions.regions[:LISTED], level)


def draw_picture(view: View, regions: RegionSet, *, title: str = "", notes: Sequence[str] = ()) -> Image.Image:
    """The picture above, its longer side at most `LARGEST` px, and the legend with notes below."""
    picture = _outlined(_resized(view), view, regions.labels, _ids(regions), scale_bar=True)
    return _with_legend(picture, Legend.of(regions), title, notes, _font_for(picture))


def draw_regions(view: View, regions: RegionSet) -> Image.Image:
    """The View at its own size with the outlined, numbered regions and nothing else, so that its pixels are the View's."""
    return _outlined(Image.fromarray(view.rgb), view, regions.labels, _ids(regions), scale_bar=False)


def draw_many(view: View, labels: Labels, legend: Legend, *, title: str = "", notes: Sequence[str] = ()) -> Image.Image:
    """`draw_picture` of any number of regions, whose ids are in `labels` (H, W) of the View: only those with room are numbered.

    Above `_DRAWN_ONE_BY_ONE` regions, outlines are the pixels at their edges.
    """
    image = _resized(view)
    ids = np.unique(labels)
    ids = ids[ids > 0]
    if len(ids) <= _DRAWN_ONE_BY_ONE:
        picture = _outlined(image, view, labels, ids.tolist(), scale_bar=True, numbers_outside=False)
    else:
        picture = _tinted(image, view, labels)
    return _with_legend(picture, legend, title, notes, _font_for(picture))


def _ids(regions: RegionSet) -> list[int]:
    return [region.id for region in regions.regions]


def _tinted(image: Image.Image, view: View, labels: Labels) -> Image.Image:
    """The image with the pixels of regions in their colours, strongest at the edges of regions."""
    width, height = image.size
    rows, columns = np.arange(height) * view.height // height, np.arange(width) * view.width // width
    shown = labels[rows][:, columns]
    edge = np.zeros(shown.shape, bool)
    for axis in (0, 1):
        for step in (1, -1):
            edge |= shown != np.roll(shown, step, axis)
    colours = np.array([(0, 0, 0), *COLOURS], np.uint8)[np.where(shown > 0, (shown - 1) % len(COLOURS) + 1, 0)]
    alpha = np.where(edge, 255, _FILL_ALPHA).astype(np.uint8) * (shown > 0)
    overlay = Image.fromarray(np.dstack([colours, alpha]), "RGBA")
    picture = Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")
    if view.gsd_m:
        factor = max(width, height) / max(view.width, view.height)
        _scale_bar(ImageDraw.Draw(picture, "RGBA"), width, height, view.gsd_m / factor, _font_for(image))
    return picture


def _outlined(
    image: Image.Image,
    view: View,
    labels: Labels,
    ids: Collection[int],
    *,
    scale_bar: bool,
    numbers_outside: bool = True,
) -> Image.Image:
    """The image, which shows the View at some size, with the regions. `numbers_outside`: beside regions that have no room inside."""
    width, height = image.size
    factor = max(width, height) / max(view.width, view.height)
    tint = image.convert("RGBA")
    overlay = Image.new("RGBA", tint.size)
    pen = ImageDraw.Draw(overlay)
    line = max(2, round(min(width, height) / 360))
    font = _font_for(image)
    masks, outlines = masks_in(labels), traced_all(labels)
    shown = [id_ for id_ in ids if id_ in masks]
    for id_ in shown:
        colour = COLOURS[(id_ - 1) % len(COLOURS)]
        outline = simplified(outlines[id_])
        for part in getattr(outline, "geoms", (outline,)):
            rings = [np.array(ring.coords) * factor for ring in (part.exterior, *part.interiors)]
            pen.polygon([tuple(p) for p in rings[0]], fill=(*colour, _FILL_ALPHA))
            for ring in rings:
                pen.line([tuple(p) for p in ring], fill=(0, 0, 0, 200), width=line + 2, joint="curve")
                pen.line([tuple(p) for p in ring], fill=(*colour, 255), width=line, joint="curve")
    for id_ in shown:
        _number(pen, masks[id_], id_, factor, font, outside=numbers_outside)
    if scale_bar and view.gsd_m:
        _scale_bar(pen, width, height, view.gsd_m / factor, font)
    return Image.alpha_composite(tint, overlay).convert("RGB")


def _font_for(image: Image.Image) -> ImageFont.FreeTypeFont:
    return font_of(max(12, round(min(image.size) / 48)))


def write_picture(picture: Image.Image, path: Path) -> None:
    """Writes a PNG."""
    picture.save(path, compress_type=zlib.Z_RLE)  # a fifth of the time, and no more bytes: most pixels are enlarged


def _resized(view: View) -> Image.Image:
    """The View's pixels, enlarged by a whole factor or made smaller by averages of blocks."""
    image, longer = Image.fromarray(view.rgb), max(view.width, view.height)
    if longer > LARGEST:
        size = (max(1, round(view.width * LARGEST / longer)), max(1, round(view.height * LARGEST / longer)))
        return image.resize(size, Image.Resampling.BOX)
    factor = max(1, math.ceil(_SMALLEST / longer))
    return image.resize((view.width * factor, view.height * factor), Image.Resampling.NEAREST)


def _number(
    pen: ImageDraw.ImageDraw,
    mask: Mask,
    id_: int,
    factor: float,
    font: ImageFont.FreeTypeFont,
    *,
    outside: bool,
) -> None:
    """A region's id: inside of it; where it is too small to be seen beneath, at its upper right if `outside`, else nowhere."""
    room = 2.2 * font.size
    if (min(mask.width, mask.height) - 1) * factor < room:
        if not outside:
            return
        _, top, right, _ = mask.bounds
        spot, anchor = (float(right * factor + 2), float(top * factor)), "lm"
    else:
        x, y = _inside(mask)
        spot, anchor = (x * factor, y * factor), "mm"
    white, black = (255, 255, 255, 255), (0, 0, 0)
    pen.text(spot, str(id_), fill=white, font=font, anchor=anchor, stroke_width=2, stroke_fill=black)


def _inside(mask: Mask) -> tuple[float, float]:
    """A place well inside a mask: of its pixels the one nearest to their mean."""
    ys, xs = np.nonzero(mask.pixels)
    nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
    return float(mask.x + xs[nearest] + 0.5), float(mask.y + ys[nearest] + 0.5)


def round_length(metres: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `metres`."""
    power = 10 ** math.floor(math.log10(metres))
    return float(max(step for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9)) * power)


def _scale_bar(pen: ImageDraw.ImageDraw, width: int, height: int, gsd_m: float, font: ImageFont.FreeTypeFont) -> None:
    length = round_length(width * gsd_m / 4)
    pixels = length / gsd_m
    x, y = width * 0.03, height * 0.965
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    pen.rectangle((x - 8, y - 30, x + pixels + 8, y + 12), fill=(0, 0, 0, 130))
    pen.line([(x, y), (x + pixels, y)], fill=(255, 255, 255, 255), width=4)
    for end in (x, x + pixels):
        pen.line([(end, y - 7), (end, y + 4)], fill=(255, 255, 255, 255), width=3)
    pen.text((x + pixels / 2, y - 6), text, fill=(255, 255, 255, 255), font=font, anchor="ms")


def _with_legend(
    picture: Image.Image, legend: Legend, title: str, said: Sequence[str], font: ImageFont.FreeTypeFont
) -> Image.Image:
    title, lines = drawable(title), _legend(legend)
    size, width = round(font.size), picture.width
    columns = 2 if width >= 600 else 1
    rows = math.ceil(len(lines) / columns)
    notes = [*said, *([f"level of ±: {legend.level}"] if lines else [])]
    if UNKNOWN in title or any(UNKNOWN in text for _, text in lines):
        notes.append(UNKNOWN_WORDS)
    below = [line for note in notes for line in _wrapped(note, width - 2 * size, font)]
    count = legend.count
    summary = f"{count} region{'s' * (count != 1)}, {area_in_words(legend.total_area)}" if count else "nothing found"
    head = [*([title] if title else []), summary]
    tall = round(size * 1.6)
    sheet = Image.new("RGB", (width, picture.height + tall * (len(head) + rows + len(below)) + tall // 2), _BACK)
    sheet.paste(picture, (0, 0))
    pen = ImageDraw.Draw(sheet)
    first = picture.height + tall // 3
    for row, text in enumerate(head):
        pen.text((size, first + row * tall), _cut(text, width - 2 * size, font), fill=_TEXT, font=font)
    for index, (id_, text) in enumerate(lines):
        column, row = divmod(index, rows)
        x, top = size + column * width // columns, first + (len(head) + row) * tall
        if id_:
            pen.rectangle((x, top + 2, x + size, top + size), fill=COLOURS[(id_ - 1) % len(COLOURS)])
        pen.text((x + size * 1.5, top), _cut(text, width / columns - 3 * size, font), fill=_TEXT, font=font)
    for row, text in enumerate(below):
        pen.text((size, first + (len(head) + rows + row) * tall), text, fill=_TEXT, font=font)
    return sheet


def _cut(text: str, room: float, font: ImageFont.FreeTypeFont) -> str:
    """The text, or so much of it as has room (pixels), with an ellipsis."""
    text = " ".join(text.split())
    if font.getlength(text) <= room:
        return text
    most = bisect_right(range(len(text)), room, key=lambda count: font.getlength(f"{text[:count]}…"))
    return f"{text[: max(0, most - 1)]}…"


def _wrapped(text: str, room: float, font: ImageFont.FreeTypeFont) -> list[str]:
    """The text in lines that have room (pixels) where its words have."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _legend(legend: Legend) -> list[tuple[int, str]]:
    lines = []
    for region in legend.first:
        label = f" {_fitted(drawable(region.label), 24)}" if region.label else ""
        lines.append((region.id, f"{region.id}{label}: {area_in_words(region.area)}"))
    if legend.count > len(legend.first):
        lines.append((0, f"and {legend.count - len(legend.first)} more"))
    return lines


def area_in_words(area: Measure) -> str:
    """An area with its plus/minus for a small space: m², km² from a million on, or px²."""
    if area.unit == METRES.area and area.value >= _KM2:
        return f"{with_plus_minus(area.value / _KM2, area.plus_minus / _KM2)} km²"
    return f"{with_plus_minus(area.value, area.plus_minus)} {area.unit.replace('2', '²')}"


def _fitted(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
