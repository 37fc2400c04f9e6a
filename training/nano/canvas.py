"""Draws training images for the image encoder from canvases: four images side by side, of which a square of any size and place is cut.

An object so has every position relative to the cells of 32 px, at many scales, beside many neighbours. A small share of images is
blank or noise, where nothing is to be found.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from training.nano.image_tokens import GRID, SIDE
from training.nano.imagery import (
    Labels,
    Packed,
    Truth,
    clip_numbers,
    labels_of,
    rotate_labels,
    rotate_pixels,
    shares_of_cells,
    truth_of,
)

LEAST_ZOOM, MOST_ZOOM = 0.7, 2.0
EMPTY_SHARE = 0.03  # of the images: blank, a gradient or noise


@dataclass(frozen=True, slots=True)
class Canvas:
    """Four images (folder, index) in reading order, each with its own turn (`ImageCrop.turn`), and the square that is cut.

    `left` and `top`: its corner in sides of one image; its side is 1 / `zoom` of that. `empty`: the seed of an image without objects.
    """

    images: tuple[tuple[int, int], ...]
    turns: tuple[int, ...]
    zoom: float
    left: float
    top: float
    empty: int | None = None


@dataclass(frozen=True, slots=True)
class CanvasBatch:
    """The data of one step: the canvases, and the truth of the squares."""

    canvases: list[Canvas]
    truth: Truth


def draw_canvas(folders: list[Packed], folder: int, rng: np.random.Generator) -> Canvas:
    """Returns a random canvas of images of one folder."""
    count = len(folders[folder].images)
    images = tuple((folder, int(index)) for index in rng.integers(count, size=4))
    zoom = float(np.exp(rng.uniform(np.log(LEAST_ZOOM), np.log(MOST_ZOOM))))
    left, top = rng.random(2) * (2 - 1 / zoom)
    empty = int(rng.integers(2**31)) if rng.random() < EMPTY_SHARE else None
    return Canvas(images, tuple(int(n) for n in rng.integers(8, size=4)), zoom, float(left), float(top), empty)


def labels_of_canvas(folders: list[Packed], canvas: Canvas) -> Labels:
    """Returns the truth of the square, cover (14, 14, 24) and numbers in 0..1000."""
    cover = np.zeros((2 * GRID, 2 * GRID, 24), np.uint8)
    categories, numbers, areas = [], [], []
    if canvas.empty is None:
        for place, ((folder, index), turn) in enumerate(zip(canvas.images, canvas.turns, strict=True)):
            row, column = divmod(place, 2)
            labels = rotate_labels(labels_of(folders[folder], index), turn)
            cover[row * GRID : (row + 1) * GRID, column * GRID : (column + 1) * GRID] = labels.cover
            offset = np.array([column - canvas.left, row - canvas.top])
            own = (labels.numbers.reshape(-1, 4, 2) + 1000 * offset) * canvas.zoom
            low = np.clip(1000 * offset * canvas.zoom, 0, 1000)
            high = np.clip(1000 * (offset + 1) * canvas.zoom, 0, 1000)
            kept, clipped = clip_numbers(own, tuple(low), tuple(high))
            categories.append(labels.category[kept])
            numbers.append(clipped)
            areas.append(labels.area[kept] * canvas.zoom**2)
    across, down = (shares_of_cells(start * GRID, GRID / canvas.zoom, 2 * GRID) for start in (canvas.left, canvas.top))
    seen = np.tensordot(across, np.tensordot(down, cover.astype(np.float32), 1), (1, 1)).swapaxes(0, 1)
    return Labels(
        np.round(seen).astype(np.uint8),
        np.concatenate([*categories, np.zeros(0, np.int64)]),
        np.concatenate([*numbers, np.zeros((0, 8))]),
        np.concatenate([*areas, np.zeros(0)]),
    )


def pixels_of_canvas(folders: list[Packed], canvas: Canvas) -> Tensor:
    """Returns the square's pixels (3, 448, 448) in -1..1."""
    if canvas.empty is not None:
        return _nothing(np.random.default_rng(canvas.empty))
    pictures = [
        rotate_pixels(folders[folder].images[index], turn)
        for (folder, index), turn in zip(canvas.images, canvas.turns, strict=True)
    ]
    whole = np.concatenate([np.concatenate(pictures[:2], 1), np.concatenate(pictures[2:], 1)], 0)
    side = SIDE / canvas.zoom
    x, y = int(canvas.left * SIDE), int(canvas.top * SIDE)
    part = whole[y : y + int(side) + 2, x : x + int(side) + 2]
    height, width = part.shape[:2]
    pixels = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None].float() / 127.5 - 1
    # the square's corner and side in -1..1 of this part
    at = [2 * (canvas.left * SIDE - x) / width - 1, 2 * (canvas.top * SIDE - y) / height - 1]
    half = [side / width, side / height]
    turn = torch.tensor([[[half[0], 0, at[0] + half[0]], [0, half[1], at[1] + half[1]]]], dtype=torch.float32)
    grid = F.affine_grid(turn, [1, 3, SIDE, SIDE], align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)[0]


def _nothing(rng: np.random.Generator) -> Tensor:
    """A picture of one colour, with a gradient or with noise of grains of 1 to 64 px."""
    grain = int(rng.choice([1, 2, 8, 64]))
    noise = torch.from_numpy(rng.normal(size=(1, 3 if rng.random() < 0.5 else 1, SIDE // grain, SIDE // grain)))
    noise = F.interpolate(noise.float(), size=(SIDE, SIDE), mode="bilinear", align_corners=False)[0].expand(3, -1, -1)
    ramp = torch.linspace(-1, 1, SIDE)
    slope = float(rng.choice([0.0, 0.3])) * (ramp[:, None] * rng.normal() + ramp * rng.normal())
    colour = torch.from_numpy(rng.uniform(-0.9, 0.9) + 0.2 * rng.normal(size=(3, 1, 1)))
    return (colour + float(rng.choice([0.0, 0.05, 0.4])) * noise + slope).float().clamp(-1, 1)


class CanvasBatches(Dataset[CanvasBatch]):
    """The batch of each step of a run; seed, step and process say what is drawn, also after a stop."""

    def __init__(self, folders: list[Packed], shares: list[float], *, size: int, seed: int, process: int = 0) -> None:
        self._folders, self._shares, self._size = folders, shares, size
        self._seed, self._process = seed, process

    def __getitem__(self, step: int) -> CanvasBatch:
        rng = np.random.default_rng([step, self._process, self._seed, 1])
        chosen = rng.choice(len(self._folders), self._size, p=self._shares).tolist()
        canvases = [draw_canvas(self._folders, folder, rng) for folder in chosen]
        labels = [labels_of_canvas(self._folders, canvas) for canvas in canvases]
        everything = np.ones(24, np.float32)
        known = [
            self._folders[folder].known if canvas.empty is None else everything
            for folder, canvas in zip(chosen, canvases, strict=True)
        ]
        return CanvasBatch(canvases, truth_of(labels, known))
