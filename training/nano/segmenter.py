"""Trains nano's segmenter: a Sam2Model of two and a half million weights, from nothing.

    python -m training.nano.segmenter train --run runs/segmenter --minutes 90 --coco ../shared/data/isaid448/train.json
    python -m training.nano.segmenter export --run runs/segmenter --out t2s_agent/nano/segmenter
    python -m training.nano.segmenter evaluate --model t2s_agent/nano/segmenter --coco ../shared/data/isaid448/test.json

First without pictures: prompts alone, whose truth is the box, until the decoder knows places. Then with pictures. A run goes
on where it stopped. What mattered is in README.md beside this file.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Sam2Config, Sam2Model

from training.nano.codes import SIDE

BLIND_MINUTES = 9.0
PROMPTS = 14  # an image and step
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build() -> Sam2Model:
    """A small Hiera, fresh, with one position code for pictures and prompts and with widths that a fresh start can use."""
    grid = [SIDE // 4, SIDE // 8, SIDE // 16]
    backbone = {
        "hidden_size": 32,
        "image_size": [SIDE, SIDE],
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 3, 2],
        "embed_dim_per_stage": [32, 64, 128, 256],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 14, 7],
        "global_attention_blocks": [4, 7],
        "window_positional_embedding_background_size": [7, 7],
    }
    config = Sam2Config(
        vision_config={
            "backbone_config": {"model_type": "sam2_hiera_det_model", **backbone},
            "backbone_channel_list": [256, 128, 64, 32],
            "backbone_feature_sizes": [[g, g] for g in grid],
            "fpn_hidden_size": 64,
        },
        prompt_encoder_config={"hidden_size": 64, "image_size": SIDE, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 64,
            "mlp_dim": 256,
            "num_attention_heads": 4,
            "attention_downsample_rate": 1,
            "iou_head_hidden_dim": 64,
            "dynamic_multimask_via_stability": False,
        },
    )
    model = Sam2Model(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
                module.reset_parameters()
        shared = model.shared_image_embedding.positional_embedding
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    return model


def jittered(boxes: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, 4) and points (N, 2, 2) as a prompter may give them, and the points' labels (N, 2)."""
    count = len(boxes)
    side = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    spread = torch.tensor(rng.choice([0.0, 0.06, 0.15], count, p=[0.25, 0.45, 0.3]), dtype=torch.float32)[:, None]
    noise = torch.tensor(rng.normal(size=(count, 4)), dtype=torch.float32)
    moved = boxes + noise * torch.maximum(spread * side, (spread > 0).float())
    low, high = torch.minimum(moved[:, :2], moved[:, 2:] - 1), torch.maximum(moved[:, 2:], moved[:, :2] + 1)
    labels = torch.ones(count, 2, dtype=torch.long)
    labels[torch.tensor(rng.random(count) < 0.2)] = -10  # a box alone
    return torch.cat([low, high], 1).clamp(0, SIDE), points, labels


