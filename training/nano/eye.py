"""Trains the image encoder of nano's prompter: it learns to write the code of image_tokens.py for each cell, from labelled imagery.

    python -m training.nano.eye --data runs/data/procedural runs/data/isaid --run runs/eye --steps 6000

A sample is a quarter of an image, with the position embeddings of its place in the whole image: attention has 196 patches instead of
784, and coordinates keep their meaning. The last part of a run uses whole images.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from training.nano import parallel
from training.nano.canvas import CanvasBatch, CanvasBatches, pixels_of_canvas
from training.nano.image_tokens import (
    CENTRE,
    CENTRE_HEIGHT,
    COORDINATE_HEIGHT,
    COORDINATES,
    IS_IMAGE,
    NEAR,
    NUMBERS,
    ONE,
    PLACE,
    SIDE,
    STEP,
    WORD_NUMBERS,
    coordinate_logits,
    number_code,
    place_code,
    soft_targets,
)
from training.nano.imagery import (
    Batch,
    Batches,
    ImageCrop,
    Packed,
    Pixels,
    Truth,
    crop_pixels,
    labels_of,
    truth_of,
    vary_colours,
)
from training.nano.optimizers import cosine, muon_and_adamw, warm_up
from training.nano.run import Run, add_options, launch, plan_of
from training.nano.warm_start import EYE, start, visual_of

_OWN_OF_A_CELL = F.one_hot(torch.tensor(IS_IMAGE - WORD_NUMBERS.start), WORD_NUMBERS.stop - WORD_NUMBERS.start)
SHARP = 8.0  # a value v in the near block has the logit SHARP * (v - 0.5)
SHARP_CENTRE = (
    14.0  # the same for a centre: steep enough that 0 means a probability near 0, so that values below 0 gain nothing
)
FOUND_WEIGHT = 3.0  # of a cell with a centre in the loss; a higher weight marks its neighbours too
NEAR_WEIGHT = 10.0  # of the near block of a cell with a centre, against that of other cells


def encode_image(visual: Any, pixels: Tensor, row: int = 0, column: int = 0) -> Tensor:
    """Returns image tokens (B, cells, WIDTH) for pixels (B, 3, H, W) in -1..1, a part of the 448-px image.

    `row` and `column` are the position of the part, in patches. Computes the same as the forward pass of the transformers class, for
    a batch of equal sizes at once; the patch embedding is a matrix product, because its Conv3d is slow on a CPU.
    """
    batch, _, height, width = pixels.shape
    rows, columns = height // 16, width // 16
    patches = pixels.reshape(batch, 3, rows // 2, 2, 16, columns // 2, 2, 16).permute(0, 2, 5, 3, 6, 1, 4, 7)
    patches = patches.reshape(batch, rows * columns, 3 * 256)
    index = torch.arange(rows * columns, device=pixels.device).reshape(rows, columns)
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


def dense_loss(tokens: Tensor, truth: Truth) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the loss between tokens (B, K, WIDTH) and the code, and its parts by name."""
    tokens = tokens.float()
    centre = SHARP_CENTRE * (tokens[..., CENTRE] / CENTRE_HEIGHT - 0.5)
    known, found = truth.known[:, None, :], truth.centre.amax(-1, keepdim=True)
    weight = known * (1 + (FOUND_WEIGHT - 1) * found)
    centre_loss = F.binary_cross_entropy_with_logits(centre, truth.centre, weight, reduction="sum") / known.sum()
    near = SHARP * (tokens[..., NEAR] - 0.5)
    weight = known * (1 + (NEAR_WEIGHT - 1) * found)
    near_loss = F.binary_cross_entropy_with_logits(near, truth.near, weight)
    place_loss = F.mse_loss(tokens[..., PLACE], place_code().to(tokens)[truth.cells].expand(len(tokens), -1, -1))
    place_loss = place_loss + (tokens[..., ONE] - 1).square().mean()
    place_loss = place_loss + (tokens[..., WORD_NUMBERS] - _OWN_OF_A_CELL.to(tokens)).square().mean()
    quiet = tokens[..., COORDINATES].square().mean()
    # values below 0 are penalised: the language model compares a cell's numbers with each other
    below = tokens[..., : NEAR.stop].clamp(max=0).square().mean()
    total = centre_loss / 2 + 6 * near_loss + 40 * place_loss + 2 * below + 0.05 * quiet
    figures = {"centre": centre_loss, "near": near_loss, "place": place_loss, "below": below}
    if len(truth.at):
        said = tokens[truth.at[:, 0], truth.at[:, 1]]
        logits = coordinate_logits(said)
        share = truth.weight / truth.weight.sum()
        off = -(soft_targets(truth.numbers) * logits.log_softmax(-1)).sum(-1).mean(1)
        number_loss = (off * share).sum()
        code = COORDINATE_HEIGHT * number_code(truth.numbers).flatten(1)
        total = total + number_loss + 4 * ((said[:, COORDINATES] - code).square().mean(1) * share).sum()
        guess = logits.argmax(-1) * STEP
        exact = truth.weight == 1
        wrong = (guess - truth.numbers)[:, :4].abs().mean(1)
        figures |= {"numbers": number_loss, "error": (wrong * exact).sum() / exact.sum()}
    return total, {name: value.detach() for name, value in figures.items()}


