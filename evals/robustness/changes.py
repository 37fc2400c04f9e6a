"""Changes an image without a change of its content, and maps labels of the changed image back to the base image.

An image is read with a margin of `MARGIN_PX` on each side. The base is its inner part, and a shifted image is another window, so that
the new pixels at its border are real. Labels are int (H, W), 0 for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]  # (H, W, 3)
Labels = NDArray[np.integer]  # (H, W), 0 for nothing
VisiblePixels = NDArray[np.bool_]  # (H, W), pixels of the base that the changed image shows too
Family = Literal["same", "shift", "turn", "scale", "haze", "light"]

MARGIN_PX = 16
SHIFTS_PX = (1, 2, 4, 8, 16)  # to the right and down
HAZE = np.array([0.75, 0.80, 0.88]) * 255  # the colour of haze in evals/scenes
HAZE_SHARES = (0.15, 0.30)  # share of haze; procedural scenes have up to 0.18
BRIGHTNESS_FACTORS = (1.25, 0.80)


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its name. `apply` takes the image with its margin; `map_back` returns labels in the base's pixels and what is visible."""

    name: str
    family: Family
    apply: Callable[[Picture], Picture]
    map_back: Callable[[Labels], tuple[Labels, VisiblePixels]]


def base_of(picture: Picture) -> Picture:
    """Returns the image without its margin, cropped to even sides, so that half the size is a whole number."""
    height, width = ((side - 2 * MARGIN_PX) // 2 * 2 for side in picture.shape[:2])
    return picture[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]


def changes() -> list[Change]:
    """Returns all changes; the unchanged image comes first, and its answer must agree with itself."""
    return [
        Change("unchanged", "same", base_of, _all_visible(_same)),
        *(shift(px) for px in SHIFTS_PX),
        *(rotate(quarters) for quarters in (1, 2, 3)),
        Change("half resolution", "scale", _on_base(_halved), _all_visible(_repeated)),
        Change("double resolution", "scale", _on_base(_doubled), _all_visible(_every_second)),
        *(haze(share) for share in HAZE_SHARES),
        *(brightness(by) for by in BRIGHTNESS_FACTORS),
    ]


def rotate(quarters: int) -> Change:
    """Returns a counterclockwise rotation by a number of quarter turns."""
    apply = _on_base(lambda rgb: np.rot90(rgb, quarters))
    return Change(
        f"turned by {90 * quarters} degrees", "turn", apply, _all_visible(lambda labels: np.rot90(labels, -quarters))
    )


def haze(share: float) -> Change:
    """Returns a mix with the colour of haze."""
    return Change(f"haze of {share:.0%}", "haze", _on_base(lambda rgb: _hazed(rgb, share)), _all_visible(_same))


def brightness(by: float) -> Change:
    """Returns a change of brightness by the factor `by`."""
    return Change(f"{by:.2f} times as bright", "light", _on_base(lambda rgb: _brightened(rgb, by)), _all_visible(_same))


def shift(px: int) -> Change:
    """Returns a shift of the window by `px` pixels to the right and down. Raises ValueError beyond the margin."""
    if not 0 <= px <= MARGIN_PX:
        raise ValueError(f"a shift is 0 to {MARGIN_PX} px, not {px}")

    def apply(picture: Picture) -> Picture:
        height, width = base_of(picture).shape[:2]
        start = MARGIN_PX + px
        return picture[start : start + height, start : start + width]

    def map_back(labels: Labels) -> tuple[Labels, VisiblePixels]:
        height, width = labels.shape
        compare_answers, seen = np.zeros_like(labels), np.zeros(labels.shape, bool)
        compare_answers[px:, px:] = labels[: height - px, : width - px]
        seen[px:, px:] = True
        return compare_answers, seen

    return Change(f"shifted by {px} px", "shift", apply, map_back)


def _on_base(act: Callable[[Picture], Picture]) -> Callable[[Picture], Picture]:
    return lambda picture: np.ascontiguousarray(act(base_of(picture)))


def _all_visible(act: Callable[[Labels], Labels]) -> Callable[[Labels], tuple[Labels, VisiblePixels]]:
    def map_back(labels: Labels) -> tuple[Labels, VisiblePixels]:
        there = act(labels)
        return there, np.ones(there.shape, bool)

    return map_back


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


def _brightened(rgb: Picture, by: float) -> Picture:
    return np.asarray(np.clip(np.round(rgb * by), 0, 255), np.uint8)