def decode(
    model: Sam2Model, embeddings: list[Tensor], boxes: Tensor, points: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (B, N, 112, 112) and predicted qualities (B, N) for boxes (B, N, 4) with points (B, N, 2, 2)."""
    out = model(
        image_embeddings=embeddings, input_boxes=boxes, input_points=points, input_labels=labels, multimask_output=False
    )
    return out.pred_masks[:, :, 0], out.iou_scores[:, :, 0]


def window_loss(logits: Tensor, truth: Tensor, boxes: Tensor) -> Tensor:
    """BCE and dice of 40 x 40 samples in each box enlarged 1.6 times: a car counts as much as a stadium.

    `logits` (M, 112, 112), `truth` (M, 448, 448) in 0..1, `boxes` (M, 4) in pixels.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = ((boxes[:, 2:] - boxes[:, :2]) * 0.8).clamp(min=6)
    step = torch.linspace(-1, 1, 40)
    offsets = torch.stack(torch.meshgrid(step, step, indexing="xy"), dim=-1)
    places = centre[:, None, None] + offsets * half[:, None, None]
    grid = places / SIDE * 2 - 1
    said = F.grid_sample(logits[:, None], grid, align_corners=False, padding_mode="border")[:, 0]
    true = F.grid_sample(truth[:, None], grid, align_corners=False)[:, 0]
    bce = F.binary_cross_entropy_with_logits(said, true)
    p = said.sigmoid()
    dice = 1 - (2 * (p * true).sum((1, 2)) + 1) / (p.sum((1, 2)) + true.sum((1, 2)) + 1)
    return bce + dice.mean()


def loss_of(logits: Tensor, quality: Tensor, truth: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The whole loss and the IoU (M,) of masks at 112 x 112."""
    small = F.avg_pool2d(truth[:, None], 4)[:, 0]
    with torch.no_grad():
        said, true = logits > 0, small > 0.5
        iou = (said & true).sum((1, 2)) / (said | true).sum((1, 2)).clamp(min=1)
    whole = F.binary_cross_entropy_with_logits(logits, small)
    return window_loss(logits, truth, boxes) + 2 * whole + 0.2 * F.mse_loss(quality, iou), iou


def blind_batch(rng: np.random.Generator, images: int = 4, prompts: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts whose truth is the box itself: boxes (B, N, 4), points (B, N, 2, 2), truth (B, N, 448, 448)."""
    side = np.exp(rng.uniform(np.log(6), np.log(240), (images, prompts, 2)))
    centre = rng.uniform(0, SIDE, (images, prompts, 2))
    low, high = np.clip(centre - side / 2, 0, SIDE - 3), np.clip(centre + side / 2, 3, SIDE)
    points = low[:, :, None] + rng.uniform(0.15, 0.85, (images, prompts, 2, 2)) * (high - low)[:, :, None]
    at = np.arange(SIDE) + 0.5
    inside_x = (at >= low[..., :1]) & (at < high[..., :1])
    inside_y = (at >= low[..., 1:]) & (at < high[..., 1:])
    truth = inside_y[..., :, None] & inside_x[..., None, :]
    boxes = np.concatenate([low, high], -1).astype(np.float32)
    return torch.from_numpy(boxes), torch.from_numpy(points.astype(np.float32)), torch.from_numpy(truth).float()


class Pictures:
    """Pictures with instance masks, from scenes drawn as they are needed and from COCO files, augmented."""

    def __init__(self, cocos: list[Path], drawn_share: float) -> None:
        self.drawn_share = drawn_share
        self.held: list[tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]] = []
        self._cocos = cocos
        from training.nano.pack import coco, semantic

        self.real = []
        for path in cocos:
            of_buildings = "building" if "building" in path.stem else ""
            images = semantic(path, "dubai_train") if path.stem == "semantic" else coco(path, only=of_buildings)
            for labelled in images:
                masks = [_packed(mask) for _, mask in labelled.objects]
                if masks:
                    self.real.append((labelled.rgb, masks))

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
        """A picture (448, 448, 3) and its masks (448, 448)."""
        if not self.real or rng.random() < self.drawn_share:
            rgb, masks = self._drawn(rng)
        else:
            rgb, packed = self.real[rng.integers(len(self.real))]
            masks = [_unpacked(mask) for mask in packed]
        turn = int(rng.integers(8))
        rgb, masks = _turned(rgb, turn), [_turned(mask, turn) for mask in masks]
        if rng.random() < 0.5:
            near = zoomed(rgb, masks, float(np.exp(rng.uniform(0, 0.9))), *rng.random(2))
            if near[1]:
                return near
        return rgb, masks

    def _drawn(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
        from training.nano.pack import procedural

        while len(self.held) < 40 or rng.random() < 0.25:  # a pool, renewed bit by bit: drawing takes 0.2 s
            seed = int(rng.integers(0, 9_000_000))
            (scene,) = procedural(range(seed, seed + 1))
            masks = [mask for _, mask in scene.objects]
            if masks:
                if len(self.held) >= 400:
                    self.held.pop(int(rng.integers(len(self.held))))
                self.held.append((scene.rgb, masks))
            if len(self.held) >= 40:
                break
        return self.held[rng.integers(len(self.held))]


def _packed(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(mask)


def _unpacked(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.unpackbits(bits, count=SIDE * SIDE).reshape(SIDE, SIDE).astype(bool)


def _turned(array: np.ndarray, turn: int) -> np.ndarray:
    if turn & 1:
        array = array[:, ::-1]
    if turn & 2:
        array = array[::-1]
    return array.swapaxes(0, 1) if turn & 4 else array


def zoomed(
    rgb: NDArray[np.uint8], masks: list[NDArray[np.bool_]], zoom: float, left: float, top: float
) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """A part of a picture, enlarged `zoom` times, and the masks of which at least 0.35 lie in it; `left`, `top` (0..1) say where."""
    side = round(SIDE / zoom)
    x, y = round((SIDE - side) * left), round((SIDE - side) * top)
    part = Image.fromarray(np.ascontiguousarray(rgb[y : y + side, x : x + side]))
    at = np.arange(SIDE) * side // SIDE
    cut = [(mask[y : y + side, x : x + side], np.count_nonzero(mask)) for mask in masks]
    near = [piece[at][:, at] for piece, whole in cut if np.count_nonzero(piece) >= max(0.35 * whole, 1)]
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BILINEAR)), near


def normalised(rgb: NDArray[np.uint8], rng: np.random.Generator | None) -> Tensor:
    """Pixels (3, 448, 448) as the model takes them; with a generator, light and colour vary."""
    x = rgb.astype(np.float32) / 255
    if rng is not None:
        x = x * rng.uniform(0.7, 1.35) + rng.uniform(-0.1, 0.1) + rng.normal(0, 0.03, 3).astype(np.float32)
        if rng.random() < 0.1:
            x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
    x = (x - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 0), dtype=np.float32))


