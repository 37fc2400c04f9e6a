"""Measures embedding and decoding by a segmenter of SAM 2.1's shape with random weights; the weights do not change the time.

The alternative is transformers alone with the same weights, used like the reference code of SAM: one decoder call for each object.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evals.run.views import Looking
from evals.speed.rows import Row, time_alternately
from t2s_agent.instance import Instance
from t2s_agent.scene.view import View
from t2s_agent.segmenting.sam2 import IMAGENET_MEAN, IMAGENET_STD, Sam2Segmenter

SIDE_PX = 1024  # side of the model's input, and of the image
OBJECTS = 16


def saved_sam2(folder: Path, **config: Any) -> Path:
    """Saves a Sam2Model with random weights; its default shape is that of hiera-tiny (39 million weights). Returns the folder."""
    import torch
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    Sam2Model(Sam2Config(**config)).eval().save_pretrained(folder)
    return folder


class TransformersAlone:
    """transformers alone: the image resized and normalised, the model, and masks at the image's size."""

    def __init__(self, folder: Path, side: int = SIDE_PX) -> None:
        import torch
        from transformers import Sam2Model

        self._model, self._side = Sam2Model.from_pretrained(folder).eval(), side
        self._no_gradients = torch.inference_mode

    def embed(self, rgb: Any) -> Any:
        import torch

        square = Image.fromarray(rgb).resize((self._side, self._side), Image.Resampling.BILINEAR)
        pixels = (np.asarray(square, np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32))[None]
        with self._no_gradients():
            return self._model.get_image_embeddings(tensor)

    def decode(self, maps: Any, rgb: Any, instances: Sequence[Instance]) -> list[Any]:
        """Returns a mask, bool (H, W), for each object; one call for each."""
        import torch
        from torch.nn.functional import interpolate

        scale = self._side / rgb.shape[1]
        masks = []
        for each in instances:
            boxes = torch.tensor([[each.box]], dtype=torch.float32) * scale
            points = torch.tensor([[each.positive]], dtype=torch.float32) * scale
            labels = torch.ones(points.shape[:3], dtype=torch.int64)
            with self._no_gradients():
                out = self._model(
                    image_embeddings=maps,
                    input_boxes=boxes,
                    input_points=points,
                    input_labels=labels,
                    multimask_output=False,
                )
                full = interpolate(out.pred_masks[0, :, :1], size=rgb.shape[:2], mode="bilinear", align_corners=False)
                masks.append((full[0, 0] > 0).numpy())
        return masks


def picture(seed: int, side: int = SIDE_PX) -> View:
    """Returns random pixels as a View."""
    rgb = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Looking(side).view(rgb)


def prompts(count: int, side: int = SIDE_PX) -> list[Instance]:
    """Returns random boxes with a point in each."""
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, side * 0.8, (count, 2))
    return [
        Instance(box=(x, y, x + side * 0.1, y + side * 0.1), positive=((x + side * 0.05, y + side * 0.05),))
        for x, y in corners.tolist()
    ]


def embed(folder: Path, times: int) -> list[Row]:
    """Measures the embedding of a new image and of an already embedded one, by the segmenter and by transformers alone."""
    ours, plain = _load_both(folder)
    seeds = iter(range(10_000))
    new = time_alternately(
        lambda: ours.embed([picture(next(seeds))]), lambda: plain.embed(picture(next(seeds)).rgb), times
    )
    known = picture(0)
    ours.embed([known])
    again = time_alternately(lambda: ours.embed([known]), lambda: plain.embed(known.rgb), times)
    alternative = "transformers: Sam2Model.get_image_embeddings"
    return [
        Row.of("embed", f"a new picture of {SIDE_PX} px, SAM 2.1 hiera-tiny's shape", new[0], alternative, new[1]),
        Row.of("embed", "the same picture again", again[0], alternative, again[1]),
    ]


def decode(folder: Path, times: int) -> list[Row]:
    """Measures the masks of one and of several objects from one embedding."""
    ours, plain = _load_both(folder)
    view = picture(0)
    embedding, maps = ours.embed([view])[0], plain.embed(view.rgb)
    rows = []
    for count in (1, OBJECTS):
        some = prompts(count)
        took = time_alternately(
            partial(ours.decode, embedding, some), partial(plain.decode, maps, view.rgb, some), times
        )
        rows.append(
            Row.of("decode", f"{count} objects, one embedding", took[0], "transformers: one call an object", took[1])
        )
    return rows


def _load_both(folder: Path) -> tuple[Sam2Segmenter, TransformersAlone]:
    saved = saved_sam2(folder / "sam2")
    return Sam2Segmenter.load(saved, device="cpu"), TransformersAlone(saved)
