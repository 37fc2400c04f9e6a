"""Samples the segmenter's training data: one enlarged object, as `t2s_agent.segmenting.close_up` shows it, its prompts and its mask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.scene.view import Window
from t2s_agent.segmenting.close_up import CONTEXT, window_around
from t2s_agent.segmenting.sam2 import IMAGENET_MEAN, IMAGENET_STD
from training.nano.image_tokens import SIDE
from training.nano.imagery import rotate_pixels
from training.nano.pack import coco, procedural, semantic

Mask = NDArray[np.bool_]

INPUT_PX = 192  # side in px of the model's input: the surroundings of one object, see t2s_agent.segmenting.close_up
TRUTH_PX = 96  # side in px of the masks in training
BATCH = 16
FIRST_SCENES, MOST_SCENES = 40, 400  # procedural scenes that are drawn from: at first, and later
# forms of prompts: number of positive and negative points, whether there is a box, and how often the form is drawn
PROMPT_FORMS = (
    (2, 0, True, 0.6),
    (0, 0, True, 0.15),
    (1, 0, True, 0.05),
    (2, 1, True, 0.05),
    (1, 0, False, 0.1),
    (2, 1, False, 0.05),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Enlarged objects: pixels (B, 3, INPUT_PX, INPUT_PX), masks `truth` (B, TRUTH_PX, TRUTH_PX), and prompts in pixels of the input.

    `boxes` (B, 1, 4) or None, `points` (B, 1, P, 2) or None, `labels` (B, 1, P).
    """

    pixels: Tensor
    truth: Tensor
    boxes: Tensor | None
    points: Tensor | None
    labels: Tensor | None


def draw_batch(pictures: "Pictures", rng: np.random.Generator) -> Batch:
    """Returns a batch; all its objects have the same form of prompt, as the model takes one form a call."""
    shares = np.array([form[-1] for form in PROMPT_FORMS])
    positive, negative, boxed, _ = PROMPT_FORMS[rng.choice(len(PROMPT_FORMS), p=shares / shares.sum())]
    pixels, truth, boxes, points = [], [], [], []
    for _ in range(BATCH):
        rgb, mask = pictures.draw(rng)
        exact = box_of(mask)
        inside, outside = points_inside(mask, exact, positive, rng), points_outside(mask, exact, negative, rng)
        instance = Instance(jitter_box(exact, rng) if boxed else None, tuple(inside), tuple(outside))
        window = window_around(instance, SIDE, SIDE, context=CONTEXT * float(np.exp(rng.normal(0, 0.12))))
        near, true = crop_and_resize(rgb, mask, window, rng)
        own = instance.moved(-window.x, -window.y).scaled(INPUT_PX / window.width, INPUT_PX / window.height)
        pixels.append(normalise(near, rng))
        truth.append(true)
        boxes.append(own.box)
        points.append([*own.positive, *own.negative])
    labels = [[1] * positive + [0] * negative] * BATCH
    return Batch(
        torch.stack(pixels),
        torch.from_numpy(np.stack(truth)),
        torch.tensor(boxes, dtype=torch.float32)[:, None] if boxed else None,
        torch.tensor(points, dtype=torch.float32)[:, None] if labels[0] else None,
        torch.tensor(labels)[:, None] if labels[0] else None,
    )


def jitter_box(box: Box, rng: np.random.Generator) -> Box:
    """Returns the box as a prompter may give it: exact, or with errors of 6 or 15 % of its sides."""
    spread = rng.choice([0.0, 0.06, 0.15], p=[0.25, 0.45, 0.3])
    side = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    moved = np.array(box) + rng.normal(size=4) * np.maximum(spread * side, float(spread > 0))
    low, high = np.minimum(moved[:2], moved[2:] - 1), np.maximum(moved[2:], moved[:2] + 1)
    x1, y1, x2, y2 = np.clip([*low, *high], 0, SIDE)
    return (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))