def prompts_of(masks: list[NDArray[np.bool_]], rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, 4), two points inside (N, 2, 2) and truth (N, 448, 448) of `count` masks drawn with repetition.

    Small ones and large ones alike: drawn by the inverse square root of how many are as small.
    """
    sizes = np.array([mask.sum() for mask in masks], float)
    bucket = np.digitize(np.log(sizes), np.log([60, 250, 1000, 4000]))
    weight = 1 / np.sqrt(np.bincount(bucket, minlength=5)[bucket])
    chosen = rng.choice(len(masks), count, p=weight / weight.sum())
    boxes, points = [], []
    for index in chosen:
        ys, xs = np.nonzero(masks[index])
        boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        two = rng.integers(len(xs), size=2)
        points.append(np.stack([xs[two] + 0.5, ys[two] + 0.5], axis=1))
    truth = torch.from_numpy(np.stack([masks[i] for i in chosen])).float()
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(np.array(points), dtype=torch.float32), truth


def embed(model: Sam2Model, pixels: Tensor) -> list[Tensor]:
    """Feature maps of pixels (B, 3, 448, 448), the trunk in bfloat16; unlike the class's own, with gradients."""
    with torch.autocast("cpu", torch.bfloat16):
        maps = list(model.get_image_features(pixels, return_dict=True).fpn_hidden_states)
    maps = [m.float() for m in maps]
    maps[-1] = maps[-1] + model.no_memory_embedding
    return [
        m.permute(1, 2, 0).reshape(len(pixels), -1, *size)
        for m, size in zip(maps, model.backbone_feature_sizes, strict=True)
    ]


