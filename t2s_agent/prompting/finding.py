"""Measures in which frame a served model writes coordinates, with a drawn test picture of known boxes.

The picture is wider than high, and its four rectangles are placed so that no swap of axes and no other scale maps them onto
each other. So every frame of the table puts the model's numbers at different positions.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2s_agent.errors import T2SError
from t2s_agent.instance import Box
from t2s_agent.prompting.endpoint import WAY_OUT, EndpointPrompter
from t2s_agent.prompting.forms import Written
from t2s_agent.prompting.frames import COORDINATES, Frame, Size
from t2s_agent.prompting.parsing import read_words
from t2s_agent.prompting.reading import x_first
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import View, Window

WIDTH, HEIGHT = 1200, 780
SHAPES: dict[str, tuple[Box, tuple[int, int, int]]] = {
    "red": ((90, 60, 210, 150), (220, 30, 30)),
    "green": ((900, 110, 1110, 260), (30, 170, 60)),
    "blue": ((240, 520, 330, 720), (40, 60, 220)),
    "yellow": ((760, 560, 1080, 660), (240, 210, 40)),
}
QUESTION = "the red, the green, the blue and the yellow rectangle, each labelled with its colour"
NEAR = 0.02  # of the picture's width: the largest mean error of the corners in a frame that fits
LEAST = 3  # rectangles that must be found


@dataclass(frozen=True, slots=True)
class FoundFrame:
    """The measured frame of a model: `fits` is its name, `off_px` the mean distance from the drawn corners in View pixels.

    `others` has the same distance for the other frames, the nearest first. `size` is the measured width and height of the frame
    in which the numbers were written, `sent` that of the picture sent. `tokens` is the number of tokens written,
    `prompt_tokens` the number read (0: not reported).
    """

    fits: str
    off_px: float
    others: dict[str, float]
    box: str
    size: tuple[int, int]
    sent: tuple[int, int]
    tokens: int
    prompt_tokens: int
    known: str

    def entry(self, model: str) -> str:
        """Returns an entry for the user's own `frames_file`, as TOML."""
        return (
            f'[[family]]\nname = "{model}"\nmatch = ["{model}"]\nframe = "{self.fits}"\nbox = "{self.box}"\n'
            'known = "read"\nsource = "t2s-agent doctor --endpoint"'
        )


def drawn_view() -> View:
    """Returns four filled rectangles on grey, as a View of 1200 x 780 px without a georeference."""
    rgb = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for (x1, y1, x2, y2), colour in SHAPES.values():
        rgb[int(y1) : int(y2), int(x1) : int(x2)] = colour
    return View(rgb, np.ones((HEIGHT, WIDTH), bool), Georeference(), Window(0, 0, WIDTH, HEIGHT), None, (1, 2, 3))


def find_frame(prompter: EndpointPrompter) -> FoundFrame:
    """Measures the frame with one request. Raises `answer_unparsable` if the model names too few rectangles or no frame fits."""
    view = drawn_view()
    reply, sent = prompter.shown(view, QUESTION)
    words = read_words(reply.text, cut=reply.cut)
    items = [item for item in words.items if item.box is not None and not item.bad]
    if len(items) < LEAST:
        why = words.problem or f"{len(items)} of {len(SHAPES)} rectangles were named"
        raise T2SError(
            "answer_unparsable",
            f"{prompter.name} did not show its frame: {why}",
            "Try again, raise max_new_tokens, or use a model that writes boxes",
        )
    off = {
        (name, box): _mean_error_px(items, frame, box)
        for name, frame in _candidates(sent).items()
        for box in ("corners", "xywh")
    }
    (name, box), best = min(off.items(), key=lambda each: each[1])
    if best > NEAR * WIDTH:
        size = _size_written(items, "corners")
        resized = (
            min(size) > 1 and _mean_error_px(items, Frame(Size(*size), Size(WIDTH, HEIGHT)), "corners") <= NEAR * WIDTH
        )
        said = f"they fit pixels of a picture of {size[0]} x {size[1]} px, the server's" if resized else "none fits"
        raise T2SError(
            "answer_unparsable",
            f"{prompter.name} writes numbers that are {best:.0f} px off in the nearest frame, {name} "
            f"(the picture sent has {sent.width} x {sent.height} px); {said}",
            "Configure the server to keep pictures of 1,024 to 1,280 image tokens as they are (min_pixels, max_pixels)"
            if resized
            else WAY_OUT,
        )
    others = {
        n: round(value, 1) for (n, b), value in sorted(off.items(), key=lambda each: each[1]) if b == box and n != name
    }
    return FoundFrame(
        name,
        round(best, 1),
        others,
        box,
        _size_written(items, box),
        (sent.width, sent.height),
        reply.tokens,
        reply.prompt_tokens,
        prompter.known,
    )


def _candidates(sent: Size) -> dict[str, Frame]:
    """Returns the frames that a picture can distinguish; 999 and 1,000 are too close, so 1,000 stands for both."""
    view = Size(WIDTH, HEIGHT)
    named = {
        name: Frame(Size(own.scale, own.scale), view, own.y_first)
        for name, own in COORDINATES.items()
        if name not in ("relative_999", "bins_1000")
    }
    return {"square" if sent.width == sent.height else "absolute": Frame(sent, view), **named}


def _placed(items: Sequence[Written], frame: Frame, box: str) -> list[tuple[str, Box]]:
    placed = []
    for item in items:
        written = item
        if box == "xywh" and item.box:
            x, y, w, h = item.box
            written = Written((x, y, x + w, y + h), label=item.label, named=item.named, frame=item.frame)
        instance = frame.to_view(x_first(written, frame))
        if instance.box:
            placed.append((item.label.casefold(), instance.box))
    return placed


def _mean_error_px(items: Sequence[Written], frame: Frame, box: str) -> float:
    """Returns the mean distance of the corners from the drawn ones, in View pixels, matched by label or else by position."""
    placed = _placed(items, frame, box)
    labelled = [(colour, found) for label, found in placed for colour in SHAPES if colour in label]
    if len({colour for colour, _ in labelled}) >= LEAST:
        return _mean([_distance(found, SHAPES[colour][0]) for colour, found in labelled])
    truths = [shape for shape, _ in SHAPES.values()]
    found = [each for _, each in placed][: len(truths)]
    return min(
        _mean([_distance(a, b) for a, b in zip(found, order, strict=True)])
        for order in itertools.permutations(truths, len(found))
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _distance(a: Box, b: Box) -> float:
    return (math.dist(a[:2], b[:2]) + math.dist(a[2:], b[2:])) / 2


def _size_written(items: Sequence[Written], box: str) -> tuple[int, int]:
    """Returns width and height of the frame that fits the numbers best, x first, by least squares through the origin."""
    plain = _placed(items, Frame(Size(WIDTH, HEIGHT), Size(WIDTH, HEIGHT)), box)
    pairs = [(found, SHAPES[colour][0]) for label, found in plain for colour in SHAPES if colour in label]
    if not pairs:
        return 0, 0

    def side(places: tuple[int, int], length: int) -> int:
        across = sum(a[p] * b[p] for a, b in pairs for p in places)
        return round(length * across / sum(b[p] ** 2 for _, b in pairs for p in places))

    return side((0, 2), WIDTH), side((1, 3), HEIGHT)