def box_of(mask: Mask) -> Box:
    """Returns the bounding box of a mask (x1, y1, x2, y2) in pixels."""
    ys, xs = np.nonzero(mask)
    return (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def points_inside(mask: Mask, box: Box, count: int, rng: np.random.Generator) -> list[Point]:
    """Returns `count` points in a mask; one in five is moved at random by about a twentieth of the box."""
    ys, xs = np.nonzero(mask)
    points = []
    for index in rng.integers(len(xs), size=count):
        push = (0.05 if rng.random() < 0.2 else 0) * np.array([box[2] - box[0], box[3] - box[1]])
        x, y = np.clip(np.array([xs[index], ys[index]]) + 0.5 + rng.normal(size=2) * push, 0, SIDE)
        points.append((float(x), float(y)))
    return points


def points_outside(mask: Mask, box: Box, count: int, rng: np.random.Generator) -> list[Point]:
    """Returns `count` points in or near the box but not in the mask; a corner of the picture if there is no such place."""
    x1, y1, x2, y2 = box
    points: list[Point] = []
    for _ in range(20 * count):
        x, y = (
            rng.uniform(1.25 * x1 - 0.25 * x2, 1.25 * x2 - 0.25 * x1),
            rng.uniform(1.25 * y1 - 0.25 * y2, 1.25 * y2 - 0.25 * y1),
        )
        if len(points) < count and 0 <= x < SIDE and 0 <= y < SIDE and not mask[int(y), int(x)]:
            points.append((x, y))
    return points + [(0.5, 0.5)] * (count - len(points))


def crop_and_resize(
    rgb: NDArray[np.uint8], mask: Mask, window: Window, rng: np.random.Generator | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Returns the window of a picture at INPUT_PX x INPUT_PX px and of its mask at TRUTH_PX x TRUTH_PX; with `rng`, some are blurred."""
    part = np.s_[window.y : window.y + window.height, window.x : window.x + window.width]
    near = Image.fromarray(np.ascontiguousarray(rgb[part]))
    if rng is not None and rng.random() < 0.2:
        coarse = max(8, round(min(window.width, INPUT_PX) * rng.uniform(0.4, 0.9)))
        near = near.resize((coarse, coarse), Image.Resampling.BILINEAR)
    true = Image.fromarray(mask[part].astype(np.uint8) * 255).resize((TRUTH_PX, TRUTH_PX), Image.Resampling.BILINEAR)
    seen = np.asarray(near.resize((INPUT_PX, INPUT_PX), Image.Resampling.BILINEAR), np.uint8)
    return seen, np.asarray(true, np.float32) / np.float32(255)


def draw_batch_without_images(rng: np.random.Generator) -> Batch:
    """Returns a batch of prompts with black pictures; the mask to learn is the box itself."""
    side = np.exp(rng.uniform(np.log(INPUT_PX / 12), np.log(INPUT_PX * 0.9), (BATCH, 2)))
    centre = rng.uniform(0.25, 0.75, (BATCH, 2)) * INPUT_PX
    low, high = np.clip(centre - side / 2, 0, INPUT_PX - 4), np.clip(centre + side / 2, 4, INPUT_PX)
    points = low[:, None] + rng.uniform(0.15, 0.85, (BATCH, 2, 2)) * (high - low)[:, None]
    at = (np.arange(TRUTH_PX) + 0.5) * INPUT_PX / TRUTH_PX
    inside = [(at >= low[:, [axis]]) & (at < high[:, [axis]]) for axis in (0, 1)]
    return Batch(
        torch.zeros(BATCH, 3, INPUT_PX, INPUT_PX),
        torch.from_numpy(inside[1][:, :, None] & inside[0][:, None]).float(),
        torch.from_numpy(np.concatenate([low, high], -1)).float()[:, None],
        torch.from_numpy(points).float()[:, None],
        torch.ones(BATCH, 1, 2, dtype=torch.long),
    )


class Pictures:
    """Samples pictures with one object, from COCO files and from procedural scenes, rotated and mirrored at random."""

    def __init__(self, cocos: list[Path], drawn_share: float) -> None:
        self.drawn_share = drawn_share
        self._pool: list[int] = []  # seeds of the scenes that are drawn from
        self._scenes: dict[int, tuple[NDArray[np.uint8], dict[int, list[Mask]]]] = {}  # picture, masks by category
        self.rgb: list[NDArray[np.uint8]] = []
        self.objects: list[tuple[int, NDArray[np.uint8]]] = []  # picture, mask in bits
        categories = []
        for path in cocos:
            of_buildings = "building" if "building" in path.stem else ""
            for labelled in semantic(path, "dubai_train") if path.stem == "semantic" else coco(path, only=of_buildings):
                self.objects += [(len(self.rgb), np.packbits(mask)) for _, mask in labelled.objects]
                self.rgb.append(labelled.rgb)
                categories += [category for category, _ in labelled.objects]
        often = np.bincount(categories, minlength=1)
        self._weight = (
            (1 / np.sqrt(often[categories])).cumsum() if categories else np.zeros(0)
        )  # rare categories more often

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Mask]:
        """Returns a picture (448, 448, 3) and the mask of one object (448, 448)."""
        if not self.objects or rng.random() < self.drawn_share:
            rgb, mask = self._drawn(rng)
        else:
            picture, bits = self.objects[int(np.searchsorted(self._weight, rng.random() * self._weight[-1]))]
            rgb, mask = self.rgb[picture], np.unpackbits(bits, count=SIDE * SIDE).reshape(SIDE, SIDE).astype(bool)
        turn = int(rng.integers(8))
        return rotate_pixels(rgb, turn), rotate_pixels(mask, turn)

    def _drawn(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Mask]:
        """Returns a procedural scene and one mask; each category of the scene is equally likely."""
        while len(self._pool) < FIRST_SCENES or rng.random() < 0.02:  # scenes are reused: making one takes 0.2 s
            seed = int(rng.integers(0, 9_000_000))
            if self._scene(seed)[1]:
                if len(self._pool) >= MOST_SCENES:
                    self._scenes.pop(self._pool.pop(int(rng.integers(len(self._pool)))), None)
                self._pool.append(seed)
            else:
                del self._scenes[seed]
        rgb, of_kind = self._scene(self._pool[rng.integers(len(self._pool))])
        masks = of_kind[list(of_kind)[rng.integers(len(of_kind))]]
        return rgb, masks[rng.integers(len(masks))]

    def _scene(self, seed: int) -> tuple[NDArray[np.uint8], dict[int, list[Mask]]]:
        if seed not in self._scenes:
            (scene,) = procedural(range(seed, seed + 1))
            of_kind: dict[int, list[Mask]] = {}
            for category, mask in scene.objects:
                of_kind.setdefault(category, []).append(mask)
            self._scenes[seed] = scene.rgb, of_kind
        return self._scenes[seed]

    def state(self) -> list[int]:
        """Returns the seeds of the scenes that are drawn from."""
        return list(self._pool)

    def restore(self, state: list[int]) -> None:
        """Draws from the scenes of these seeds; each is made again when it is first needed."""
        self._pool = list(state)


def normalise(rgb: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
    """Returns pixels (3, INPUT_PX, INPUT_PX) normalised for the model; with `rng`, light and colour vary."""
    x = rgb.astype(np.float32) / 255
    if rng is not None:
        x = x * rng.uniform(0.7, 1.35) + rng.uniform(-0.1, 0.1) + rng.normal(0, 0.03, 3).astype(np.float32)
        if rng.random() < 0.1:
            x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
    x = (x - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 0), dtype=np.float32))