def optimizers_of(model: Sam2Model, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the trunk's blocks and of the decoder's attention, AdamW for all else."""
    parts = (model.vision_encoder.backbone.blocks, model.mask_decoder.transformer)
    inner = [p for part in parts for p in part.parameters() if p.ndim == 2 and min(p.shape) > 1]
    ids = {id(p) for p in inner}
    outer = [p for p in model.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(inner, lr=peak, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=peak, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def train(
    run: Path,
    cocos: list[Path],
    *,
    minutes: float,
    drawn_share: float,
    peak: float = 8e-4,
    start: Path | None = None,
    test: Path | None = None,
) -> None:
    """Trains for `minutes` from where `run` stopped, else from the weights in `start`, else from nothing.

    A line a minute; every five a checkpoint, and figures on the first images of `test` or, without it, on procedural scenes.
    """
    torch.manual_seed(0)
    model = Sam2Model.from_pretrained(start, dtype=torch.float32) if start else build()
    optimizers = optimizers_of(model, peak)
    rng, step, trained = np.random.default_rng(0), 0, BLIND_MINUTES if start else 0.0
    state = run / "state.pt"
    if state.exists():
        held = torch.load(state, weights_only=False)
        model.load_state_dict(held["model"])
        for optimizer, each in zip(optimizers, held["optimizers"], strict=True):
            optimizer.load_state_dict(each)
        rng.bit_generator.state, step, trained = held["rng"], held["step"], held["minutes"]
    model.train()
    pictures = Pictures(cocos, drawn_share)
    started = said = saved = time.monotonic()
    before, sums = trained, []
    while (spent := (time.monotonic() - started) / 60) < minutes:
        was_blind = trained < BLIND_MINUTES
        trained = before + spent
        blind = trained < BLIND_MINUTES
        if was_blind and not blind:
            _quiet(model)
        rate = (
            peak
            * min(1.0, (step + 1) / 100)
            * (1.0 if blind else max(0.03, 0.5 * (1 + np.cos(np.pi * spent / minutes))))
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        if blind:
            boxes, points, truth = blind_batch(rng)
            embeddings = [
                torch.zeros(len(boxes), c, *s) for c, s in zip((8, 16, 64), model.backbone_feature_sizes, strict=True)
            ]
            flat = [jittered(b, p, rng) for b, p in zip(boxes, points, strict=True)]
        else:
            drawn = [pictures.draw(rng) for _ in range(2)]
            made = [prompts_of(masks, rng, PROMPTS) for _, masks in drawn]
            boxes, truth = torch.stack([m[0] for m in made]), torch.stack([m[2] for m in made])
            embeddings = embed(model, torch.stack([normalised(rgb, rng) for rgb, _ in drawn]))
            flat = [jittered(b, p, rng) for b, p, _ in made]
        asked, points, labels = (torch.stack(parts) for parts in zip(*flat, strict=True))
        logits, quality = decode(model, embeddings, asked, points, labels)
        loss, iou = loss_of(logits.flatten(0, 1), quality.flatten(), truth.flatten(0, 1), boxes.flatten(0, 1))
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        sums.append((float(loss.detach()), float(iou.mean())))
        now = time.monotonic()
        if now - said > 60:
            mean = np.mean(sums, axis=0)
            print(
                f"{trained:6.1f} min  step {step}  {'blind ' if blind else ''}loss {mean[0]:.3f}  IoU {mean[1]:.3f}",
                flush=True,
            )
            sums, said = [], now
        if now - saved > 300:
            _save(state, model, optimizers, rng, step, trained)
            _test(model, test)
            saved = time.monotonic()
    _save(state, model, optimizers, rng, step, trained)
    _test(model, test)


def _test(model: Sam2Model, test: Path | None, count: int = 24) -> None:
    images = _images(test, count) if test else _scenes(10_000_000, count)
    mask, box = np.mean([row[2:] for row in measured(model, images)], axis=0)
    model.train()
    print(f"        test  IoU {mask:.3f}  filled box {box:.3f}", flush=True)


def _quiet(model: Sam2Model) -> None:
    """Before the first picture: a random trunk must not drown what the decoder has learned of places."""
    with torch.no_grad():
        for conv in (model.mask_decoder.conv_s0, model.mask_decoder.conv_s1):
            conv.weight.mul_(0.1)
        for conv in model.vision_encoder.neck.convs:
            conv.weight.mul_(0.3)


def _save(
    state: Path,
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    rng: np.random.Generator,
    step: int,
    minutes: float,
) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "model": model.state_dict(),
        "optimizers": [each.state_dict() for each in optimizers],
        "rng": rng.bit_generator.state,
        "step": step,
        "minutes": minutes,
    }
    fresh = state.with_suffix(".new")
    torch.save(held, fresh)
    fresh.replace(state)


def export(run: Path, out: Path) -> None:
    """Writes a run's weights in transformers' layout, bfloat16."""
    model = build()
    model.load_state_dict(torch.load(run / "state.pt", weights_only=False)["model"])
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    processor = {
        "image_processor_type": "Sam2ImageProcessorFast",
        "size": {"height": SIDE, "width": SIDE},
        "mask_size": {"height": SIDE // 4, "width": SIDE // 4},
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "resample": 2,
        "rescale_factor": 1 / 255,
    }
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def _scenes(first: int, count: int) -> Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]]:
    from evals.scenes import draw

    for seed in range(first, first + count):
        scene = draw(seed, size=SIDE)
        yield scene.rgb, [(t.category, scene.mask_of(t)) for t in scene.objects if t.mask.sum() >= 12]


def _images(path: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]]:
    from training.nano.pack import coco
    from training.nano.questions import CATEGORIES

    for labelled, _ in zip(coco(path, only="building" if "building" in path.stem else ""), range(count), strict=False):
        yield labelled.rgb, [(CATEGORIES[category], mask) for category, mask in labelled.objects]


@torch.inference_mode()
def measured(
    model: Sam2Model,
    images: Iterator[tuple[NDArray[np.uint8], list[tuple[str, NDArray[np.bool_]]]]],
    *,
    jitter: bool = False,
) -> list[tuple[str, float, float, float]]:
    """Of each object: category, size in pixels, IoU of the mask from the true box and two points, IoU of the filled box.

    At most 30 objects an image, drawn the same at each call.
    """
    model.eval()
    rng = np.random.default_rng(5)
    rows: list[tuple[str, float, float, float]] = []
    for rgb, things in images:
        chosen = [things[i] for i in rng.permutation(len(things))[:30]]
        if not chosen:
            continue
        masks = [mask for _, mask in chosen]
        embeddings = embed(model, normalised(rgb, None)[None])
        boxes, points = [], []
        for mask in masks:
            ys, xs = np.nonzero(mask)
            boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            two = rng.integers(len(xs), size=2)
            points.append(np.stack([xs[two] + 0.5, ys[two] + 0.5], axis=1))
        asked, where = torch.tensor(boxes, dtype=torch.float32), torch.tensor(np.array(points), dtype=torch.float32)
        labels = torch.ones(len(masks), 2, dtype=torch.long)
        if jitter:
            asked, where, _ = jittered(asked, where, rng)
        logits, _ = decode(model, embeddings, asked[None], where[None], labels[None])
        said = F.interpolate(logits[0][:, None], size=(SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0] > 0
        for (category, mask), got, box in zip(chosen, said.numpy(), asked.numpy().round().astype(int), strict=True):
            filled = np.zeros_like(mask)
            filled[box[1] : box[3], box[0] : box[2]] = True
            rows.append((category, float(mask.sum()), _iou(got, mask), _iou(filled, mask)))
    return rows


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def _report(rows: list[tuple[str, float, float, float]]) -> None:
    """Prints means of `measured` by category and size."""
    print(f"{'':24s}{'instances':>10}{'mask':>8}{'box':>8}")
    names = sorted({row[0] for row in rows})
    means = []
    for name in names:
        own = np.array([row[2:] for row in rows if row[0] == name])
        means.append(own.mean(0))
        print(f"{name:24s}{len(own):>10}{own[:, 0].mean():>8.3f}{own[:, 1].mean():>8.3f}")
    every = np.array([row[1:] for row in rows])
    for label, keep in (
        ("under 150 px", every[:, 0] < 150),
        ("150 to 1000 px", (every[:, 0] >= 150) & (every[:, 0] < 1000)),
        ("above 1000 px", every[:, 0] >= 1000),
        ("all instances", every[:, 0] > 0),
    ):
        if keep.any():
            print(f"{label:24s}{keep.sum():>10}{every[keep, 1].mean():>8.3f}{every[keep, 2].mean():>8.3f}")
    print(f"{'mean of classes':24s}{len(names):>10}{np.mean(means, axis=0)[0]:>8.3f}{np.mean(means, axis=0)[1]:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["train", "export", "evaluate"])
    parser.add_argument("--run", type=Path, default=Path("runs/segmenter"))
    parser.add_argument(
        "--coco",
        type=Path,
        nargs="*",
        default=[],
        help="COCO files (or landcover's semantic.json) beside their tars, to train or measure on",
    )
    parser.add_argument("--drawn", type=float, default=0.5, help="share of procedural scenes in training")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peak", type=float, default=8e-4)
    parser.add_argument("--start", type=Path, help="an exported folder to go on from")
    parser.add_argument("--test", type=Path, help="a COCO file to measure on while training; procedural scenes without")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", type=Path, help="an exported folder to measure")
    parser.add_argument("--count", type=int, default=100, help="images to measure on")
    parser.add_argument("--jitter", action="store_true", help="measure with prompts as a prompter gives them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.verb == "train":
        train(
            options.run,
            options.coco,
            minutes=options.minutes,
            drawn_share=options.drawn,
            peak=options.peak,
            start=options.start,
            test=options.test,
        )
    elif options.verb == "export":
        export(options.run, options.out)
    else:
        model = Sam2Model.from_pretrained(options.model, dtype=torch.float32)
        images = _images(options.coco[0], options.count) if options.coco else _scenes(10_000_000, options.count)
        _report(measured(model, images, jitter=options.jitter))


if __name__ == "__main__":
    main()
