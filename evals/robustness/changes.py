"""Changes of a picture that leave what it shows as it is, and how labels come back from the changed picture to the base.

A picture is read with a margin of `MARGIN_PX` on each side: the base is its inner part, and a shifted picture is another window of
it, so that real pixels come in at the border. Labels are int (H, W), 0 for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]  # (H, W, 3)
Labels = NDArray[np.integer]  # (H, W), 0 for nothing
Seen = NDArray[np.bool_]  # (H, W), pixels of the base that the changed picture shows too
Family = Literal["same", "shift", "turn", "scale", "haze", "light"]

MARGIN_PX = 16
SHIFTS_PX = (1, 2, 4, 8, 16)  # to the right and down
HAZE = np.array([0.75, 0.80, 0.88]) * 255  # the colour of haze in evals/scenes
HAZES = (0.15, 0.30)  # share of haze; the drawn scenes have up to 0.18
LIGHTS = (1.25, 0.80)  # times as bright


@dataclass(frozen=True, slots=True)
class Change:
    """A change by name. `apply` takes the picture with its margin; `back` takes labels to the base's pixels."""

    name: str
    family: Family
    apply: Callable[[Picture], Picture]
    back: Callable[[Labels], tuple[Labels, Seen]]


def base_of(picture: Picture) -> Picture:
    """The picture without its margin, its sides even, so that halves are whole."""
    height, width = ((side - 2 * MARGIN_PX) // 2 * 2 for side in picture.shape[:2])
    return picture[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]


def changes() -> list[Change]:
    """All changes, the unchanged picture first: its answer must agree with itself."""
    return [
        Change("unchanged", "same", base_of, _whole(_same)),
        *(shift(px) for px in SHIFTS_PX),
        *(turn(quarters) for quarters in (1, 2, 3)),
        Change("half resolution", "scale", _on_base(_halved), _whole(_repeated)),
        Change("double resolution", "scale", _on_base(_doubled), _whole(_every_second)),
        *(haze(share) for share in HAZES),
        *(light(by) for by in LIGHTS),
    ]


def turn(quarters: int) -> Change:
    """Turned counterclockwise by quarter turns."""
    apply = _on_base(lambda rgb: np.rot90(rgb, quarters))
    return Change(
        f"turned by {90 * quarters} degrees", "turn", apply, _whole(lambda labels: np.rot90(labels, -quarters))
    )


def haze(share: float) -> Change:
    """Mixed with the colour of haze."""
    return Change(f"haze of {share:.0%}", "haze", _on_base(lambda rgb: _hazed(rgb, share)), _whole(_same))


def light(by: float) -> Change:
    """So many times as bright."""
    return Change(f"{by:.2f} times as bright", "light", _on_base(lambda rgb: _lit(rgb, by)), _whole(_same))


def shift(px: int) -> Change:
    """The window moved by so many pixels to the right and down."""
    if not 0 <= px <= MARGIN_PX:
        raise ValueError(f"a shift is 0 to {MARGIN_PX} px, not {px}")

    def apply(picture: Picture) -> Picture:
        height, width = base_of(picture).shape[:2]
        start = MARGIN_PX + px
        return picture[start : start + height, start : start + width]

    def back(labels: Labels) -> tuple[Labels, Seen]:
        height, width = labels.shape
        moved, seen = np.zeros_like(labels), np.zeros(labels.shape, bool)
        moved[px:, px:] = labels[: height - px, : width - px]
        seen[px:, px:] = True
        return moved, seen

    return Change(f"shifted by {px} px", "shift", apply, back)


def _on_base(act: Callable[[Picture], Picture]) -> Callable[[Picture], Picture]:
    return lambda picture: np.ascontiguousarray(act(base_of(picture)))


def _whole(act: Callable[[Labels], Labels]) -> Callable[[Labels], tuple[Labels, Seen]]:
    def back(labels: Labels) -> tuple[Labels, Seen]:
        there = act(labels)
        return there, np.ones(there.shape, bool)

    return back


def _same(labels: Labels) -> Labels:
    return labels


def _repeated(labels: Labels) -> Labels:
    return labels.repeat(2, 0).repeat(2, 1)


def _every_second(labels: Labels) -> Labels:
    return labels[::2, ::2]


def _halved(rgb: Picture) -> Picture:
    height, width = rgb.shape[:2]
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(rgb)).resize((width // 2, height // 2), Image.Resampling.BOX)
    )


def _doubled(rgb: Picture) -> Picture:
    height, width = rgb.shape[:2]
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(rgb)).resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    )


def _hazed(rgb: Picture, share: float) -> Picture:
    return np.asarray(np.clip(np.round(rgb * (1 - share) + HAZE * share), 0, 255), np.uint8)


def _lit(rgb: Picture, by: float) -> Picture:
    return np.asarray(np.clip(np.round(rgb * by), 0, 255), np.uint8)