@torch.no_grad()
def measure(visual: Any, packed: Packed, count: int = 64) -> dict[str, float]:
    """Returns, on whole images without augmentation: precision and recall of centres, the mean error of box sides (0..1000), box IoU.

    `best`: for which share of the categories in an image the cell with the highest value is right.
    """
    visual.eval()
    device = visual.pos_embed.weight.device
    hits = said = real = right = asked = 0
    errors, overlaps = [], []
    count = min(count, len(packed.images))
    for begin in range(0, count, 8):
        indexes = range(begin, min(begin + 8, count))
        truth = truth_of([labels_of(packed, i) for i in indexes], [packed.known] * len(indexes))
        with torch.autocast(device.type, torch.bfloat16):
            images = torch.from_numpy(packed.images[indexes.start : indexes.stop].copy()).to(device)
            tokens = encode_image(visual, crop_pixels(images, [ImageCrop()] * len(indexes))).float().cpu()
        guess = (tokens[..., CENTRE] > CENTRE_HEIGHT / 2) & truth.known[:, None].bool()
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


def train(
    visual: Any,
    folders: list[Packed],
    shares: list[float],
    tests: dict[str, Packed],
    file: Path,
    plan: Mapping[str, Any],
    *,
    minutes: float | None = None,
    save_every: int = 100,
    device: str = "cpu",
    workers: int = 0,
) -> None:
    """Trains for the steps of the `plan`, continuing from `file`: parts of images first, whole images from the share `whole_from` on.

    Each process draws its own `size` windows a step and has its own `workers` that compute the truth.
    """
    peak, steps, rank = plan["peak"], plan["steps"], parallel.rank()
    visual.to(device).train()
    inner = [p for block in visual.blocks for p in block.parameters() if p.ndim == 2]
    inner.append(visual.merger.linear_fc1.weight)
    optimizers = muon_and_adamw(inner, visual, peak=peak, weight_decay=0.02)
    colours = torch.Generator(device).manual_seed(plan["seed"] * 1000 + rank)
    run = Run(
        file,
        plan,
        visual,
        optimizers,
        {"colours": colours},
        measure=lambda: {name: measure(visual, packed) for name, packed in tests.items()},
        save_every=save_every,
        minutes=minutes,
    )
    batches = _batches(folders, shares, plan, rank)
    drawn = iter(
        DataLoader(
            batches,
            batch_size=None,
            sampler=range(run.step, steps),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            generator=torch.Generator(),  # else it would draw from torch's own
        )
    )
    pixels = Pixels(folders, torch.device(device))
    look = torch.compile(encode_image) if device != "cpu" else encode_image
    for step in run.steps():
        batch: Batch | CanvasBatch = next(drawn)
        row, column = 0, 0
        if isinstance(batch, CanvasBatch):
            pictures = torch.stack([pixels_of_canvas(folders, canvas) for canvas in batch.canvases]).to(device)
        else:
            pictures, row, column = pixels.of(batch), batch.window.row, batch.window.column
        shown = vary_colours(pictures, colours)
        with torch.autocast(shown.device.type, torch.bfloat16):
            tokens = look(visual, shown, 2 * row, 2 * column)
        loss, figures = dense_loss(tokens, batch.truth.to(shown.device))
        run.learn(loss, figures, rates=[peak * warm_up(step) * cosine(step, steps)] * 2)


def _batches(folders: list[Packed], shares: list[float], plan: Mapping[str, Any], rank: int) -> Batches | CanvasBatches:
    if plan["canvas"]:
        return CanvasBatches(folders, shares, size=max(4, plan["size"] // 4), seed=plan["seed"], process=rank)
    whole_from = round(plan["whole_from"] * plan["steps"])
    return Batches(folders, shares, size=plan["size"], whole_from=whole_from, seed=plan["seed"], process=rank)


def run_process(options: argparse.Namespace) -> None:
    """Runs the training in one process."""
    model, _, _ = start(options.run, options.start)
    if options.start:
        model.model.visual.load_state_dict(visual_of(options.start))
    folders = [Packed.load(folder) for folder in options.data]
    shares = np.array(options.shares or [1.0] * len(folders))
    train(
        model.model.visual,
        folders,
        list(shares / shares.sum()),
        {folder.name: Packed.load(folder) for folder in options.test},
        options.run / EYE,
        plan_of(options),
        minutes=options.minutes,
        save_every=options.save_every,
        device=options.device,
        workers=options.workers,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, run="runs/eye", steps=6000, peak=1e-3, save_every=100)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="packed folders to train on")
    parser.add_argument("--shares", type=float, nargs="+", help="how often each folder is drawn; equal by default")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="packed folders to measure on")
    parser.add_argument(
        "--whole-from", type=float, default=0.6, help="share of the steps after which whole images follow"
    )
    parser.add_argument(
        "--canvas", action="store_true", help="whole images, cut from canvases of four (canvas.py), in all steps"
    )
    parser.add_argument("--size", type=int, default=32, help="windows in a step of each process")
    parser.add_argument("--device", default="cpu", help="cuda: train on one GPU instead")
    parser.add_argument(
        "--workers", type=int, default=0, help="additional processes for each process, which compute the truth"
    )
    options = parser.parse_args()
    start(options.run, options.start)  # makes the tokenizer once, before the processes start
    launch(run_process, options, EYE)


if __name__ == "__main__":
    main()
