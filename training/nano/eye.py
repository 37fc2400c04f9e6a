"""Stage two of nano's prompter: the eye learns to write the code of codes.py, cell by cell, from labelled imagery.

    python -m training.nano.eye --data runs/data/procedural runs/data/isaid --run runs/eye --minutes 60

A quarter of an image is shown at a time, in its own place of the position table: attention over 196 patches instead of
784, and coordinates that mean the same. The last part of a run shows whole images.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from training.nano import parallel
from training.nano.beginning import start
from training.nano.codes import (
    CELL,
    CENTRE,
    COORDINATES,
    COVER,
    GRID,
    LOUD,
    NUMBERS,
    ONE,
    OWN,
    PLACE,
    SIDE,
    SOFT,
    cell_of,
    coordinate_logits,
    number_code,
    place_code,
    soft_targets,
)
from training.nano.pack import LAND
from training.nano.questions import CATEGORIES

LAND_CATEGORIES = [CATEGORIES.index(name) for name in LAND]
SHARP = 8.0  # logits of a share v are SHARP * (v - 0.5)
SHARP_CENTRE = 14.0  # of a centre: 0 has to mean "surely not", so that nothing is gained below
FOUND_WEIGHT = 3.0  # of a cell with a centre, against one without: more, and its neighbours are marked as well
BESIDE_WEIGHT = 0.3  # of the numbers that a cell says that lies in an object, beside its centre


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed folder (pack.py), its objects sorted by image; `first[i]:first[i + 1]` are those of image i."""

    images: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    objects: NDArray[np.float32]
    first: NDArray[np.int64]

    @staticmethod
    def load(folder: Path) -> "Packed":
        images = np.load(folder / "images.npy", mmap_mode="r")
        objects = np.load(folder / "objects.npy")
        objects = objects[np.argsort(objects[:, 0], kind="stable")]
        first = np.searchsorted(objects[:, 0], np.arange(len(images) + 1))
        return Packed(images, np.load(folder / "cover.npy", mmap_mode="r"), objects, first)


@dataclass(frozen=True, slots=True)
class Sample:
    """One augmented image: pixels (448, 448, 3), cover (14, 14, 24), categories (N,), numbers (N, 8), areas (N,)."""

    rgb: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    category: NDArray[np.int64]
    numbers: NDArray[np.float64]
    area: NDArray[np.float64]


def turned(sample: Sample, turn: int) -> Sample:
    """One of the eight turns and flips of a square: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps them."""
    rgb, cover, numbers = sample.rgb, sample.cover, sample.numbers.reshape(-1, 4, 2)
    if turn & 1:
        rgb, cover = rgb[:, ::-1], cover[:, ::-1]
        numbers = numbers * (-1, 1) + (1000, 0)
    if turn & 2:
        rgb, cover = rgb[::-1], cover[::-1]
        numbers = numbers * (1, -1) + (0, 1000)
    if turn & 4:
        rgb, cover, numbers = rgb.swapaxes(0, 1), cover.swapaxes(0, 1), numbers[..., ::-1]
    box = np.sort(numbers[:, :2], axis=1)
    points = numbers[:, 2:]
    order = np.lexsort((points[..., 1], points[..., 0]), axis=1)
    points = np.take_along_axis(points, order[..., None], axis=1)
    return Sample(rgb, cover, sample.category, np.concatenate([box, points], 1).reshape(-1, 8), sample.area)


def zoomed(sample: Sample, zoom: float, left: float, top: float) -> Sample:
    """A part of a sample, enlarged `zoom` times; `left` and `top` (0..1) say where among all places that there are."""
    shown = 1000 / zoom
    corner = np.array([left, top]) * (1000 - shown)
    x, y = corner * SIDE / 1000
    part = Image.fromarray(np.ascontiguousarray(sample.rgb))
    part = part.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(x, y, x + SIDE / zoom, y + SIDE / zoom))
    across, down = (_shares(start * GRID / 1000, GRID / zoom) for start in corner)
    cover = np.einsum("ri,cj,ijk->rck", down, across, sample.cover.astype(np.float32))
    numbers = (sample.numbers.reshape(-1, 4, 2) - corner) * zoom
    clipped = np.clip(numbers[:, :2], 0, 1000)
    whole = np.prod(numbers[:, 1] - numbers[:, 0], axis=-1)
    kept = np.prod(clipped[:, 1] - clipped[:, 0], axis=-1) >= 0.35 * whole
    numbers[:, :2] = clipped
    points, middle = numbers[:, 2:], clipped.mean(1, keepdims=True)
    outside = ((points < 0) | (points > 1000)).any(-1, keepdims=True)
    numbers[:, 2:] = np.where(outside, middle + 0.8 * (np.clip(points, 0, 1000) - middle), points)
    return Sample(
        np.asarray(part),
        np.round(cover).astype(np.uint8),
        sample.category[kept],
        numbers[kept].reshape(-1, 8),
        sample.area[kept] * zoom**2,
    )


