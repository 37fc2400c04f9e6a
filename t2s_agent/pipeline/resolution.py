"""Chooses the resolution at which windows of a scene are looked at: as asked for, the image's own, or by the size of what is asked for."""

import math
from dataclasses import dataclass
from typing import Literal

from t2s_agent.bounds import LARGEST_LENGTH_M, require_amount
from t2s_agent.errors import T2SError
from t2s_agent.scene import Scene, View
from t2s_agent.scene.scale import COARSE, Scale, significant
from t2s_agent.text import one_line
from t2s_agent.tiling.sizes import Asked, Sizes

Gsd = float | Literal["native"] | None  # metres a pixel; the image's own; None: chosen
# Pixels of the shorter side of the smallest usual object. COCO calls objects below 32 x 32 px small, and AI-TOD those from 32 px on
# medium; detectors find them far more often than smaller ones. One of half the usual size still has 16 px.
OBJECT_PX = 32
_ABOUT = 1.01  # a pixel of 0.5 m in a projection has 0.4998 to 0.5005 m on the ground
_COARSER = 1.05  # a wanted resolution is a round number, and pixels on the ground rarely are


@dataclass(frozen=True, slots=True)
class Resolution:
    """Scene pixels per pixel of the windows (`step`, length), and what was asked for where it was chosen by that."""

    step: int
    asked: Asked | None = None

    def because(self, scene: Scene, windows: int, in_full: int) -> str:
        """Why it was chosen, and how many windows that takes; "" where the caller said it, or it is the image's own."""
        if self.asked is None or not scene.gsd_m:
            return ""
        gsd_m = self.step * scene.gsd_m
        return (
            f"windows at {significant(gsd_m, 3):g} m a pixel, where the image has {significant(scene.gsd_m, 3):g} m: the smallest usual "
            f"{self.asked.name} is {self.asked.side_m:g} m wide, {self.asked.side_m / gsd_m:.0f} pixels ({windows} windows instead of "
            f"{in_full}); gsd_m native looks in full resolution"
        )


def checked_gsd(gsd_m: float | str | None) -> Gsd:
    """A resolution that a caller names. Raises `argument_invalid` for what is neither a number above 0 nor `native`."""
    if gsd_m is None or gsd_m == "native":
        return gsd_m  # type: ignore[return-value]  # one of the two
    try:
        metres = float(gsd_m)
    except (TypeError, ValueError) as error:
        raise T2SError(
            "argument_invalid",
            f"gsd_m {one_line(str(gsd_m), 40)!r} is no number",
            "Give metres a pixel, such as 0.5, or native",
        ) from error
    if not (math.isfinite(metres) and metres > 0):
        raise T2SError(
            "argument_invalid", f"gsd_m {metres:g} is not above zero", "Leave gsd_m out, or give a number above 0"
        )
    require_amount("gsd_m", metres, LARGEST_LENGTH_M, "metres")
    return metres


def step_of(scene: Scene, gsd_m: Gsd) -> int:
    """Scene pixels per grid pixel for a wanted ground sample distance: the largest whole number that is at most 5 % coarser; at least 1.

    Raises `argument_invalid` for a scene without a size on the ground.
    """
    if gsd_m is None or gsd_m == "native":
        return 1
    if not scene.gsd_m:
        raise T2SError(
            "argument_invalid",
            f"gsd_m {gsd_m:g} was asked for, and {scene.name} has no size on the ground",
            "Leave gsd_m out, or give the image a georeference",
        )
    return max(1, math.floor(gsd_m / scene.gsd_m * _COARSER))


def resolution_of(scene: Scene, view: View, question: str, mode: str, gsd_m: Gsd, sizes: Sizes) -> Resolution:
    """The resolution of the windows of a scene, of which `view` is the overview.

    Without `gsd_m`, in `auto` mode: where all that the question asks for is in the table of sizes, the coarsest one (whole scene
    pixels) at which the smallest usual object has `OBJECT_PX` pixels, and which is at least twice as fine as the overview.
    Otherwise the image's own.
    """
    if gsd_m is not None or mode != "auto" or not scene.gsd_m:
        return Resolution(step_of(scene, gsd_m))
    asked = sizes.asked(question)
    if asked is None:
        return Resolution(1)
    step = math.floor(min(_ABOUT * asked.side_m / OBJECT_PX / scene.gsd_m, Scale.of(view, None).scene_px / COARSE))
    return Resolution(step, asked) if step > 1 else Resolution(1)
