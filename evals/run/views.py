"""A sample's image as the View that models look at: as the product would show it, or stretched to the paper's square."""

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from evals.datasets.sample import Image as Pixels
from t2s_agent.errors import T2SError
from t2s_agent.scene import Georeference, View, Window


@dataclass(frozen=True, slots=True)
class Looking:
    """How images become Views.

    `served`: unchanged where the longer side has at most `max_size` px, else reduced to it by averaging, as the product does.
    `square`: stretched to `side` x `side` by LANCZOS, as Think2Seg-RS shows images to both of its models.
    """

    max_size: int = 1024
    side: int | None = None

    @classmethod
    def named(cls, name: str, max_size: int = 1024) -> "Looking":
        """From `served` or `square:840`; `argument_invalid` for another name."""
        if name == "served":
            return cls(max_size)
        if found := re.fullmatch(r"square:(\d{2,4})", name):
            return cls(max_size, int(found[1]))
        raise T2SError("argument_invalid", f"there is no view {name!r}", "Choose served, or square:840")

    @property
    def name(self) -> str:
        """For the settings of a run."""
        return f"square:{self.side}" if self.side else f"served up to {self.max_size} px"

    def view(self, image: Pixels) -> View:
        """The View of an image (H, W, 3)."""
        height, width = image.shape[:2]
        if self.side:
            image = _resized(image, self.side, self.side, Image.Resampling.LANCZOS)
        elif max(height, width) > self.max_size:
            scale = self.max_size / max(height, width)
            size = max(1, round(height * scale)), max(1, round(width * scale))
            image = _resized(image, *size, Image.Resampling.BOX)
        height, width = image.shape[:2]
        return View(image, np.ones((height, width), bool), Georeference(), Window(0, 0, width, height), None, (1, 2, 3))


def _resized(image: Pixels, height: int, width: int, how: Image.Resampling) -> Pixels:
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), how))
