"""Augments packed imagery for the training of the image encoder (rotation, zoom, colours, joined images), with its truth.

The truth can be computed in separate processes. Pixels are cropped on the device of the image encoder, on a GPU if there is one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from evals.questions import CATEGORIES
from training.nano.image_tokens import CELL, GRID, NEAR_CELLS, cell_of
from training.nano.pack import LAND

LAND_CATEGORIES = [CATEGORIES.index(name) for name in LAND]
COVER_THRESHOLD = 0.03  # share of a cell that a category has to cover to be present in it
JOINED_SHARE = 0.25  # of images, joined from two: the few hundred real images repeat the same neighbours too often
NEIGHBOUR_WEIGHT = 0.3  # in the loss, of the numbers of a cell that is in an object, next to the cell of its centre


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed folder (pack.py), with its objects sorted by image; `first[i]:first[i + 1]` are those of image i.

    `known` (24,) float32: 1 for the categories that its truth covers, which are all that occur in it.
    """

    images: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    objects: NDArray[np.float32]
    first: NDArray[np.int64]
    known: NDArray[np.float32]

    @staticmethod
    def load(folder: Path) -> "Packed":
        images = np.load(folder / "images.npy", mmap_mode="r")
        cover = np.load(folder / "cover.npy", mmap_mode="r")
        objects = np.load(folder / "objects.npy")
        objects = objects[np.argsort(objects[:, 0], kind="stable")]
        known = np.zeros(24, np.float32)
        known[np.unique(objects[:, 1]).astype(int)] = 1
        known[cover[:200].any((0, 1, 2))] = 1
        return Packed(images, cover, objects, np.searchsorted(objects[:, 0], np.arange(len(images) + 1)), known)


@dataclass(frozen=True, slots=True)
class ImageCrop:
    """A random view of an image: one of the eight rotations and flips of a square (`turn`), then a part, enlarged `zoom` times.

    `turn`: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps them. `left` and `top` (0..1): the position in the range of all possible ones.
    """

    turn: int = 0
    zoom: float = 1.0
    left: float = 0.0
    top: float = 0.0

    @staticmethod
    def draw(rng: np.random.Generator, *, zoomed: float, most: float) -> "ImageCrop":
        """Returns a random rotation or flip; with the probability `zoomed` a part, enlarged up to `most` times."""
        zoom = float(np.exp(rng.uniform(0, np.log(most)))) if rng.random() < zoomed else 1.0
        return ImageCrop(int(rng.integers(8)), zoom, *rng.random(2))


@dataclass(frozen=True, slots=True)
class Labels:
    """The truth of one augmented image: cover (14, 14, 24), categories (N,), numbers (N, 8), areas (N,)."""

    cover: NDArray[np.uint8]
    category: NDArray[np.int64]
    numbers: NDArray[np.float64]
    area: NDArray[np.float64]


def labels_of(packed: Packed, index: int, part: ImageCrop | None = None) -> Labels:
    rows = packed.objects[packed.first[index] : packed.first[index + 1]].astype(np.float64)
    labels = Labels(packed.cover[index], rows[:, 1].astype(int), rows[:, 3:], rows[:, 2])
    return transform_labels(labels, part) if part else labels


def transform_labels(labels: Labels, part: ImageCrop) -> Labels:
    """Returns the truth of a crop; objects that are mostly outside of it are left out."""
    turned = rotate_labels(labels, part.turn)
    return _crop_labels(turned, part) if part.zoom > 1 else turned


def rotate_pixels(array: np.ndarray, turn: int) -> np.ndarray:
    """Returns an image or mask (H, W, ...) rotated or mirrored (`ImageCrop.turn`), as a view."""
    if turn & 1:
        array = array[:, ::-1]
    if turn & 2:
        array = array[::-1]
    return array.swapaxes(0, 1) if turn & 4 else array


def rotate_labels(labels: Labels, turn: int) -> Labels:
    """Returns the truth of a rotated or mirrored image (`ImageCrop.turn`)."""
    cover, numbers = labels.cover, labels.numbers.reshape(-1, 4, 2)
    if turn & 1:
        cover = cover[:, ::-1]
        numbers = numbers * (-1, 1) + (1000, 0)
    if turn & 2:
        cover = cover[::-1]
        numbers = numbers * (1, -1) + (0, 1000)
    if turn & 4:
        cover, numbers = cover.swapaxes(0, 1), numbers[..., ::-1]
    box = np.sort(numbers[:, :2], axis=1)
    points = numbers[:, 2:]
    order = np.lexsort((points[..., 1], points[..., 0]), axis=1)
    points = np.take_along_axis(points, order[..., None], axis=1)
    return Labels(cover, labels.category, np.concatenate([box, points], 1).reshape(-1, 8), labels.area)


