"""Pictures of single samples: the image, the truth, and the prediction with its prompts."""

import base64
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from evals.datasets.sample import Sample
from evals.metrics.overlap import BoolMask, iou
from evals.metrics.row import Row
from evals.protocols.grids import resized
from evals.run.answers import answer_from
from evals.run.facts import unpacked

PANEL = 224  # px, the side of one of three panels
LEAST_WINDOW = 96  # px of the image that a panel shows at least
TRUE, PREDICTED, BOX, POSITIVE, NEGATIVE = (
    (40, 200, 120),
    (235, 64, 140),
    (255, 214, 64),
    (255, 255, 255),
    (255, 80, 60),
)
_MOST_TEXT = 1200  # characters of a model's words


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample as the page shows it. Its words are data of others: the page escapes them."""

    title: str
    question: str
    facts: str
    thinking: str
    source: str  # a data: address


def chosen(rows: Sequence[Row], count: int, seed: int = 0) -> dict[str, list[Row]]:
    """The rows of each gallery: worst and best of those with a target, false positives where nothing is, and any."""
    known = [row for row in rows if row.known]
    targets = sorted((row for row in known if not row.truth_is_empty), key=lambda row: (row_iou(row), row.id))
    wrong = [row for row in known if row.truth_is_empty and row.grids["original"].answer.predicted]
    wrong.sort(key=lambda row: (-row.grids["original"].answer.predicted, row.id))
    some = random.Random(seed).sample(known, min(count, len(known)))
    found = {
        "worst": targets[:count],
        "best": targets[::-1][:count],
        "found where nothing is": wrong[:count],
        "at random": some,
    }
    return {name: each for name, each in found.items() if each}


def row_iou(row: Row) -> float:
    """IoU in the image's own pixels."""
    return iou(row.grids["original"].answer)


def picture(sample: Sample, row: Row, answer: Mapping[str, Any], mask: Mapping[str, Any]) -> Picture:
    """Three panels of a sample: the image; around truth and prediction, the truth; there the prediction with its prompts."""
    image = sample.read_image()
    truth = sample.read_truth().mask
    predicted = resized(unpacked(dict(mask)), *truth.shape)
    x, y, side = window = _window(truth | predicted)
    whole = _panel(Image.fromarray(image), (0, 0, max(truth.shape)))
    scale = PANEL / max(truth.shape)
    if side < max(truth.shape):
        ImageDraw.Draw(whole).rectangle((x * scale, y * scale, (x + side) * scale, (y + side) * scale), outline=BOX)
    panels = [whole] + [
        _panel(_tinted(image, mask, how), window) for mask, how in ((truth, TRUE), (predicted, PREDICTED))
    ]
    _draw_prompts(panels[2], answer, truth.shape, window)
    sheet = Image.new("RGB", (PANEL * 3 + 8, PANEL), (128, 128, 128))
    for number, panel in enumerate(panels):
        sheet.paste(panel, (number * (PANEL + 4), 0))
    facts = row.grids["original"].answer
    text = f"IoU {row_iou(row):.3f} · true {facts.truth} px, predicted {facts.predicted} px · {row.status}, {row.instances} instances"
    words = str(answer["thinking"] or answer["raw"])
    thinking = words[:_MOST_TEXT] + ("…" if len(words) > _MOST_TEXT else "")
    return Picture(row.id, row.question, text, thinking, _address(sheet))


def _window(mask: BoolMask) -> tuple[int, int, int]:
    """Left, top and side of a square around a mask, with room around it; the whole image where there is nothing."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, max(height, width)
    own = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = min(max(LEAST_WINDOW, round(1.5 * own)), max(height, width))
    left = min(max(0, (columns[0] + columns[-1] + 1 - side) // 2), max(0, width - side))
    top = min(max(0, (rows[0] + rows[-1] + 1 - side) // 2), max(0, height - side))
    return int(left), int(top), int(side)


def _panel(picture: Image.Image, window: tuple[int, int, int]) -> Image.Image:
    """A square part of a picture, PANEL px wide; grey beyond its edges."""
    x, y, side = window
    part = Image.new("RGB", (side, side), (128, 128, 128))
    part.paste(picture.crop((x, y, min(x + side, picture.width), min(y + side, picture.height))), (0, 0))
    return part.resize((PANEL, PANEL), Image.Resampling.LANCZOS)


def _tinted(image: np.ndarray[Any, np.dtype[np.uint8]], mask: BoolMask, colour: tuple[int, int, int]) -> Image.Image:
    """The image with a mask laid over it: half transparent, its edge opaque."""
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[2:, 1:-1] & mask[:-2, 1:-1] & mask[1:-1, 2:] & mask[1:-1, :-2]
    drawn = image.astype(np.float32)
    drawn[mask] = 0.55 * drawn[mask] + 0.45 * np.array(colour, np.float32)
    drawn[mask & ~inner] = colour
    return Image.fromarray(drawn.astype(np.uint8))


def _draw_prompts(
    panel: Image.Image, answer: Mapping[str, Any], shape: tuple[int, ...], window: tuple[int, int, int]
) -> None:
    draw = ImageDraw.Draw(panel)
    height, width = answer["view"]
    x, y, side = window
    for instance in answer_from(answer).instances:
        own = instance.scaled(shape[1] / width, shape[0] / height).moved(-x, -y).scaled(PANEL / side, PANEL / side)
        if own.box:
            draw.rectangle(own.box, outline=BOX)
        for points, colour in ((own.positive, POSITIVE), (own.negative, NEGATIVE)):
            for px, py in points:
                draw.ellipse((px - 2, py - 2, px + 2, py + 2), fill=colour, outline=(0, 0, 0))


def _address(sheet: Image.Image) -> str:
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
