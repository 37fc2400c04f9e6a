"""Compares the resolution of a View with that of its scene, and gives the size of the smallest visible objects."""

import math
from dataclasses import dataclass

from t2s_agent.scene.view import Picture

COARSE = 2.0  # scene pixels per view pixel (length) above which there is a warning
# View pixels. AI-TOD (Wang et al., ICPR 2021) calls objects of 2 to 8 px "very tiny"; the detectors tried there find few of them.
SMALLEST_SEEN_PX = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a view's pixel compared with the scene's.

    `scene_px` is the length of a view pixel in scene pixels (1: full resolution; the square root of the ratio of their areas).
    `gsd_m` and `view_gsd_m` are ground sample distances in metres, each at the centre of its picture, and None where the image
    has no position on Earth. `enough`: the resolution was chosen so that what was asked for is large in it (`pipeline.resolution`).
    """

    scene_px: float
    gsd_m: float | None = None
    view_gsd_m: float | None = None
    enough: bool = False

    @classmethod
    def of(cls, view: Picture, gsd_m: float | None, *, enough: bool = False) -> "Scale":
        """The scale of a view of a scene with `gsd_m` metres per pixel."""
        shown = view.window.width * view.window.height / (view.width * view.height)
        return cls(math.sqrt(shown), gsd_m, view.gsd_m, enough)

    @property
    def coarse(self) -> bool:
        """Whether the view has lost so much detail that a warning is needed."""
        return self.scene_px > COARSE and not self.enough

    @property
    def smallest_seen(self) -> str:
        """The size of the smallest visible objects as text: `about 94 m` or `about 94 pixels of the image`."""
        if self.view_gsd_m:
            return f"about {significant(SMALLEST_SEEN_PX * self.view_gsd_m, 2):g} m"
        return f"about {significant(SMALLEST_SEEN_PX * self.scene_px, 2):g} pixels of the image"

    def remark(self, max_size: int, *, windows: bool = False) -> str:
        """A warning for the user; empty where the view is not coarse. `max_size` is the longer side of the view, or of its `windows`."""
        if not self.coarse:
            return ""
        if self.view_gsd_m and self.gsd_m:
            seen = f"the models looked at {significant(self.view_gsd_m, 3):g} m a pixel, the image has {significant(self.gsd_m, 3):g} m"
        else:
            seen = f"the models looked at a picture of which 1 pixel is {significant(self.scene_px, 3):g} pixels of the image"
        finer = f"narrow with bbox, look with mode full, or raise max_size (now {max_size})"
        if windows:  # they have the resolution that was named, in any part and of any size
            finer = "gsd_m native looks in full resolution"
        return f"{seen}: objects smaller than {self.smallest_seen} cannot be seen; {finer}"


def significant(value: float, digits: int) -> float:
    """A number rounded to `digits` significant digits, so that small numbers do not become 0."""
    return float(f"{value:.{digits}g}")