def _crop_labels(labels: Labels, part: ImageCrop) -> Labels:
    corner = np.array([part.left, part.top]) * (1000 - 1000 / part.zoom)
    across, down = (shares_of_cells(start * GRID / 1000, GRID / part.zoom, GRID) for start in corner)
    cover = np.tensordot(down, labels.cover.astype(np.float32), 1)
    cover = np.tensordot(across, cover, (1, 1)).swapaxes(0, 1)
    numbers = (labels.numbers.reshape(-1, 4, 2) - corner) * part.zoom
    kept, numbers = clip_numbers(numbers, (0, 0), (1000, 1000))
    return Labels(np.round(cover).astype(np.uint8), labels.category[kept], numbers, labels.area[kept] * part.zoom**2)


def join_labels(left: Labels, right: Labels, column: int) -> Labels:
    """Returns the truth of an image joined from two: the cells from `column` on come from the right one."""
    edge = column * 1000 / GRID
    kept, numbers = clip_numbers(left.numbers.reshape(-1, 4, 2), (0, 0), (edge, 1000))
    also, others = clip_numbers(right.numbers.reshape(-1, 4, 2), (edge, 0), (1000, 1000))
    return Labels(
        np.concatenate([left.cover[:, :column], right.cover[:, column:]], axis=1),
        np.concatenate([left.category[kept], right.category[also]]),
        np.concatenate([numbers, others]),
        np.concatenate([left.area[kept], right.area[also]]),
    )