def _shares(start: float, length: float) -> NDArray[np.float32]:
    """Of each of GRID equal parts of start..start + length, the share that lies in each unit (GRID, GRID); rows sum to 1."""
    edges = start + np.arange(GRID + 1) * length / GRID
    unit = np.arange(GRID)
    inside = np.minimum(edges[1:, None], unit + 1) - np.maximum(edges[:-1, None], unit)
    return np.asarray(np.clip(inside, 0, None) * GRID / length, dtype=np.float32)


def tinted(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Light, contrast, colour cast, haze, grey and noise at random; (..., 3) to float32 in about -1..1."""
    contrast = rng.uniform(0.7, 1.3)
    shift = rng.uniform(-0.25, 0.25) + rng.normal(0, 0.06, 3) - contrast
    x = rgb * np.float32(contrast / 127.5) + shift.astype(np.float32)
    if rng.random() < 0.1:
        x[:] = x.mean(-1, keepdims=True)
    if rng.random() < 0.3:
        noise = rng.standard_normal(x.shape, dtype=np.float32)
        x += noise * np.float32(rng.uniform(0.02, 0.08))
    return np.asarray(np.clip(x, -1.2, 1.2, out=x))


def sample_of(packed: Packed, index: int, turn: int) -> Sample:
    rows = packed.objects[packed.first[index] : packed.first[index + 1]].astype(np.float64)
    plain = Sample(packed.images[index], packed.cover[index], rows[:, 1].astype(int), rows[:, 3:], rows[:, 2])
    return turned(plain, turn)


def centred(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells (K,) with an object's centre, in reading order, and the object (K,) that each stands for.

    The largest, but none of land where something stands on it.
    """
    cells = cell_of(sample.numbers[:, :4])
    order = np.lexsort((-sample.area, np.isin(sample.category, LAND_CATEGORIES)))
    found, first = np.unique(cells[order], return_index=True)
    return found, order[first]


def see(visual: Any, pixels: Tensor, row: int = 0, column: int = 0) -> Tensor:
    """Image tokens (B, cells, WIDTH) of pixels (B, 3, H, W) in -1..1 that show part of the 448-px image.

    `row` and `column` say where, in patches. The same weights and sums as the class's own forward, over a batch of
    equal sizes at once; the patch embedding as a plain product (NANO: its Conv3d is slow on a CPU).
    """
    batch, _, height, width = pixels.shape
    rows, columns = height // 16, width // 16
    patches = pixels.reshape(batch, 3, rows // 2, 2, 16, columns // 2, 2, 16).permute(0, 2, 5, 3, 6, 1, 4, 7)
    patches = patches.reshape(batch, rows * columns, 3 * 256)
    index = torch.arange(rows * columns).reshape(rows, columns)
    index = index.reshape(rows // 2, 2, columns // 2, 2).transpose(1, 2).flatten()
    y, x = index // columns + row, index % columns + column
    proj = visual.patch_embed.proj
    hidden = F.linear(patches, proj.weight.flatten(1), proj.bias)
    hidden = hidden + visual.pos_embed.weight[y * (SIDE // 16) + x]
    cos, sin = visual.rotary_pos_emb(hidden, torch.stack([y, x], dim=1))
    for block in visual.blocks:
        attention = block.attn
        q, k, v = attention.qkv(block.norm1(hidden)).unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        hidden = hidden + attention.proj(mixed)
        hidden = hidden + block.mlp(block.norm2(hidden))
    tokens: Tensor = visual.merger(hidden.flatten(0, 1)).unflatten(0, (batch, -1))
    return tokens


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    cos, sin = cos.to(x), sin.to(x)
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


@dataclass(frozen=True, slots=True)
class Truth:
    """What a batch of tokens (B, K) should say: centre (B, K, 24), cover (B, K, 24), where and what the numbers are.

    Numbers are asked of the cell with an object's centre and, at less weight, of the cells around it that lie in the object: one of
    them may be taken for the centre, and it is more to learn from.
    """

    centre: Tensor
    cover: Tensor
    at: Tensor  # (M, 2): image of the batch, token
    numbers: Tensor  # (M, 8)
    weight: Tensor  # (M,): 1 at a centre, BESIDE_WEIGHT beside it
    cells: Tensor  # (K,)


def truth_of(samples: list[Sample], row: int, column: int, side: int) -> Truth:
    """For a window of `side` x `side` cells whose upper left cell is (row, column)."""
    cells = (np.arange(row, row + side)[:, None] * GRID + np.arange(column, column + side)).ravel()
    token = np.full(GRID * GRID, -1)
    token[cells] = np.arange(len(cells))
    centre = np.zeros((len(samples), len(cells), 24), np.float32)
    cover = np.stack([s.cover[row : row + side, column : column + side].reshape(-1, 24) for s in samples])
    at, numbers, weights = [], [], []
    low = np.array([column, row]) * 1000 / GRID
    high = low + side * 1000 / GRID
    for index, sample in enumerate(samples):
        found = centred(sample)
        taken = set(found[0].tolist())
        for cell, thing in zip(*found, strict=True):
            if token[cell] >= 0:
                centre[index, token[cell], sample.category[thing]] = 1
            box = sample.numbers[thing, :4].reshape(2, 2)
            seen = np.prod(np.clip(np.minimum(box[1], high) - np.maximum(box[0], low), 0, None))
            if seen < 0.9 * np.prod(box[1] - box[0]):  # what lies outside of the window cannot be known
                continue
            beside = _beside(int(cell), box) - taken
            taken |= beside
            for near, weight in ((int(cell), 1.0), *((each, BESIDE_WEIGHT) for each in sorted(beside))):
                if token[near] >= 0:
                    at.append([index, token[near]])
                    numbers.append(sample.numbers[thing])
                    weights.append(weight)
    return Truth(
        torch.from_numpy(centre),
        torch.from_numpy(cover.astype(np.float32) / 255),
        torch.tensor(at, dtype=torch.long).reshape(-1, 2),
        torch.tensor(np.array(numbers).reshape(-1, 8), dtype=torch.float32),
        torch.tensor(weights, dtype=torch.float32),
        torch.from_numpy(cells),
    )


def _beside(cell: int, box: NDArray[np.float64]) -> set[int]:
    """The neighbours of a cell whose middle lies in a box (2, 2)."""
    row, column = divmod(cell, GRID)
    rows, columns = range(max(row - 1, 0), min(row + 2, GRID)), range(max(column - 1, 0), min(column + 2, GRID))
    low, high = box * GRID / 1000 - 0.5
    inside = {r * GRID + c for r in rows for c in columns if low[1] <= r <= high[1] and low[0] <= c <= high[0]}
    return inside - {cell}


def dense_loss(tokens: Tensor, truth: Truth, known: Tensor) -> tuple[Tensor, dict[str, float]]:
    """How far tokens (B, K, WIDTH) are from the code. `known` (B, 24): the categories that the image's truth speaks of."""
    tokens = tokens.float()
    centre = SHARP_CENTRE * (tokens[..., CENTRE] / LOUD - 0.5)
    weight = known[:, None, :] * (1 + (FOUND_WEIGHT - 1) * truth.centre)
    centre_loss = (
        F.binary_cross_entropy_with_logits(centre, truth.centre, reduction="none") * weight
    ).sum() / known.sum()
    cover = SHARP * (tokens[..., COVER] - 0.5)
    cover_loss = (F.binary_cross_entropy_with_logits(cover, truth.cover, reduction="none") * known[:, None, :]).mean()
    place_loss = F.mse_loss(tokens[..., PLACE], place_code()[truth.cells].expand(len(tokens), -1, -1))
    place_loss = place_loss + (tokens[..., ONE] - 1).square().mean() + tokens[..., OWN].square().mean()
    quiet = tokens[..., COORDINATES].square().mean()
    # where nothing is, 0 is meant and not ever less: the language side weighs a cell's numbers against each other
    below = tokens[..., : COVER.stop].clamp(max=0).square().mean()
    total = centre_loss / 2 + 6 * cover_loss + 40 * place_loss + 2 * below + 0.05 * quiet
    figures = {"centre": float(centre_loss.detach()), "cover": float(cover_loss.detach())}
    figures["place"], figures["below"] = float(place_loss.detach()), float(below.detach())
    if len(truth.at):
        said = tokens[truth.at[:, 0], truth.at[:, 1]]
        logits = coordinate_logits(said)
        share = truth.weight / truth.weight.sum()
        off = -(soft_targets(truth.numbers) * logits.log_softmax(-1)).sum(-1).mean(1)
        number_loss = (off * share).sum()
        code = SOFT * number_code(truth.numbers).flatten(1)
        total = total + number_loss + 4 * ((said[:, COORDINATES] - code).square().mean(1) * share).sum()
        guess = torch.tensor(NUMBERS)[logits.detach().argmax(-1)].float()
        figures["numbers"] = float(number_loss.detach())
        exact = truth.weight == 1
        if exact.any():
            figures["error"] = float((guess - truth.numbers)[exact, :4].abs().mean())
    return total, figures


def known_of(packed: Packed) -> NDArray[np.float32]:
    """The categories that a folder's truth speaks of: all that occur in it, (24,)."""
    known = np.zeros(24, np.float32)
    known[np.unique(packed.objects[:, 1]).astype(int)] = 1
    known[packed.cover[:200].any((0, 1, 2))] = 1
    return known


def batch_of(
    sets: list[Packed], shares: list[float], rng: np.random.Generator, size: int
) -> tuple[list[Sample], Tensor]:
    """Augmented samples from the sets, in the shares given, and what their truth speaks of (size, 24)."""
    samples, known = [], []
    for chosen in rng.choice(len(sets), size, p=shares):
        packed = sets[chosen]
        sample = sample_of(packed, int(rng.integers(len(packed.images))), int(rng.integers(8)))
        if rng.random() < 0.4:
            sample = zoomed(sample, float(np.exp(rng.uniform(0, 0.7))), *rng.random(2))
        samples.append(sample)
        known.append(known_of_cached(packed))
    return samples, torch.from_numpy(np.stack(known))


_known: dict[int, NDArray[np.float32]] = {}


def known_of_cached(packed: Packed) -> NDArray[np.float32]:
    if id(packed) not in _known:
        _known[id(packed)] = known_of(packed)
    return _known[id(packed)]


def pixels_of(samples: list[Sample], rng: np.random.Generator | None, row: int, column: int, side: int) -> Tensor:
    """Pixels (B, 3, H, W) in -1..1 of a window of cells, with colours augmented if there is a generator."""
    y, x = row * CELL, column * CELL
    windows = [s.rgb[y : y + side * CELL, x : x + side * CELL] for s in samples]
    floats = [tinted(w, rng) if rng is not None else w.astype(np.float32) / 127.5 - 1 for w in windows]
    return torch.from_numpy(np.stack(floats)).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def measure(visual: Any, packed: Packed, count: int = 64) -> dict[str, float]:
    """On whole, plain images: does a cell know its category, how far are box sides off (0..1000), box IoU.

    `best`: of the categories that are there, for how many the cell that says so loudest is right.
    """
    visual.eval()
    hits = said = real = right = asked = 0
    errors, overlaps = [], []
    for begin in range(0, min(count, len(packed.images)), 8):
        samples = [sample_of(packed, i, 0) for i in range(begin, begin + 8)]
        truth = truth_of(samples, 0, 0, GRID)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = see(visual, pixels_of(samples, None, 0, 0, GRID)).float()
        known = torch.from_numpy(known_of_cached(packed)).bool()
        guess = (tokens[..., CENTRE] > LOUD / 2) & known
        hits += int((guess & (truth.centre > 0)).sum())
        said += int(guess.sum())
        real += int(truth.centre.sum())
        best = truth.centre.gather(1, tokens[..., CENTRE].argmax(1, keepdim=True))[:, 0]
        right, asked = right + int(best.sum()), asked + int(truth.centre.any(1).sum())
        at, true = (each[truth.weight == 1] for each in (truth.at, truth.numbers[:, :4]))
        if len(at):
            logits = coordinate_logits(tokens[at[:, 0], at[:, 1]])
            box = torch.tensor(NUMBERS)[logits.argmax(-1)].float()[:, :4]
            errors.append((box - true).abs().mean(1))
            overlap = (torch.minimum(box, true)[:, 2:] - torch.maximum(box, true)[:, :2]).clamp(min=0).prod(1)
            union = (box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) + (true[:, 2:] - true[:, :2]).prod(1) - overlap
            overlaps.append(overlap / union.clamp(min=1))
    visual.train()
    return {
        "precision": hits / max(said, 1),
        "recall": hits / max(real, 1),
        "best": right / max(asked, 1),
        "box_error": float(torch.cat(errors).mean()),
        "box_iou": float(torch.cat(overlaps).mean()),
    }


def optimizers_of(visual: Any, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for all else."""
    inner = [p for block in visual.blocks for p in block.parameters() if p.ndim == 2]
    inner.append(visual.merger.linear_fc1.weight)
    ids = {id(p) for p in inner}
    outer = [p for p in visual.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(inner, lr=peak, momentum=0.95, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=peak, betas=(0.9, 0.98), weight_decay=0.02),
    ]


def train(
    visual: Any,
    sets: list[Packed],
    shares: list[float],
    tests: dict[str, Packed],
    run: Path,
    *,
    minutes: float,
    peak: float = 1e-3,
    whole_from: float = 0.6,
    size: int = 32,
) -> None:
    """Trains for `minutes` from where `run` stopped: windows first, whole images from the share `whole_from` on.

    Each process draws its own `size` windows a step; the first one measures, prints and saves.
    """
    rank = parallel.rank()
    optimizers = optimizers_of(visual, peak)
    state, step = run / "eye.pt", 0
    if state.exists():
        held = torch.load(state, weights_only=False)
        visual.load_state_dict(held["visual"])
        if "optimizers" in held:  # else it was exported once (beginning.py)
            step = held["step"]
            for optimizer, each in zip(optimizers, held["optimizers"], strict=True):
                optimizer.load_state_dict(each)
    rng = np.random.default_rng([step, rank])
    visual.train()
    begun = step
    started = said = tested = time.monotonic()
    spent = 0.0
    sums: dict[str, list[float]] = {}
    while spent < minutes:
        share = spent / minutes
        rate = peak * min(1.0, (step - begun + 1) / 100) * max(0.03, 0.5 * (1 + np.cos(np.pi * min(1.0, share))))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        side, count = (GRID, max(4, size // 4)) if share > whole_from else (GRID // 2, size)
        row, column = (int(n) for n in rng.integers(0, GRID - side + 1, 2))
        samples, known = batch_of(sets, shares, rng, count)
        truth = truth_of(samples, row, column, side)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = see(visual, pixels_of(samples, rng, row, column, side), 2 * row, 2 * column)
        loss, figures = dense_loss(tokens, truth, known)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        spent = parallel.averaged(visual.parameters(), (time.monotonic() - started) / 60)
        nn.utils.clip_grad_norm_(visual.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        if rank == 0 and now - said > 60:
            words = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in sums.items())
            print(f"{spent:6.1f} min  step {step}  {words}", flush=True)
            sums, said = {}, now
        if rank == 0 and now - tested > 300:
            _save(state, visual, optimizers, step)
            for name, packed in tests.items():
                figures = measure(visual, packed)
                print(f"        test {name}: " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
            tested = time.monotonic()
    if rank == 0:
        _save(state, visual, optimizers, step)
        for name, packed in tests.items():
            figures = measure(visual, packed, 200)
            print(f"end     test {name}: " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)


def _save(state: Path, visual: Any, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    held = {"visual": visual.state_dict(), "optimizers": [each.state_dict() for each in optimizers], "step": step}
    fresh = state.with_suffix(".new")
    torch.save(held, fresh)
    fresh.replace(state)


def work(options: argparse.Namespace) -> None:
    """One process of the run."""
    model, _, _ = start(options.run)
    sets = [Packed.load(folder) for folder in options.data]
    shares = np.array(options.shares or [1.0] * len(sets))
    train(
        model.model.visual,
        sets,
        list(shares / shares.sum()),
        {folder.name: Packed.load(folder) for folder in options.test},
        options.run,
        minutes=options.minutes,
        peak=options.peak,
        whole_from=options.whole_from,
        size=options.size,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="packed folders to train on")
    parser.add_argument("--shares", type=float, nargs="+", help="how often each is drawn; equal by default")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="packed folders to measure on")
    parser.add_argument("--run", type=Path, default=Path("runs/eye"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peak", type=float, default=1e-3)
    parser.add_argument("--whole-from", type=float, default=0.6)
    parser.add_argument("--size", type=int, default=32, help="windows a step and process")
    parser.add_argument("--processes", type=int, default=1, help="cores to train on")
    options = parser.parse_args()
    start(options.run)  # the tokenizer is made once
    parallel.run(work, options)


if __name__ == "__main__":
    main()