def clip_numbers(
    numbers: NDArray[np.float64], low: tuple[float, float], high: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Returns which of (N, 4, 2) have at least 0.35 of their box in a rectangle (N,), and these (K, 8), clipped, with points inside."""
    clipped = np.clip(numbers[:, :2], low, high)
    whole = np.prod(numbers[:, 1] - numbers[:, 0], axis=-1)
    kept = (np.prod(clipped[:, 1] - clipped[:, 0], axis=-1) >= 0.35 * whole) & (clipped[:, 1] > clipped[:, 0]).all(-1)
    clipped, points = clipped[kept], numbers[kept, 2:]
    middle = clipped.mean(1, keepdims=True)
    outside = ((points < low) | (points > high)).any(-1, keepdims=True)
    points = np.where(outside, middle + 0.8 * (np.clip(points, low, high) - middle), points)
    return kept, np.concatenate([clipped, points], axis=1).reshape(-1, 8)


def shares_of_cells(start: float, length: float, units: int) -> NDArray[np.float32]:
    """Returns for each of GRID equal parts of start..start + length its share in each unit (GRID, units); rows sum to 1."""
    edges = start + np.arange(GRID + 1) * length / GRID
    unit = np.arange(units)
    inside = np.minimum(edges[1:, None], unit + 1) - np.maximum(edges[:-1, None], unit)
    return np.asarray(np.clip(inside, 0, None) * GRID / length, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Window:
    """`side` x `side` cells of an augmented image, the upper left one at (row, column)."""

    row: int = 0
    column: int = 0
    side: int = GRID


WHOLE = Window()


def crop_pixels(images: Tensor, parts: list[ImageCrop], window: Window = WHOLE) -> Tensor:
    """Returns pixels (B, 3, H, W) in -1..1 of a window of the augmented images, on the device of `images` (B, 448, 448, 3) uint8."""
    pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    if window == WHOLE and all(part == ImageCrop() for part in parts):
        return pixels
    maps = torch.from_numpy(np.stack([_map(part, window) for part in parts])).to(pixels)
    shape = [len(parts), 3, window.side * CELL, window.side * CELL]
    grid = F.affine_grid(maps, shape, align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _map(part: ImageCrop, window: Window) -> NDArray[np.float64]:
    """Returns the affine map (2, 3) from positions in the window (-1..1) to positions in the image (-1..1)."""
    share = window.side / GRID
    within = (
        np.array([2 * window.column, 2 * window.row]) / GRID + share - 1
    )  # the window's centre in the augmented image
    corner = np.array([part.left, part.top]) * (1 - 1 / part.zoom)
    scale, shift = share / part.zoom, within / part.zoom + 2 * corner + 1 / part.zoom - 1
    turn = np.eye(2)[::-1] if part.turn & 4 else np.eye(2)
    turn = np.array([[-1.0 if part.turn & 1 else 1.0], [-1.0 if part.turn & 2 else 1.0]]) * turn
    return np.concatenate([turn * scale, (turn @ shift)[:, None]], axis=1)


def vary_colours(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns images (B, 3, H, W) in -1..1 with random light, contrast, colour cast, grey and noise."""

    def uniform(low: float, high: float) -> Tensor:
        drawn = torch.rand(len(pixels), 1, 1, 1, generator=generator, device=pixels.device)
        return low + (high - low) * drawn

    cast = 0.06 * torch.randn(len(pixels), 3, 1, 1, generator=generator, device=pixels.device)
    x = pixels * uniform(0.7, 1.3) + uniform(-0.25, 0.25) + cast
    grey = torch.rand(len(x), generator=generator, device=x.device) < 0.1
    x[grey] = x[grey].mean(1, keepdim=True)
    noisy = torch.rand(len(x), generator=generator, device=x.device) < 0.3
    noise = torch.randn(x[noisy].shape, generator=generator, device=x.device)
    x[noisy] += noise * uniform(0.02, 0.08)[noisy]
    return x.clamp_(-1.2, 1.2)


def cells_with_centres(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the cells (K,) with an object's centre, in reading order, and the index of that object (K,).

    If there are several, the largest; an object on land comes before the land.
    """
    cells = cell_of(labels.numbers[:, :4])
    order = np.lexsort((-labels.area, np.isin(labels.category, LAND_CATEGORIES)))
    found, first = np.unique(cells[order], return_index=True)
    return found, order[first]


@dataclass(frozen=True, slots=True)
class Truth:
    """The targets for a batch of tokens (B, K): centre (B, K, 24), near (B, K, 24), and the numbers with their positions.

    The cell with an object's centre has the numbers as a target and, with less weight, so do the cells around it that are in the object:
    one of them may be taken for the centre, and it is more to learn from. `known` (B, 24): the categories that the truth covers.
    """

    centre: Tensor
    near: Tensor
    at: Tensor  # (M, 2): image of the batch, token
    numbers: Tensor  # (M, 8)
    weight: Tensor  # (M,): 1 at a centre, NEIGHBOUR_WEIGHT next to it
    cells: Tensor  # (K,)
    known: Tensor

    def to(self, device: torch.device) -> "Truth":
        return Truth(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


def truth_of(labels: list[Labels], known: list[NDArray[np.float32]], window: Window = WHOLE) -> Truth:
    row, column, side = window.row, window.column, window.side
    cells = (np.arange(row, row + side)[:, None] * GRID + np.arange(column, column + side)).ravel()
    token = np.full(GRID * GRID, -1)
    token[cells] = np.arange(len(cells))
    centre = np.zeros((len(labels), len(cells), 24), np.float32)
    cover = np.stack([each.cover[row : row + side, column : column + side] for each in labels])
    there = torch.from_numpy(cover >= 255 * COVER_THRESHOLD).float().permute(0, 3, 1, 2)
    around = F.max_pool2d(there, 2 * NEAR_CELLS + 1, stride=1, padding=NEAR_CELLS)
    near = around.flatten(2).transpose(1, 2).contiguous()
    at, numbers, weights = [], [], []
    low = np.array([column, row]) * 1000 / GRID
    high = low + side * 1000 / GRID
    for index, each in enumerate(labels):
        found = cells_with_centres(each)
        taken = set(found[0].tolist())
        for cell, thing in zip(*found, strict=True):
            box = each.numbers[thing, :4].reshape(2, 2)
            if token[cell] >= 0:
                centre[index, token[cell], each.category[thing]] = 1
                left, top = np.clip(np.floor(box[0] * GRID / 1000).astype(int) - (column, row), 0, side - 1)
                right, bottom = np.clip(np.ceil(box[1] * GRID / 1000).astype(int) - (column, row), 1, side)
                near[index, token[cell]] = around[index, :, top:bottom, left:right].amax((1, 2))
            seen = np.prod(np.clip(np.minimum(box[1], high) - np.maximum(box[0], low), 0, None))
            if seen < 0.9 * np.prod(
                box[1] - box[0]
            ):  # an object that continues outside of the window has unknown numbers
                continue
            beside = _neighbours_inside(int(cell), box) - taken
            taken |= beside
            for one, weight in ((int(cell), 1.0), *((each, NEIGHBOUR_WEIGHT) for each in sorted(beside))):
                if token[one] >= 0:
                    at.append([index, token[one]])
                    numbers.append(each.numbers[thing])
                    weights.append(weight)
    return Truth(
        torch.from_numpy(centre),
        near,
        torch.tensor(at, dtype=torch.long).reshape(-1, 2),
        torch.tensor(np.array(numbers).reshape(-1, 8), dtype=torch.float32),
        torch.tensor(weights, dtype=torch.float32),
        torch.from_numpy(cells),
        torch.from_numpy(np.stack(known)),
    )


def _neighbours_inside(cell: int, box: NDArray[np.float64]) -> set[int]:
    """Returns the neighbours of a cell with their centre in a box (2, 2)."""
    row, column = divmod(cell, GRID)
    rows, columns = range(max(row - 1, 0), min(row + 2, GRID)), range(max(column - 1, 0), min(column + 2, GRID))
    low, high = box * GRID / 1000 - 0.5
    inside = {r * GRID + c for r in rows for c in columns if low[1] <= r <= high[1] and low[0] <= c <= high[0]}
    return inside - {cell}


@dataclass(frozen=True, slots=True)
class Batch:
    """The data of one step: images (folder, index), the crop of each, and the truth.

    From the column `join_column` on (GRID: none), an image has the cells of the image before it in the batch.
    """

    images: list[tuple[int, int]]
    parts: list[ImageCrop]
    join_column: list[int]
    window: Window
    truth: Truth


class Batches(Dataset[Batch]):
    """The batch of each step of a run, from packed folders that are sampled with the probabilities `shares`.

    Before the step `whole_from`: `size` quarters of images; then a quarter as many whole images. Seed, step and process say what is
    drawn, so that it is the same in any number of workers and after a stop.
    """

    def __init__(
        self, folders: list[Packed], shares: list[float], *, size: int, whole_from: int, seed: int, process: int = 0
    ) -> None:
        self._folders, self._shares, self._size, self._whole_from = folders, shares, size, whole_from
        self._seed, self._process = seed, process

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([step, self._process, self._seed])
        whole = step >= self._whole_from
        side, count = (GRID, max(4, self._size // 4)) if whole else (GRID // 2, self._size)
        row, column = (int(n) for n in rng.integers(0, GRID - side + 1, 2))
        window = Window(row, column, side)
        images, parts, labels = [], [], []
        for chosen in rng.choice(len(self._folders), count, p=self._shares).tolist():
            folder = self._folders[chosen]
            images.append((chosen, int(rng.integers(len(folder.images)))))
            parts.append(ImageCrop.draw(rng, zoomed=0.4, most=2.0))
            labels.append(labels_of(folder, images[-1][1], parts[-1]))
        known = [self._folders[folder].known for folder, _ in images]
        columns = np.where(rng.random(count) < JOINED_SHARE, rng.integers(3, GRID - 2, count), GRID).tolist()
        mixed, spoken_of = list(labels), list(known)
        for n, column in enumerate(columns):
            if column < GRID:
                mixed[n], spoken_of[n] = join_labels(labels[n], labels[n - 1], column), known[n] * known[n - 1]
        return Batch(images, parts, columns, window, truth_of(mixed, spoken_of, window))


class Pixels:
    """The images of packed folders, in the memory of the GPU if there is one, else memory-mapped."""

    def __init__(self, folders: list[Packed], device: torch.device) -> None:
        self._folders = folders
        self._device = device
        self._first = np.cumsum([0, *(len(folder.images) for folder in folders)])
        self._held = None
        if device.type != "cpu":
            self._held = torch.cat([torch.from_numpy(np.array(folder.images)).to(device) for folder in folders])

    def of(self, batch: Batch) -> Tensor:
        """Returns the pixels (B, 3, H, W) in -1..1 of a batch."""
        if self._held is not None:
            index = torch.tensor([self._first[folder] + image for folder, image in batch.images], device=self._device)
            images = self._held[index]
        else:
            images = torch.from_numpy(np.stack([self._folders[folder].images[image] for folder, image in batch.images]))
        pixels = crop_pixels(images, batch.parts, batch.window)
        cell = torch.arange(pixels.shape[-1], device=self._device) // CELL + batch.window.column
        own = cell < torch.tensor(batch.join_column, device=self._device)[:, None]
        return torch.where(own[:, None, None], pixels, pixels.roll(1, 0))
